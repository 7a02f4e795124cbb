"""Machina started by a boot loader, not by QEMU: GRUB, from an optical disk, by Multiboot."""

import shutil
import subprocess

import pexpect
import pytest

from harness.console import start_console
from harness.paths import TOP
from harness.qmp import Qmp

CONFIG = """
set timeout=0
serial --unit=0
insmod all_video
menuentry Machina {
    multiboot /boot/machina.bin
    module /boot/machina.zbi
}
"""


pytestmark = pytest.mark.only('x64')


def make_grub_disk(tmp_path, kernel):
    build = TOP / 'build/x64'
    tree = tmp_path / 'tree'
    (tree / 'boot/grub').mkdir(parents=True)
    (tree / 'boot/grub/grub.cfg').write_text(CONFIG)
    shutil.copy(build / kernel, tree / 'boot/machina.bin')
    # No guest packages: GRUB reads an emulated disk slowly.
    subprocess.run([TOP / 'build/host/mkzbi', 'create', '-o', tree / 'boot/machina.zbi', '--dir', f'bin={build}/bin'],
                   check=True)
    disk = tmp_path / 'disk.iso'
    subprocess.run(['grub-mkrescue', '-o', disk, tree], check=True, capture_output=True)
    return disk


@pytest.fixture
def grub_disk(tmp_path):
    return make_grub_disk(tmp_path, 'machina.bin')


def test_grub_boots_machina_to_its_shell(grub_disk, request):
    log_path = request.config.log_folder / 'grub.log'
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with open(log_path, 'w', encoding='utf-8') as log:
        console = start_console(
            'qemu-system-x86_64',
            ['-machine', 'q35', '-cpu', 'max,+svm,+npt,-la57', '-m', '1G', '-smp', '2', '-nographic', '-vga', 'none',
             '-nic', 'none', '-no-reboot', '-boot', 'd', '-cdrom', grub_disk],
            90, log)
        try:
            console.expect_exact('machina$ ')
            console.send('ls bin\r')
            console.expect('kstats')
            console.send('poweroff\r')
            console.expect(pexpect.EOF)
        finally:
            console.close(force=True)


# Without QEMU's PS/2 keyboard, which would take the keys as well.
KEYBOARDS = {'usb': (['-device', 'qemu-xhci', '-device', 'usb-kbd'], 'is a keyboard'),
             'virtio': (['-device', 'virtio-keyboard-pci'], 'virtio keyboard .*: in use')}


@pytest.mark.parametrize('kind', KEYBOARDS)
def test_grub_leaves_a_screen_on_which_a_keyboard_types(request, tmp_path, kind):
    devices, in_use = KEYBOARDS[kind]
    log_path = request.config.log_folder / f'grub-{kind}.log'
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with open(log_path, 'w', encoding='utf-8') as log:
        console = start_console(
            'qemu-system-x86_64',
            ['-machine', 'q35,i8042=off', '-cpu', 'max,+svm,+npt,-la57', '-m', '1G', '-smp', '2', '-nographic', '-vga', 'std',
             '-nic', 'none', '-no-reboot', '-boot', 'd', '-cdrom', make_grub_disk(tmp_path, 'machina-video.bin'), *devices,
             *Qmp.options(tmp_path / 'qmp')],
            90, log)
        try:
            console.expect_exact('machina$ ')
            console.send('dmesg -f\r')
            console.expect(in_use, timeout=30)
            qmp = Qmp(tmp_path / 'qmp')
            # The shell on the screen, not the one on the serial port.
            qmp.type(*'poweroff')
            qmp.press('ret')
            console.expect(pexpect.EOF)
            qmp.close()
        finally:
            console.close(force=True)
