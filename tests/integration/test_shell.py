"""The shell as a user types into it, and the commands that tell about the machine."""

import json
import re

import pytest

from harness import guests
from harness.clock import HostClock

TAB, UP, LEFT, HOME, INTERRUPT = '\t', '\x1b[A', '\x1b[D', '\x1b[H', '\x03'
COMMANDS = ['cat', 'dmesg', 'echo', 'free', 'guest', 'kstats', 'ls', 'poweroff', 'ps', 'reboot', 'uptime', 'help']


def give_up(machine):
    """Leaves the line that is being typed."""
    machine.send(INTERRUPT)
    machine.expect(r'\^C\r*\n')
    machine.wait_for_prompt()


def type_line(machine, keys):
    """Types keys and Enter, and returns what came after the line."""
    return machine.run(keys)


def test_line_can_be_edited(machina):
    assert type_line(machina, 'echo wrld' + LEFT * 3 + 'o') == 'world\n'
    assert type_line(machina, 'cho begin' + HOME + 'e') == 'begin\n'
    assert type_line(machina, 'echo twoo\x7f words gone\x17here') == 'two words here\n'
    assert type_line(machina, 'nonsense\x15echo fresh') == 'fresh\n'


def test_history_brings_lines_back(machina):
    machina.run('echo first')
    machina.run('echo second')
    assert type_line(machina, UP + UP) == 'first\n'
    assert type_line(machina, '\x12seco') == 'second\n'
    history = machina.run('history')
    assert 'echo first' in history and 'echo second' in history


def test_interrupt_gives_the_line_up(machina):
    machina.send('echo lost')
    give_up(machina)
    assert type_line(machina, 'echo kept') == 'kept\n'


def test_tab_completes_commands(machina):
    assert type_line(machina, 'upt' + TAB).startswith('up ')
    assert type_line(machina, 'ec' + TAB + 'completed') == 'completed\n'


def test_tab_completes_packages_of_guest_launch(machina):
    machina.send('guest launch linux' + TAB)
    machina.expect('guest launch linux_guest ')
    give_up(machina)


def test_tab_shows_what_is_possible(machina):
    machina.send('guest launch bad_json_' + TAB + TAB)
    for name in ['bad_json_comma', 'bad_json_empty', 'bad_json_end', 'bad_json_list']:
        machina.expect(name)
    give_up(machina)


def test_help_lists_the_commands(machina):
    text = machina.run('help')
    for command in COMMANDS:
        assert re.search(rf'^ +{command} +\S', text, re.MULTILINE), command


@pytest.mark.parametrize('command', ['guest launch', 'guest stop', 'kstats'])
def test_command_explains_itself(machina, command):
    text = machina.run(f'{command} --help')
    assert 'usage' in text and '(guest: exit' not in text


def test_unknown_command_is_named(machina):
    text = machina.run('gest list')
    assert 'gest: no such command; try help\n' in text
    assert 'exit status' in text


@pytest.mark.parametrize('line, column', [('echo "open', 6), ("echo 'open", 6)])
def test_malformed_line_is_refused_with_its_column(machina, line, column):
    assert machina.run(line).startswith(f'column {column}: ')


@pytest.mark.parametrize('command, expected', [
    ('guest', 'usage:'),
    ('guest frobnicate', 'usage:'),
    ('guest launch', 'name a package; guest packages lists them'),
    ('guest launch linux_guest --colour red', '--colour'),
    ('guest launch linux_guest extra', 'extra'),
    ('guest stop', 'name a guest by its id'),
    ('guest stop one', '"one" is not a guest\'s id; guest list shows them'),
    ('guest serial', 'name one guest by its id'),
    ('kstats', 'name at least one of -v, -c, -m, --guest ID'),
    ('kstats -v -d 0', 'delay'),
    ('kstats -n x -v', 'times'),
    ('cat /no/file', '/no/file'),
    ('ls /no/folder', '/no/folder'),
])
def test_wrong_use_says_what_is_right(machina, command, expected):
    text = machina.run(command)
    assert expected in text
    assert f'({command.split()[0]}: exit status ' in text


def test_interrupt_ends_a_command(machina):
    machina.send('kstats -c\r')
    machina.expect('idle%')
    machina.send(INTERRUPT)
    machina.wait_for_prompt(5)


# --- what the commands tell ------------------------------------------------------------------------


def test_packages_are_listed(machina):
    packages = machina.run('guest packages').split()
    assert 'linux_guest' in packages and 'tiny_guest' in packages
    assert 'bin' not in packages


def test_files_of_the_boot_image_can_be_seen(machina):
    assert 'guest.cfg' in machina.run('ls /pkg/linux_guest/data')
    config = json.loads(machina.run('cat /pkg/linux_guest/data/guest.cfg'))
    assert config['kernel'] == 'data/vmlinuz'


def test_ps_tells_of_every_process_of_a_guest(machina):
    before = machina.run('ps')
    for name in ['init', 'console', 'guest_manager', 'shell', 'ps']:
        assert re.search(rf' {name}$', before, re.MULTILINE), name
    guest = guests.launch_detached(machina, 'tiny_guest')
    header, *rows = machina.run('ps').splitlines()
    column = header.split().index('name')
    jobs = {row.split(None, column)[column]: row.split()[1] for row in rows}
    assert f'vmm {guest}' in jobs
    # Only this guest's: another test may have left one.
    names = [row.split(None, column)[column] for row in rows if row.split()[1] == jobs[f'vmm {guest}']]
    assert sum(name.startswith('virtio-') for name in names) == 2  # console, rng
    machina.run(f'guest stop -f {guest}')
    assert guests.wait_until(machina, lambda: len(machina.run('ps').splitlines()) == len(before.splitlines()))


def test_free_adds_up_and_sees_guest_memory(architecture, machina):
    def amounts():
        rows = re.findall(r'^ *(\w[\w ]*?)  +.* (\d+) KiB$', machina.run('free'), re.MULTILINE)
        return {name: int(kib) for name, kib in rows}

    before = amounts()
    assert before['total'] == before['free'] + before['used']
    assert 3 << 20 < before['total'] <= 4 << 20  # the machine has 4 GiB
    assert before['used'] < 16 << 10
    # Eight MiB that the guest touches, and not the rest of its memory.
    guest = guests.launch_detached(machina, 'tiny_guest', '--memory 1G --cmdline "touch 2048"')
    guests.wait_until(machina, lambda: guests.sample(machina, f'--guest {guest}')['vcpus'][0][architecture.halt_column])
    during = amounts()
    machina.run(f'guest stop -f {guest}')
    assert 8 << 10 <= during['used'] - before['used'] < 24 << 10


def test_dmesg_has_the_start_and_the_guests(machina):
    guest = guests.launch_detached(machina, 'tiny_guest', '--cmdline poweroff')
    guests.wait_until(machina, lambda: guests.list_guests(machina)[guest]['state'] == 'ended')
    text = machina.run('dmesg')
    assert re.match(r'\[ *\d+\.\d+\] ', text)
    assert f'guest {guest}: tiny_guest is running' in text
    assert f'guest {guest}: tiny_guest ended: powered off' in text


def test_uptime_runs_with_the_clock(machina):
    def up():
        return guests.seconds_of(re.fullmatch(r'up (\S+)\n', machina.run('uptime'))[1])

    clock = HostClock()
    first = clock.look(up)
    machina.pause(3)
    elapsed = clock.look(up) - first
    least, most = clock.between(0, 1)
    assert least - 1 <= elapsed <= most + 1  # whole seconds


def test_scheduling_counters_per_cpu(machina):
    rows = guests.sample(machina, '-c')['cpus']
    assert [row['cpu'] for row in rows] == list(range(machina.cpu_count))
    for row in (rows[cpu] for cpu in guests.cpus_in_use(machina)):
        assert row['context_switches'] > 0 and row['idle_time_ns'] > 0 and row['syscalls'] > 0
    header, *lines = machina.run('kstats -c -n 1').splitlines()
    assert header.split() == ['cpu', 'idle%', 'switches', 'preempts', 'migrations', 'ints', 'timer', 'ipis', 'syscalls']
    assert len(lines) == machina.cpu_count


@pytest.mark.gic
def test_machine_switches_off_and_starts_again(boot_machina):
    machine = boot_machina()
    machine.send('poweroff\r')
    assert machine.wait_for_end() == 0
    machine = boot_machina()
    machine.send('reboot\r')  # QEMU runs with -no-reboot
    assert machine.wait_for_end() == 0


def test_product_image_boots_by_itself(boot_machina):
    machine = boot_machina(images=None)
    assert machine.run('guest packages').split() == ['linux_guest', 'zircon_guest']
