"""Random numbers, clocks and vCPUs as a guest sees them."""

import datetime
import re

import pytest

from harness import guests
from harness.clock import HostClock
from harness.guests import LinuxGuest

BASE = '2031-02-03T04:05:06'


@pytest.fixture
def linux(shared_linux):
    return shared_linux


def found_in_log(linux, pattern):
    """The lines of a guest's log, levels included, with a pattern; the whole log takes long to print."""
    assert int(linux.run('dmesg -r | wc -l')) > 50
    return linux.try_run(f"dmesg -r | grep -E '{pattern}'")[1].splitlines()


def test_random_numbers_come_from_the_device(linux):
    # The module is loaded behind the prompt's back.
    linux.run('while [ ! -e /dev/hwrng ]; do sleep 0.1; done')
    assert linux.run('cat /sys/class/misc/hw_random/rng_current').startswith('virtio_rng.')
    first, second = (linux.run('head -c 4096 /dev/hwrng | xxd -p') for _ in range(2))
    data = bytes.fromhex(first.replace('\n', ''))
    assert len(data) == 4096 and first != second
    # Each value is there about 16 times; a hundred times would be no accident.
    assert max(data.count(value) for value in range(256)) < 64


def test_guest_without_devices_has_none(machina):
    linux = LinuxGuest(machina, 'fast_guest', '--rng false --console false')
    # The ids of virtio devices: 2 is a disk, 3 a console, 4 a source of random numbers.
    devices = linux.run('cat /sys/bus/virtio/devices/*/device').split()
    assert devices == ['0x0002'] * 4
    linux.detach()
    assert f'guest {linux.id} has no virtio console' in machina.run(f'guest console {linux.id}')
    machina.run(f'guest stop -f {linux.id}')


def test_guest_has_the_machines_time(architecture, boot_machina):
    base = datetime.datetime.fromisoformat(BASE).replace(tzinfo=datetime.timezone.utc).timestamp()
    clock = HostClock()
    machine = clock.look(lambda: boot_machina(qemu_options=['-rtc', f'base={BASE}']))
    linux = LinuxGuest(machine, 'fast_guest', '--cpus 2')
    commands = {'uptime': 'cut -d " " -f 1 /proc/uptime', 'date': 'date +%s', 'chip': 'cat /sys/class/rtc/rtc0/since_epoch'}

    def read(name):
        return float(clock.look(lambda: linux.run(commands[name])))

    early = {name: read(name) for name in commands}
    for look, name in [(2, 'date'), (3, 'chip')]:
        least, most = clock.between(0, look)
        # Machine, guest's start and reading each leave out part of a second.
        assert base + least - 3 <= early[name] <= base + most + 1, name
    clock.look(lambda: linux.run('sleep 5'))
    late = {name: read(name) for name in commands}
    # Seconds of the guest are seconds of the machine, on each of its clocks.
    for look, (name, unit) in enumerate([('uptime', 0.01), ('date', 1), ('chip', 1)], start=1):
        least, most = clock.between(look, look + 4)
        assert least - unit - 0.05 <= late[name] - early[name] <= most + unit + 0.05, name
    assert late['uptime'] - early['uptime'] >= 5
    # No clock source was given up as unstable.
    assert found_in_log(linux, 'unstable') == []
    assert re.search(architecture.clock_source, linux.run('cat /sys/devices/system/clocksource/clocksource0/current_clocksource'))


@pytest.mark.gic
def test_four_vcpus_come_up(machina):
    linux = LinuxGuest(machina, 'fast_guest', '--cpus 4')
    assert linux.run('nproc') == '4\n'
    assert linux.run('cat /sys/devices/system/cpu/online') == '0-3\n'
    for cpu in range(4):
        assert linux.run(f'taskset {1 << cpu:x} sh -c "cut -d \' \' -f 39 /proc/self/stat"') == f'{cpu}\n'
    assert found_in_log(linux, 'stall|soft lockup|not responding') == []
    linux.detach()
    vcpus = guests.sample(machina, f'--guest {linux.id}')['vcpus']
    assert [row['vcpu'] for row in vcpus] == [0, 1, 2, 3]
    assert all(row['vm_entry'] > 100 for row in vcpus)
    assert machina.run(f'guest stop {linux.id}') == f'guest {linux.id} ended: powered off\n'


@pytest.mark.gic
@pytest.mark.parametrize('cpus', [1, 8])
def test_host_of_any_size_runs_guests(boot_machina, cpus):
    machine = boot_machina(cpus=cpus)
    assert len(guests.sample(machine, '-c')['cpus']) == cpus
    linux = LinuxGuest(machine, 'fast_guest', '--cpus 2')
    assert linux.run('nproc') == '2\n'
    machine.send('poweroff\r')
    assert linux.wait_end() == 'powered off'


def cpu_times(machine):
    """The milliseconds of CPU time of every process by its name."""
    header, *rows = machine.run('ps').splitlines()
    column = header.split().index('cpu_ms')
    return {row.split(None, column + 1)[column + 1]: int(row.split()[column]) for row in rows}


def test_two_guests_with_four_vcpus_share_the_cpus_fairly(boot_machina):
    machina = boot_machina(cpus=3)
    cpu_count = len(guests.cpus_in_use(machina))
    count = '(for i in 1 2 3 4; do while :; do n=$((n + 1)); echo $n >/tmp/n$i; done & done)'
    linux = []
    for _ in range(2):
        linux.append(LinuxGuest(machina, 'fast_guest', '--cpus 4'))
        linux[-1].run(count)
        linux[-1].detach()

    def progress(guest):
        guest.attach()
        numbers = [int(word) for word in guest.run('cat /tmp/n1 /tmp/n2 /tmp/n3 /tmp/n4').split()]
        guest.detach()
        return numbers

    before, early = [progress(guest) for guest in linux], cpu_times(machina)
    machina.pause(10)
    late, after = cpu_times(machina), [progress(guest) for guest in linux]
    for first, second in zip(before, after):
        assert all(b > a for a, b in zip(first, second)), (first, second)  # every vCPU gets on
    spent = [late[f'vmm {guest.id}'] - early[f'vmm {guest.id}'] for guest in linux]
    assert min(spent) > 0.75 * max(spent), spent
    assert sum(spent) > 0.8 * cpu_count * 10000, spent  # all CPUs were in use all the time
    for guest in linux:
        machina.run(f'guest stop -f {guest.id}')


@pytest.mark.gic
def test_kernel_finds_nothing_wrong_with_its_cpus(architecture, linux):
    # Level 4 is a warning.
    warnings = found_in_log(linux, '^<[0-4]>')
    assert [line for line in warnings if not re.search(architecture.harmless_warnings, line)] == []
    for command in architecture.cpu_checks:
        linux.run(command)


@pytest.mark.gic
def test_disk_interrupts_by_messages(architecture, linux):
    assert re.search(architecture.message_interrupts, linux.run('cat /proc/interrupts'))
    assert linux.run('dd if=/dev/vdb bs=64k 2>/dev/null | wc -c') == '1048576\n'


@pytest.mark.gic
@pytest.mark.of_architecture('cmdline, interrupts', 'pin_interrupts')
def test_disk_interrupts_by_the_pci_pin(machina, cmdline, interrupts):
    linux = LinuxGuest(machina, 'fast_guest', f'--cmdline-add "{cmdline}"')
    assert linux.run('head -c 16 /dev/vdb') == 'sector 00000000\n'
    assert re.search(interrupts, linux.run('cat /proc/interrupts'))
    machina.send('poweroff\r')
    assert linux.wait_end() == 'powered off'
