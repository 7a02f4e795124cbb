"""An arm64 machine that its firmware describes by ACPI alone: Machina finds CPUs, interrupts, console and disks by the tables, runs
guests, and says what is wrong with tables that make no sense."""

import shutil
import subprocess

import pexpect
import pytest

from harness.console import start_console
from harness.disk_images import disk_image, package_archive
from harness.machine import plain_text
from harness.paths import TOP

from conftest import make_tiny_guest

pytestmark = [pytest.mark.only('arm64')]

PROMPT = 'machina$ '
PACKAGE = 'disk_tiny'
CPUS = 3
# Firmware under emulation takes its time, on a loaded machine above all.
TIMEOUT_SECONDS = 240
BUILD = TOP / 'build/arm64'


def make_image(folder, loader, fault=None):
    """A disk image; with a fault, of firmware that has it."""
    files = folder / 'files'
    files.mkdir(exist_ok=True)
    shutil.copy(loader, files / 'BOOTAA64.EFI')
    if fault is not None:
        shutil.copy(loader, files / 'loader.efi')
        faulty = (BUILD / 'test/bad_acpi.efi').read_bytes()
        assert faulty.count(b'FAULT=0') == 1
        (files / 'BOOTAA64.EFI').write_bytes(faulty.replace(b'FAULT=0', b'FAULT=' + fault))
    subprocess.run([TOP / 'build/host/mkzbi', 'create', '--crc', '-o', files / 'machina.zbi', '--kernel', BUILD / 'machina.kernel',
                    '--arch', 'arm64', '--dir', f'bin={BUILD}/bin'], check=True)
    (files / 'machina.cfg').write_text('timeout 1\n')
    subprocess.run([TOP / 'scripts/mkimage', 'disk', folder / 'machina.img', files], check=True)


@pytest.fixture
def boot(request, tmp_path):
    """A function that starts QEMU with firmware, which has ACPI alone; its console."""
    consoles = []

    def start(*options, fault=None):
        folder = tmp_path / 'image'
        folder.mkdir(exist_ok=True)
        make_image(folder, BUILD / 'loader.efi', fault)
        path = request.config.log_folder / f'{request.node.name}.log'
        path.parent.mkdir(parents=True, exist_ok=True)
        log = open(path, 'w', encoding='utf-8')
        console = start_console(TOP / 'scripts/qemu',
                                ['-a', 'arm64', '-G', request.config.getoption('gic'), '-b', folder, '-m', '1G', '-s', str(CPUS),
                                 '--uefi', '--', '-no-reboot', '-machine', 'acpi=on', *options], TIMEOUT_SECONDS, log)
        consoles.append((console, log))
        return console

    yield start
    for console, log in consoles:
        console.close(force=True)
        log.close()


@pytest.fixture
def nvme(tmp_path):
    """A disk with a package, as QEMU's options."""
    make_tiny_guest('arm64', tmp_path / 'tiny_guest')
    archive = tmp_path / 'packages.archive'
    package_archive(archive, {PACKAGE: tmp_path / 'tiny_guest'})
    disk_image(tmp_path / 'disk.img', [archive])
    return ['-drive', f'file={tmp_path}/disk.img,if=none,id=nvme,format=raw', '-device', 'nvme,drive=nvme,serial=machina']


def run(console, line):
    """At the prompt; returns what was printed up to the next one."""
    console.send(line + '\r')
    # The editor draws prompt and line anew for what is typed, and ends the line when it is complete.
    console.expect_exact('\n')
    console.expect_exact(PROMPT)
    return plain_text(console.before)


def power_off(console):
    console.send('poweroff\r')
    console.expect(pexpect.EOF)


def run_guest_from_disk(console, gic):
    console.expect_exact(f'the machine is described by ACPI: {CPUS} CPUs, 1 PCI host bridges')
    assert 'not used' not in console.before
    console.expect_exact(f'{CPUS} CPUs: ')
    console.expect_exact(f'hypervisor: EL2 with VHE, GICv{gic}')
    console.expect_exact(PROMPT)
    # The disk is looked at while the shell is there already.
    assert any(PACKAGE in run(console, 'guest packages') for _ in range(100))
    assert 'tiny: begin poweroff' in run(console, f'guest launch {PACKAGE} --cmdline poweroff --cpus 2')
    power_off(console)


@pytest.mark.gic
def test_guests_run_from_a_disk_of_a_machine_with_acpi_alone(request, boot, nvme):
    """The disk's messages come by the ITS, whose numbers for it IORT tells, or by GICv2m."""
    run_guest_from_disk(boot(*nvme), request.config.getoption('gic'))


def test_the_numbers_of_a_disk_are_followed_through_an_smmu(request, boot, nvme):
    run_guest_from_disk(boot('-machine', 'iommu=smmuv3', *nvme), request.config.getoption('gic'))


def test_tables_that_make_no_sense_are_told_of(boot):
    console = boot(fault=b'1')
    console.expect('ACPI table ROOT, 0x[0-9a-f]+: not used: its checksum is wrong')
    console.expect('ACPI table APIC, 0x[0-9a-f]+: not used: a second CPU of the same MPIDR')
    console.expect_exact('ACPI table MCFG, 0x2c: not used: its address is not that of a page')
    console.expect_exact('the machine is described by ACPI: 1 CPUs, 0 PCI host bridges')
    console.expect_exact(PROMPT)
    power_off(console)


def test_a_device_tree_comes_before_acpi(request, boot, tmp_path):
    """The tree of the same machine, beside tables that make no sense."""
    files = tmp_path / 'image/files'
    files.mkdir(parents=True)
    machine = f'virt,virtualization=on,gic-version={request.config.getoption("gic")},dumpdtb={files}/machine.dtb'
    subprocess.run(['qemu-system-aarch64', '-machine', machine, '-cpu', 'max', '-smp', str(CPUS), '-m', '1G', '-nographic'],
                   check=True, capture_output=True)
    console = boot(fault=b'4')
    console.expect_exact(f'{CPUS} CPUs: ')
    assert 'ACPI' not in console.before.split('Starting machina.zbi')[1]
    console.expect_exact(PROMPT)
    power_off(console)


def test_a_machine_whose_cpus_nobody_tells_is_refused(boot):
    console = boot(fault=b'2')
    console.expect_exact('Machina cannot start: firmware gives no valid ACPI table APIC')


def test_the_loader_refuses_a_machine_that_nobody_describes(boot):
    console = boot(fault=b'3')
    console.expect_exact('describes the machine neither by a device tree nor by ACPI')
    console.expect_exact('Press a key to return to the menu.')
    console.send(' ')
    console.expect_exact('edits the command line.')
