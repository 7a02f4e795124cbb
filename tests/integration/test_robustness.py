"""Guests and processes that fail: only they do, and the list says why. A soak that finds everything back."""

import re

import pytest

from harness import guests
from harness.guests import LinuxGuest

SOAK_COUNT = 50
WARM_UP_COUNT = 20  # more than the manager keeps of guests that ended


@pytest.fixture
def neighbour(architecture, machina):
    """A guest that must not notice what happens to the others; it counts loops of its own."""
    work, column = architecture.steady_work
    guest = guests.launch_detached(machina, 'tiny_guest', f'--cmdline "{work} 4000000000"')

    def work_done():
        return guests.sample(machina, f'--guest {guest}')['vcpus'][0][column]

    first = work_done()
    yield guest
    assert guests.list_guests(machina)[guest]['state'] == 'running'
    guests.wait_until(machina, lambda: work_done() > first)
    machina.run(f'guest stop -f {guest}')


def end_of(machine, guest):
    row = guests.wait_until(machine, lambda: (lambda row: row['state'] == 'ended' and row)(guests.list_guests(machine)[guest]))
    return row['reason']


def process_ids(machine, name):
    """The ids of the processes with a name, the youngest last."""
    return [int(line.split(None, 1)[0]) for line in machine.run('ps').splitlines()[1:] if re.search(rf' {name}( \d+)?$', line)]


@pytest.mark.of_architecture('work, reason', 'ends')
def test_guest_ends_by_itself_with_its_reason(machina, neighbour, work, reason):
    guest = guests.launch_detached(machina, 'tiny_guest', f'--cmdline {work}')
    told = end_of(machina, guest)
    assert re.search(reason, told), told
    assert f'guest {guest}: tiny_guest ended: {told}' in machina.run('dmesg')


def test_guest_that_resets_at_once_is_not_started_forever(machina, neighbour):
    guest = guests.launch_detached(machina, 'tiny_guest', '--cmdline reset')
    assert end_of(machina, guest).startswith('rebooted')


def test_access_to_nothing_does_no_harm(machina, neighbour):
    machina.send('guest launch tiny_guest --cmdline "unmapped 200"\r')
    machina.expect('tiny: done unmapped 200')
    machina.send('\x1dd')
    machina.wait_for_prompt()


def wait_for_devices(linux):
    """Waits until a detached guest has all its devices up and leaves them alone.

    A driver waits for its device without an end while it sets it up, and the console's while it writes, with interrupts off. The
    late drivers are up when there is a shell on the virtio console, and that has written its prompt when it sleeps again.
    """
    linux.attach('console')
    shell = linux.run('echo $$').strip()
    linux.detach()
    linux.attach()
    linux.run(f'until grep -q "^State:.*sleeping" /proc/{shell}/status; do sleep 0.1; done')
    linux.detach()


@pytest.fixture
def linux(machina):
    guest = LinuxGuest(machina, 'fast_guest')
    guest.detach()
    wait_for_devices(guest)
    yield guest
    guests.kill(machina, guest.id)


def test_death_of_a_vmm_is_the_end_of_its_guest_alone(machina, neighbour, linux):
    vmm, = process_ids(machina, f'vmm {linux.id}')
    count = len(machina.run('ps').splitlines())
    assert machina.run(f'kill {vmm}') == ''
    assert 'VMM' in end_of(machina, linux.id)
    # Its device processes went with it: one for each of four disks, console and rng.
    assert guests.wait_until(machina, lambda: len(machina.run('ps').splitlines()) == count - 7)


# The device, its virtio number, and commands that succeed if the others work: disks, random numbers.
@pytest.mark.parametrize('device, number, disks, has_rng', [
    ('virtio-rng', '0x0004', 'abcd', False),
    ('virtio-console', '0x0003', 'abcd', True),
    ('virtio-block', '0x0002', 'abc', True),
])
def test_death_of_a_device_process_is_the_loss_of_the_device(machina, neighbour, linux, device, number, disks, has_rng):
    victim = process_ids(machina, device)[-1]
    assert machina.run(f'kill {victim}') == ''
    linux.attach()
    assert linux.lost_devices() == [number]
    for disk in disks:
        assert linux.run(f'dd if=/dev/vd{disk} bs=4k count=1 iflag=direct 2>/dev/null | wc -c') == '4096\n'
    # Linux waits for a console's output with interrupts off, so nothing here writes to one that is dead.
    if has_rng:
        assert linux.run('head -c 16 /dev/hwrng | wc -c') == '16\n'
    else:
        linux.run('(head -c 16 /dev/hwrng >/dev/null &)')
    linux.detach()
    assert guests.list_guests(machina)[linux.id]['state'] == 'running'
    assert machina.run(f'guest stop -f {linux.id}') == f'guest {linux.id} ended: killed\n'


def test_kill_says_what_is_wrong(machina):
    assert 'kill: name a process by its id; ps shows them\n' in machina.run('kill')
    assert 'kill: "x" is not a process\'s id; ps shows them\n' in machina.run('kill x')
    assert 'kill: there is no process 999999999; ps shows them\n' in machina.run('kill 999999999')


def test_guests_leave_nothing_behind(machina):
    """Each is stopped at another point of its start."""
    for _ in range(WARM_UP_COUNT):
        guests.kill(machina, guests.launch_detached(machina, 'tiny_guest'))
    guests.kill(machina, guests.launch_detached(machina, 'fast_guest', '--cpus 4'))
    before = guests.settled_resources(machina)
    free = guests.sample(machina, '-m')['memory']['free_bytes']
    for number in range(SOAK_COUNT):
        package, options = ('fast_guest', '--cpus 4') if number % 5 == 0 else ('tiny_guest', f'--cpus {1 + number % 4}')
        guest = guests.launch_detached(machina, package, options)
        machina.pause(number % 7 * 0.1)
        assert machina.run(f'guest stop -f {guest}') == f'guest {guest} ended: killed\n'
    guests.wait_resources_return(machina, before)
    # Page tables and slabs may stay, for all guests together less than one guest's start takes.
    assert free - guests.sample(machina, '-m')['memory']['free_bytes'] < 2 << 20
