"""Device processes that break their protocol with the VMM: the guest is refused or goes on without the device, and nobody else
notices. The boot image has tests/system/programs/hostile_device.c in the place of virtio-rng."""

import shutil
import subprocess

import pytest

from harness import guests
from harness.guests import LinuxGuest
from harness.machine import Machina
from harness.paths import TOP

# As in hostile_device.c, which finds its act in the guest's memory.
REFUSED = {1: 'virtio-rng: PEER_CLOSED', 2: 'virtio-rng: IO_DATA_INTEGRITY', 3: 'virtio-rng: OUT_OF_RANGE',
           4: 'virtio-rng: IO_DATA_INTEGRITY'}
LOST = {5: 'its process sent nonsense', 6: 'its process sent nonsense', 7: 'its process sent nonsense',
        8: 'its process sent a configuration of another size'}
FLOOD, BAD_READY, LATE_FLOOD = 9, 10, 11


def memory_of(act, base=64):
    return f'--memory {base + 2 * act}M'


@pytest.fixture(scope='module')
def machine(request, images, tmp_path_factory):
    build = TOP / 'build' / request.config.architecture.name
    folder = tmp_path_factory.mktemp('image')
    shutil.copytree(build / 'bin', folder / 'bin')
    shutil.copy(build / 'test/bin/hostile_device', folder / 'bin/virtio-rng')
    shutil.copy(build / 'machina.bin', folder / 'machina.bin')
    subprocess.run([TOP / 'build/host/mkzbi', 'create', '-o', folder / 'machina.zbi', '--dir', f'bin={folder}/bin',
                    *(word for name in ('tiny_guest', 'fast_guest')
                      for word in ('--dir', f'pkg/{name}={images}/packages/{name}'))], check=True)
    booted = Machina(request.config, request.config.log_folder / 'hostile-devices.log', images=folder)
    booted.wait_for_prompt()
    yield booted
    booted.close()


@pytest.fixture(autouse=True)
def console(request, machine):
    request.node.machines = [(machine, machine.log_size())]


def works_on(machine, architecture, guest):
    """Whether the guest gets on with its endless work."""
    _, column = architecture.steady_work

    def work_done():
        return guests.sample(machine, f'--guest {guest}')['vcpus'][0][column]

    first = work_done()
    return guests.wait_until(machine, lambda: work_done() > first)


def launch_working(machine, architecture, act):
    work, _ = architecture.steady_work
    return guests.launch_detached(machine, 'tiny_guest', f'--cmdline "{work} 4000000000" {memory_of(act)}')


@pytest.mark.parametrize('act', REFUSED)
def test_device_that_does_not_describe_itself_is_why_the_guest_is_refused(machine, act):
    output = machine.run(f'guest launch -d tiny_guest {memory_of(act)}')
    assert REFUSED[act] in ' '.join(output.split())
    assert guests.list_guests(machine) == {}


@pytest.mark.parametrize('act', LOST)
def test_guest_goes_on_without_a_device_that_sends_nonsense(machine, architecture, act):
    said = f'(device 1): {LOST[act]}; the guest goes on without it'
    before = machine.run('dmesg').count(said)
    guest = launch_working(machine, architecture, act)
    guests.wait_until(machine, lambda: machine.run('dmesg').count(said) == before + 1)
    assert works_on(machine, architecture, guest)
    machine.run(f'guest stop -f {guest}')


def test_guest_goes_on_beside_a_device_that_floods_its_vmm(machine, architecture):
    guest = launch_working(machine, architecture, FLOOD)
    assert works_on(machine, architecture, guest)
    assert machine.run(f'guest stop -f {guest}') == f'guest {guest} ended: killed\n'


# The one that floods does not answer when the VMM resets it, and is given up then.
@pytest.mark.parametrize('act, said', [(BAD_READY, ''), (LATE_FLOOD, 'its process does not answer')])
def test_linux_comes_up_beside_a_device_that_turns_hostile(machine, act, said):
    linux = LinuxGuest(machine, 'fast_guest', memory_of(act, 128))
    assert linux.lost_devices() == ['0x0004']
    assert linux.run('dd if=/dev/vda bs=4k count=1 iflag=direct 2>/dev/null | wc -c') == '4096\n'
    linux.detach()
    assert guests.list_guests(machine)[linux.id]['state'] == 'running'
    assert said in machine.run('dmesg')
    machine.run(f'guest stop -f {linux.id}')
