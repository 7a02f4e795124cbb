"""A guest's life as a user sees it: launch, type, detach, attach, list, stop."""

import re

import pytest

from harness import guests
from harness.clock import HostClock
from harness.guests import LinuxGuest


@pytest.mark.gic
def test_launch_reaches_a_shell_that_can_be_typed_into(machina):
    linux = LinuxGuest(machina)
    assert linux.run('echo $((6 * 7))') == '42\n'
    # Cursor keys, control characters and a long line go through as they are.
    assert linux.run("printf 'a\\tb' | xxd -p") == '610962\n'
    assert linux.run('echo ' + 'x' * 1500) == 'x' * 1500 + '\n'
    assert linux.try_run('false')[0] == 1
    machina.send('sleep 1000\r')
    machina.expect('sleep 1000\r')
    machina.pause(0.5)
    machina.send('\x03')  # to the guest, not to Machina's shell
    machina.expect(r'\^C\s*\$ |\$ \^C')  # before the next prompt or behind it, as the guest's threads take turns
    assert linux.run('echo alive') == 'alive\n'
    machina.send('\x1d\x1d\x15')  # Ctrl-] twice is one for the guest, which then drops the line
    assert linux.run('echo still here') == 'still here\n'
    machina.send('poweroff\r')
    assert linux.wait_end() == 'powered off'


@pytest.mark.gic
def test_guest_runs_on_while_detached(architecture, machina):
    def halts():
        return guests.sample(machina, f'--guest {linux.id}')['vcpus'][0][architecture.halt_column]

    linux = LinuxGuest(machina, 'fast_guest')
    linux.run('(while :; do i=$((i + 1)); echo $i >/tmp/count; sleep 0.1; done &)')
    first = int(linux.run('cat /tmp/count'))
    linux.detach()
    assert guests.list_guests(machina)[linux.id]['state'] == 'running'
    # It sleeps again and again.
    before = halts()
    guests.wait_until(machina, lambda: halts() >= before + 30)
    linux.attach()
    assert int(linux.run('cat /tmp/count')) > first
    # What it says while nobody is attached is there for who attaches next.
    linux.run("((sleep 2; echo 'said to' nobody) &)")
    linux.detach()
    machina.pause(4)
    machina.send(f'guest serial {linux.id}\r')
    machina.expect('said to nobody')
    linux.detach()
    linux.attach('console')
    assert linux.run('tty') == '/dev/hvc0\n'
    linux.detach()
    linux.attach()
    assert linux.run('tty') == f'/dev/{architecture.serial}\n'
    linux.detach()
    assert machina.run(f'guest stop {linux.id}') == f'guest {linux.id} ended: powered off\n'


def test_list_shows_what_a_guest_is(machina):
    clock = HostClock()
    guest = clock.look(lambda: guests.launch_detached(machina, 'tiny_guest', '--cpus 3 --memory 96M'))
    machina.pause(2)
    row = clock.look(lambda: guests.list_guests(machina)[guest])
    assert (row['package'], row['state'], row['vcpus'], row['memory']) == ('tiny_guest', 'running', '3', '96 MiB')
    least, most = clock.between(0, 1)
    assert int(least) <= guests.seconds_of(row['uptime']) <= most
    assert row['reason'] is None
    machina.run(f'guest stop -f {guest}')
    row = guests.list_guests(machina)[guest]
    assert (row['state'], row['reason']) == ('ended', 'killed')
    machina.pause(2)
    assert guests.list_guests(machina)[guest]['uptime'] == row['uptime']


def test_overrides_reach_the_guest(architecture, machina):
    linux = LinuxGuest(machina, 'fast_guest',
                       f'--cpus 2 --memory 320M --cmdline "console={architecture.serial} quiet root=/dev/vda rw one=1"'
                       ' --cmdline-add two=2 --cmdline-add "three=3 four" --block memory:3M --block data/pattern.img,ro')
    assert linux.run('cat /proc/cmdline') == \
        f'console={architecture.serial} quiet root=/dev/vda rw one=1 two=2 three=3 four\n'
    assert linux.run('nproc') == '2\n'
    kib = int(re.search(r'MemTotal: +(\d+) kB', linux.run('cat /proc/meminfo'))[1])
    assert 256 << 10 < kib <= 320 << 10
    # Behind the package's four disks.
    assert linux.run('cat /sys/block/vde/size /sys/block/vdf/size /sys/block/vdf/ro') == '6144\n2048\n1\n'
    machina.send('poweroff\r')
    assert linux.wait_end() == 'powered off'
    assert guests.list_guests(machina)[linux.id]['vcpus'] == '2'
    assert guests.list_guests(machina)[linux.id]['memory'] == '320 MiB'


@pytest.mark.gic
def test_stop_presses_the_power_button(machina):
    linux = LinuxGuest(machina)
    linux.detach()
    assert machina.run(f'guest stop {linux.id}') == f'guest {linux.id} ended: powered off\n'
    row = guests.list_guests(machina)[linux.id]
    assert (row['state'], row['reason']) == ('ended', 'powered off')
    for command in ['guest serial', 'guest console', 'guest stop', 'guest stop -f']:
        assert f'guest {linux.id} has ended: powered off' in machina.run(f'{command} {linux.id}')


def test_forced_stop_kills(machina):
    guest = guests.launch_detached(machina, 'tiny_guest', '--cmdline spin --cpus 2')
    assert machina.run(f'guest stop -f {guest}') == f'guest {guest} ended: killed\n'


@pytest.mark.gic
def test_guest_that_reboots_starts_again(machina):
    linux = LinuxGuest(machina, 'fast_guest')
    linux.run('touch /root/before')
    machina.send('reboot\r')
    linux.wait_ready()  # the terminal stays attached
    assert linux.try_run('ls /root/before')[0] != 0  # the root disk is volatile
    linux.detach()
    assert guests.list_guests(machina)[linux.id]['state'] == 'running'
    assert machina.run(f'guest stop {linux.id}') == f'guest {linux.id} ended: powered off\n'


def test_attached_terminal_learns_of_the_end(machina):
    """Whether the guest ends before, while or after the terminal is attached."""
    for _ in range(60):
        told = machina.run('guest launch tiny_guest --cmdline poweroff')
        assert re.search(r'^\[guest \d+ ended: powered off\]\n\Z', told, re.MULTILINE), told


@pytest.mark.gic
def test_several_guests_run_side_by_side(machina):
    before = set(guests.list_guests(machina))
    linux = [LinuxGuest(machina, 'fast_guest', f'--cmdline-add number={number}') for number in range(1)]
    linux[0].detach()
    linux.append(LinuxGuest(machina, 'linux_guest', '--cmdline-add number=1 --cpus 2'))
    linux[1].detach()
    tiny = [guests.launch_detached(machina, 'tiny_guest') for _ in range(4)]
    listed = guests.list_guests(machina)
    assert all(listed[guest]['state'] == 'running' for guest in [*tiny, linux[0].id, linux[1].id])
    assert len(set(listed) - before) == 6
    for number, guest in enumerate(linux):
        guest.attach()
        assert f'number={number}' in guest.run('cat /proc/cmdline')
        guest.run(f'echo {number} >/root/mine')
        guest.detach()
    # One ends; the others do not notice.
    machina.run(f'guest stop -f {tiny[0]}')
    for number, guest in enumerate(linux):
        guest.attach()
        assert guest.run('cat /root/mine') == f'{number}\n'
        guest.detach()
    for guest in [*tiny[1:], linux[0].id, linux[1].id]:
        machina.run(f'guest stop -f {guest}')
    listed = guests.list_guests(machina)
    assert all(listed[guest]['state'] == 'ended' for guest in [*tiny, linux[0].id, linux[1].id])


@pytest.mark.of_architecture('package, command, expected', 'kernel_kinds')
def test_each_kind_of_kernel_is_started(machina, package, command, expected):
    linux = LinuxGuest(machina, package)
    assert re.fullmatch(expected, linux.run(command))
    linux.detach()
    machina.run(f'guest stop -f {linux.id}')
