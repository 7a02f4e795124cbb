"""The package linux_guest by itself, in plain QEMU: what fails here is no fault of Machina's.

The package is built as a user builds it; Debian's packages that it is made from stay in build/debian.
"""

import json
import re
import shutil
import subprocess

import pexpect
import pytest

from harness.console import start_console
from harness.paths import TOP

BOOT_TIMEOUT_SECONDS = 120
PROMPT = r'(?m)^\$ '
QEMU = {
    'x64': ['qemu-system-x86_64', '-machine', 'q35', '-cpu', 'max', '-vga', 'none'],
    'arm64': ['qemu-system-aarch64', '-machine', 'virt,gic-version=3', '-cpu', 'max,pauth-impdef=on'],
}


@pytest.fixture(scope='module')
def arch(request):
    return request.config.architecture.name


@pytest.fixture(scope='module')
def package(arch, tmp_path_factory):
    folder = tmp_path_factory.mktemp('packages') / 'linux_guest'
    done = subprocess.run([TOP / 'packages/linux_guest/build', arch, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def boot(arch, package):
    """A function that starts the package in QEMU and returns its console, at the prompt unless told otherwise."""
    consoles = []

    def start(*options, disk='', wait=True):
        config = json.loads((package / 'data/guest.cfg').read_text())
        program, *command = QEMU[arch]
        command += ['-m', '256', '-nographic', '-nic', 'none', '-no-reboot', '-kernel', str(package / config['kernel']),
                    '-initrd', str(package / config['ramdisk']), '-append', config['cmdline'], '-snapshot', *options]
        if disk is not None:
            image = package / config['block'].split(',')[0]
            command += ['-drive', f'file={image},format=raw,if=virtio{disk}']
        console = start_console(program, command, BOOT_TIMEOUT_SECONDS)
        consoles.append(console)
        if wait:
            console.expect_exact('linux_guest: user space')
            console.expect_exact('linux_guest: ready')
            assert 'user space' not in console.before
            console.expect(PROMPT)
        return console

    yield start
    for console in consoles:
        console.close(force=True)


def run(console, command):
    console.send(command + '\n')
    console.expect(PROMPT)
    return console.before.replace('\r', '').partition('\n')[2]


def test_shell_has_its_tools_and_a_writable_root(boot):
    console = boot('-device', 'virtio-rng-pci')
    assert run(console, 'echo $((20 + 22)) >/root/x; cat /root/x') == '42\n'
    assert run(console, 'dd if=/dev/vda bs=8 skip=135 count=1 2>/dev/null | xxd -p | cut -c 1-4') == '53ef\n'
    assert re.search(r'^/dev/vda on / type ext4 \(rw', run(console, 'mount'), re.MULTILINE)
    # The driver comes with the late modules.
    assert run(console, 'while [ ! -e /dev/hwrng ]; do sleep 0.1; done; dd if=/dev/hwrng bs=16 count=1 2>/dev/null | wc -c') == '16\n'


def test_shell_that_ends_is_started_again(boot):
    console = boot()
    first = run(console, 'echo $$')
    console.send('exit\n')
    console.expect(PROMPT)
    assert run(console, 'echo $$') != first


def test_poweroff_powers_off(boot):
    console = boot()
    console.send('poweroff\n')
    console.expect_exact('reboot: Power down')
    console.expect(pexpect.EOF)


def test_reboot_resets_the_machine(boot):
    console = boot()
    console.send('reboot\n')
    console.expect_exact('reboot: Restarting system')
    console.expect(pexpect.EOF)


def test_power_button_powers_off(arch, boot):
    console = boot()
    # On arm64 the button is a pin, whose driver is in the kernel.
    if arch == 'x64':
        run(console, 'while [ ! -e /dev/input/event0 ]; do sleep 0.1; done; sleep 1')
    # The monitor shares the terminal.
    console.send('\x01c')
    console.expect_exact('(qemu)')
    console.send('system_powerdown\n')
    console.send('\x01c')
    console.expect_exact('reboot: Power down')


def test_virtio_console_has_a_shell_too(boot, tmp_path):
    socket = tmp_path / 'hvc0'
    console = boot('-device', 'virtio-serial-pci', '-chardev', f'socket,id=c,path={socket},server=on,wait=off',
                   '-device', 'virtconsole,chardev=c')
    run(console, 'while [ ! -e /dev/hvc0 ]; do sleep 0.1; done')
    other = subprocess.Popen(['/usr/bin/python3', '-c', f'''
import socket, time
link = socket.socket(socket.AF_UNIX)
link.settimeout(60)
link.connect({str(socket)!r})
text = b""
while b"tty is /dev/hvc0" not in text:
    link.send(b"echo tty is $(tty)\\n")
    time.sleep(0.5)
    text += link.recv(65536)
'''])
    assert other.wait(90) == 0


def test_root_disk_that_cannot_be_written_is_mounted_read_only(boot):
    console = boot(disk=',readonly=on')
    assert re.search(r'^/dev/vda on / type ext4 \(ro', run(console, 'mount'), re.MULTILINE)
    assert 'Read-only file system' in run(console, 'echo x >/root/x')


def test_missing_root_disk_is_told_and_ends_the_guest(boot):
    console = boot(disk=None, wait=False)
    console.expect_exact('linux_guest: no root disk: has guest.cfg a "block"?')
    console.expect(pexpect.EOF)


def debugfs(image, command):
    done = subprocess.run(['debugfs', '-w', '-R', command, image], capture_output=True, check=False)
    return done.stdout.decode(errors='replace')


def test_sysroot_is_reproducible_and_can_be_updated(arch, package, tmp_path):
    script = [TOP / 'scripts/mksysroot.sh']
    first, second = tmp_path / 'first', tmp_path / 'second'
    subprocess.run(script + ['-o', first, arch], check=True, capture_output=True)
    assert first.read_bytes() == (package / 'data/disk.img').read_bytes()

    shutil.copy(first, second)
    debugfs(second, 'rm /bin/dash')
    debugfs(second, f'write {TOP}/Makefile /etc/kept')
    assert debugfs(second, 'stat /bin/dash') == ''
    subprocess.run(script + ['-u', '-o', second, arch], check=True, capture_output=True)
    assert debugfs(second, 'cat /bin/dash') == debugfs(first, 'cat /bin/dash') != ''
    assert debugfs(second, 'cat /etc/kept') == (TOP / 'Makefile').read_text()
