"""arm64 CPUs that have less than the emulator's own model: no forced write-back, no pointer authentication, no VHE."""

import pytest

from harness.guests import LinuxGuest
from harness.machine import Machina

pytestmark = [pytest.mark.only('arm64'), pytest.mark.gic]


@pytest.fixture
def machine_with(request, images):
    machines = []

    def start(cpu):
        path = request.config.log_folder / f'cpu-{cpu}.log'
        machines.append(Machina(request.config, path, images=images, qemu_options=['-cpu', cpu]))
        request.node.machines = [(machines[-1], 0)]
        machines[-1].wait_for_prompt(90)
        return machines[-1]

    yield start
    for machine in machines:
        machine.close()


@pytest.mark.parametrize('cpu, name', [('neoverse-n1', 'Neoverse-N1'), ('cortex-a76', 'Cortex-A76')])
def test_linux_runs_on_a_cpu_without_forced_write_back(machine_with, cpu, name):
    machine = machine_with(cpu)
    assert name in machine.run('dmesg')
    linux = LinuxGuest(machine, 'fast_guest', '--cpus 2')
    assert linux.run('nproc') == '2\n'
    # Disks, and configuration space that is read without exits.
    assert linux.run('dd if=/dev/vdb bs=4k count=64 iflag=direct 2>/dev/null | wc -c') == '262144\n'


def test_cpu_without_vhe_comes_up_and_says_why_it_has_no_guests(machine_with):
    machine = machine_with('cortex-a72')
    assert 'VHE' in machine.run('guest launch tiny_guest')
