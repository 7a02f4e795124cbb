"""Zircon boot images as guests: Machina in Machina, and images with a fault."""

import re

import pytest

import bad_zircon_packages
from harness import guests
from harness.machine import plain_text


class MachinaGuest:
    """A zircon_guest whose serial port the terminal is attached to, at its shell's prompt."""

    def __init__(self, machine, options=''):
        self.machine = machine
        machine.send(f'guest launch zircon_guest {options}\r')
        self.id = int(machine.expect(r'\[guest (\d+): Ctrl-\] then d detaches\]')[1])
        machine.expect(r'Machina\. help lists the commands', 60)
        machine.wait_for_prompt()

    def run(self, command):
        return self.machine.run(command)

    def power_off(self):
        """Has it switch itself off; returns the reason of its end as it is shown."""
        self.machine.send('poweroff\r')
        reason = self.machine.expect(rf'\[guest {self.id} ended: ([^\r\n]*)\]', 60)[1]
        self.machine.wait_for_prompt()
        return reason


@pytest.mark.gic
def test_machina_runs_in_machina(machina):
    inner = MachinaGuest(machina, '--cpus 2 --cmdline "machina.word=a-word-of-ours"')
    processes = inner.run('ps')
    assert re.search(r' init$', processes, re.MULTILINE) and re.search(r' shell$', processes, re.MULTILINE)
    # It is another Machina, with the guest's CPUs and memory, and without guests of its own.
    assert re.search(r'^total +6\d(\.\d)? MiB', inner.run('free'), re.MULTILINE)
    log = inner.run('dmesg')
    assert '2 CPUs' in log and re.search('hypervisor: none: ', log)
    for package in ['linux_guest', 'zircon_guest']:
        refusal = inner.run(f'guest launch {package}')
        assert re.search(rf'^{package}: this machine cannot start guests: \w+', refusal, re.MULTILINE)
    assert guests.LIST_COLUMNS == inner.run('guest list').split()
    assert inner.power_off() == 'powered off'
    row = guests.list_guests(machina)[inner.id]
    assert (row['package'], row['state'], row['memory'], row['reason']) == ('zircon_guest', 'ended', '64 MiB', 'powered off')


@pytest.mark.only('x64')
def test_inner_machine_takes_its_console_from_the_boot_items(machina):
    inner = MachinaGuest(machina)
    assert 'console: 8250 at port 0x3f8, by the boot items' in inner.run('dmesg')
    assert inner.power_off() == 'powered off'


@pytest.mark.gic
def test_clock_and_terminal_of_the_inner_machine_go_on(machina):
    """Its timer, its UART's interrupts and a detached terminal."""
    inner = MachinaGuest(machina)
    assert inner.run('echo ' + 'x' * 100) == 'x' * 100 + '\n'
    machina.send(guests.DETACH_KEYS)
    machina.expect(f'detached from guest {inner.id}')
    machina.wait_for_prompt()
    before = guests.list_guests(machina)[inner.id]
    assert before['state'] == 'running'
    machina.send(f'guest serial {inner.id}\r')
    machina.expect(rf'\[guest {inner.id}: Ctrl-\] then d detaches\]')
    machina.send('echo back a${x}gain\r')
    machina.expect(r'back a\S*gain\r*\n')
    machina.wait_for_prompt()
    # kstats counts for an interval that the inner machine's timer measures.
    assert 'cpu' in inner.run('kstats -n 1 -v')
    assert inner.power_off() == 'powered off'


def test_inner_machine_that_reboots_starts_again(machina):
    inner = MachinaGuest(machina)
    machina.pause(2)  # a guest that reboots within a second of its start is not started again
    machina.send('reboot\r')
    machina.expect(r'Machina\. help lists the commands', 60)
    machina.wait_for_prompt()
    assert 'shell' in inner.run('ps')
    assert inner.power_off() == 'powered off'


@pytest.mark.parametrize('package', bad_zircon_packages.NAMES)
def test_bad_image_is_refused(architecture, machina, package):
    expected = bad_zircon_packages.make(architecture.name)[package][2]
    listed = set(guests.list_guests(machina))
    output = plain_text(machina.run(f'guest launch {package}'))
    message, _, status = output.rstrip('\n').rpartition('\n')
    assert re.search(f'^{package}: (kernel|ramdisk|linux|zircon): ', message) and re.search(expected, message), output
    assert re.fullmatch(r'\(guest: exit status [1-9]\d*\)', status), output
    assert set(guests.list_guests(machina)) == listed


@pytest.mark.parametrize('options, expected', [
    ('--memory 1M', r'(kernel: needs \d+ bytes|memory: the device tree has no place).*give the guest'),
    ('--linux data/machina.zbi', r'linux: this is a Zircon boot image'),
    ('--zircon data/none', r'zircon: data/none: there is no such file'),
])
def test_bad_override_is_refused(machina, options, expected):
    assert re.search(expected, machina.run(f'guest launch zircon_guest {options}'))
