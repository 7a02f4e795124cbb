"""Wrong packages, options and ids: a clear message, a status, and nothing left behind."""

import re

import pytest

from bad_packages import EXPECTED
from harness import guests


def warm_up(machine):
    """The first refusals and guests leave the services' heaps larger, once and for all."""
    machine.run('guest launch no_such_package')
    machine.run('guest launch bad_kernel_random')
    guest = guests.launch_detached(machine, 'tiny_guest')
    machine.run(f'guest stop -f {guest}')
    machine.run('guest list')
    return machine


@pytest.fixture(scope='module')
def warm():
    """The machine that has been warmed up."""
    return {}


@pytest.fixture
def refuse(machina, warm):
    """A function that runs a command that must be refused with a message; nothing may be left of it."""
    if warm.get('machine') is not machina:
        warm['machine'] = warm_up(machina)

    def run(command, expected):
        before, listed = guests.settled_resources(machina), guests.list_guests(machina)
        output = machina.run(command)
        message, _, status = output.rstrip('\n').rpartition('\n')
        assert re.search(expected, message), output
        assert re.fullmatch(r'\(guest: exit status [1-9]\d*\)', status), output
        assert set(guests.list_guests(machina)) == set(listed)
        guests.wait_resources_return(machina, before)

    return run


@pytest.mark.parametrize('package', sorted(EXPECTED))
def test_bad_package_is_refused(refuse, package):
    refuse(f'guest launch {package}', f'^{package}: .*{EXPECTED[package]}')


@pytest.mark.parametrize('options, expected', [
    ('--cpus 0', r'--cpus: .*from 1 to 16'),
    ('--cpus 17', r'--cpus: .*from 1 to 16'),
    ('--cpus two', r'--cpus: .*from 1 to 16'),
    ('--cpus 99999999999999999999', r'--cpus: .*from 1 to 16'),
    ('--memory 0', r'--memory: .*too small.*from 1M to 1024G'),
    ('--memory 1M', r'(kernel: needs|memory: the device tree has no place).*give the guest (more|at least)'),
    ('--memory 12345', r'--memory: '),
    ('--memory 5000G', r'--memory: .*too large.*from 1M to 1024G'),
    ('--memory 100G', r'memory: 102400 MiB.* more than the host has'),
    ('--memory 4G', r'memory: 4096 MiB.* more than the host has'),
    ('--kernel data/none', r'kernel: data/none: there is no such file'),
    ('--kernel data/initrd', r'kernel: this is a cpio archive; is it the ramdisk\?'),
    ('--kernel /etc/../../x', r'--kernel: '),
    ('--ramdisk data/none', r'ramdisk: data/none: there is no such file'),
    ('--block data/none,ro', r'block: data/none: there is no such file'),
    ('--block data/vmlinuz,rw', r'block: data/vmlinuz: a file of the boot image cannot be written; use ro or volatile'),
    ('--block data/vmlinuz,wo', r'--block: '),
    ('--block memory:64Q', r'--block: '),
    ('--block memory:100', r'--block: .*multiple of 512'),
    ('--rng perhaps', r'--rng: .*true or false'),
])
def test_bad_override_is_refused(refuse, options, expected):
    refuse(f'guest launch linux_guest {options}', expected)


@pytest.mark.parametrize('name', ['no_such_package', '..', 'linux_guest/data', '/pkg/linux_guest', 'x' * 63])
def test_unknown_package_is_refused(refuse, name):
    refuse(f'guest launch {name}', r'there is no package ".*"; packages are')


@pytest.mark.parametrize('command', ['guest stop', 'guest stop -f', 'guest serial', 'guest console'])
@pytest.mark.parametrize('number', ['0', '4000000000'])
def test_unknown_guest_is_refused(refuse, command, number):
    refuse(f'{command} {number}', f'there is no guest {number}; guest list shows them')


@pytest.mark.parametrize('word', ['-1x', 'one', '99999999999', '1.5'])
def test_word_that_is_no_id_is_refused(refuse, word):
    refuse(f'guest serial {word}', 'is not a guest\'s id; guest list shows them')


def test_statistics_of_an_unknown_guest_are_refused(machina):
    text = machina.run('kstats --guest 4000000000 -n 1')
    assert 'there is no guest 4000000000' in text and '(kstats: exit status' in text
