"""The screen that UEFI firmware leaves, with a USB keyboard and a virtio one: arm64 (tests/integration/test_screen.py has a PC's)."""

import re
import shutil
import subprocess

import pytest

from harness.console import start_console
from harness.paths import TOP
from harness.qmp import Qmp
from harness.screen import Screen

FIRMWARE = '/usr/share/AAVMF'

pytestmark = [pytest.mark.only('arm64'), pytest.mark.gic]


def make_system_partition(folder):
    build = TOP / 'build/arm64'
    boot = folder / 'EFI/BOOT'
    boot.mkdir(parents=True)
    shutil.copy(build / 'loader.efi', boot / 'BOOTAA64.EFI')
    subprocess.run([TOP / 'build/host/mkzbi', 'create', '--crc', '-o', boot / 'machina.zbi', '--kernel', build / 'machina.kernel',
                    '--arch', 'arm64', '--dir', f'bin={build}/bin'], check=True)
    return folder


def qemu_arguments(config, partition, variables, qmp):
    return ['-machine', f'virt,virtualization=on,acpi=off,gic-version={config.getoption("gic")}', '-cpu', 'max,pauth-impdef=on',
            '-m', '1G', '-smp', '2', '-nographic', '-nic', 'none', '-no-reboot',
            # QEMU types on the keyboard that came last, as long as it is there.
            '-device', 'ramfb', '-device', 'virtio-keyboard-pci', '-device', 'qemu-xhci', '-device', 'usb-kbd,id=usb-keyboard',
            '-drive', f'if=pflash,format=raw,readonly=on,file={FIRMWARE}/AAVMF_CODE.fd',
            '-drive', f'if=pflash,format=raw,file={variables}',
            '-drive', f'if=none,id=esp,format=raw,readonly=on,file=fat:{partition}', '-device', 'virtio-blk-pci,drive=esp',
            *Qmp.options(qmp)]


@pytest.fixture
def machine(request, tmp_path):
    """Its serial port and its screen."""
    log_path = request.config.log_folder / 'screen-uefi.log'
    log_path.parent.mkdir(parents=True, exist_ok=True)
    variables = shutil.copy(f'{FIRMWARE}/AAVMF_VARS.fd', tmp_path / 'variables')
    partition = make_system_partition(tmp_path / 'partition')
    with open(log_path, 'w', encoding='utf-8') as log:
        arguments = qemu_arguments(request.config, partition, variables, tmp_path / 'qmp')
        serial = start_console('qemu-system-aarch64', arguments, 300, log)
        try:
            serial.expect_exact('machina$ ')
            qmp = Qmp(tmp_path / 'qmp')
            yield serial, Screen(qmp, tmp_path / 'picture.ppm', is_ps2=False)
            qmp.close()
        finally:
            serial.close(force=True)


def type_slowly(screen, text):
    for at, character in enumerate(text):
        screen.type(character)
        screen.expect(r'machina\$ ' + re.escape(text[:at + 1].rstrip()) + r'\Z')


def type_until_shown(screen):
    """A keyboard is found after the shell is up, and what is typed before that is lost."""
    for _ in range(100):
        screen.type('k')
        if re.search(r'\$ k', '\n'.join(screen.picture().lines())):
            break
    screen.chord('ctrl', 'c')
    screen.expect(r'\^C\nmachina\$\Z')


def test_screen_of_uefi_with_a_usb_and_a_virtio_keyboard(machine):
    serial, screen = machine
    text = '\n'.join(screen.expect(r'machina\$\Z').lines())
    assert text.index('hypervisor: ') < text.index('help lists the commands')
    serial.send('ps\r')
    serial.expect('xhci_driver')
    type_until_shown(screen)
    type_slowly(screen, 'echo Hello')
    screen.chord('ret')
    screen.expect(r'^Hello\nmachina\$\Z')
    screen.chord('alt', 'f2')
    screen.expect(r'^Machina\..*\nmachina\$\Z')
    screen.chord('alt', 'f1')
    screen.expect(r'^Hello\nmachina\$\Z')
    screen.qmp.remove_device('usb-keyboard')
    type_until_shown(screen)
    type_slowly(screen, 'echo Virtio')
    screen.chord('ret')
    screen.expect(r'^Virtio\nmachina\$\Z')
