"""Machina started by UEFI firmware: from a disk, a stick, an optical drive and the network, by keys in the boot menu, and
with boot images that are wrong."""

import shutil
import struct
import subprocess

import pexpect
import pytest

from harness.console import start_console
from harness.disk_images import package_archive
from harness.netboot import SERVER_ADDRESS, BootNetwork, ServedFile
from harness.paths import TOP

PROMPT = 'machina$ '
PACKAGE = 'stick_guest'  # on the disk, not in its boot image
LOADERS = {'x64': 'BOOTX64.EFI', 'arm64': 'BOOTAA64.EFI'}
DOWN, UP = '\x1b[B', '\x1b[A'
# Firmware under emulation takes its time, on a loaded machine above all.
TIMEOUT_SECONDS = 240


def damage(image, offset, new):
    return image[:offset] + new + image[offset + len(new):]


def crc_item_length(image):
    """An image whose second item says that it is longer than all."""
    length = struct.unpack_from('<I', image, 36)[0]
    return damage(image, 64 + (length + 7) // 8 * 8 + 4, struct.pack('<I', 0x7ffffff0))


def make_zbi(arch, path, kernel_arch=None):
    build = TOP / 'build' / arch
    # No guest packages: firmware reads an emulated disk slowly.
    subprocess.run([TOP / 'build/host/mkzbi', 'create', '--crc', '-o', path, '--kernel', build / 'machina.kernel', '--arch',
                    kernel_arch or arch, '--dir', f'bin={build}/bin'], check=True)
    return path.read_bytes()


@pytest.fixture(scope='module')
def images(request, tmp_path_factory):
    """What `make image` makes, of a boot image without packages, and wrong ones beside it; the menu stands still at first."""
    arch = request.config.architecture.name
    work = tmp_path_factory.mktemp('images')
    folder = work / 'netboot'
    folder.mkdir()
    shutil.copy(TOP / 'build' / arch / 'loader.efi', folder / LOADERS[arch])
    good = make_zbi(arch, folder / 'machina.zbi')
    make_zbi(arch, folder / 'other.zbi', {'x64': 'arm64', 'arm64': 'x64'}[arch])
    (folder / 'short.zbi').write_bytes(good[:len(good) // 2])
    (folder / 'crc.zbi').write_bytes(damage(good, len(good) - 4096, b'damage'))
    (folder / 'lie.zbi').write_bytes(crc_item_length(good))
    (folder / 'machina.cfg').write_text('timeout 0\n' + ''.join(
        f'image {name}.zbi\n' for name in ('short', 'crc', 'lie', 'other', 'missing', 'machina')))
    package_archive(work / 'packages', {PACKAGE: TOP / 'build' / arch / 'packages/linux_guest'})
    subprocess.run([TOP / 'scripts/mkimage', 'disk', work / 'machina.img', folder, work / 'packages'], check=True)
    (folder / 'machina.cfg').write_text('timeout 1\n')
    subprocess.run([TOP / 'scripts/mkimage', 'optical', work / 'machina.iso', folder], check=True)
    return work


@pytest.fixture
def boot(request, images):
    """A function that starts QEMU with firmware; its console."""
    consoles = []

    def start(how, *options, images=images):
        arch = request.config.architecture.name
        path = request.config.log_folder / f'uefi-{arch}-{how}.log'
        path.parent.mkdir(parents=True, exist_ok=True)
        log = open(path, 'w', encoding='utf-8')
        gic = ['-G', request.config.getoption('gic')] if arch == 'arm64' else []
        console = start_console(TOP / 'scripts/qemu',
                                ['-a', arch, *gic, '-b', images, '-m', '1G', '-s', '2', f'--{how}', '--', '-no-reboot', *options],
                                TIMEOUT_SECONDS, log)
        consoles.append((console, log))
        return console

    yield start
    for console, log in consoles:
        console.close(force=True)
        log.close()


def choose(console, count, key=DOWN):
    """Waits for the menu, and does the entry that is so many keys away from the one that is chosen."""
    for _ in range(count):
        console.expect_exact('edits the command line.')
        console.send(key)
    console.expect_exact('edits the command line.')
    console.send('\r')


def expect_refusal(console, *sentences):
    for sentence in sentences:
        console.expect_exact(sentence)
    console.expect_exact('Press a key to return to the menu.')
    console.send(' ')


def edit_command_line(console, text):
    """Returns what was shown before the menu."""
    console.expect_exact('edits the command line.')
    before = console.before
    console.send('e')
    console.expect_exact('Command line: ')
    console.send(text + '\r')
    return before


def launch_from_stick(console):
    """Drivers look for sticks when the shell is there already."""
    console.expect_exact(PROMPT)
    while True:
        console.send('guest packages\r')
        try:
            console.expect_exact(f'\n{PACKAGE}\r', timeout=5)
            break
        except pexpect.TIMEOUT:
            pass
    console.send(f'guest launch {PACKAGE} --memory 256M\r')
    console.expect_exact('[guest 1: ')
    console.expect_exact('linux_guest: ready')
    console.send('\x1dd')


def power_off(console):
    console.expect_exact(PROMPT)
    console.send('poweroff\r')
    console.expect(pexpect.EOF)


def test_the_menu_refuses_wrong_images_and_starts_the_right_one(boot):
    console = boot('uefi')
    choose(console, 0)
    expect_refusal(console, 'short.zbi is damaged: offset 0x4: the container is longer than the data', 'Copy it')
    choose(console, 1)
    expect_refusal(console, "crc.zbi is damaged: offset 0x", "the item's CRC does not match its contents")
    choose(console, 1)
    expect_refusal(console, 'lie.zbi is damaged: offset 0x', 'the item is longer than the container')
    choose(console, 1)
    expect_refusal(console, 'other.zbi cannot be started here: its kernel is for', 'make image ARCH=')
    choose(console, 1)
    expect_refusal(console, 'missing.zbi, from the disk: there is no such file', 'Put a boot image of that name')
    edit_command_line(console, 'machina.run=uptimx\x08e')
    console.expect_exact('Command line: machina.run=uptime')
    choose(console, 1)
    console.expect_exact('100 % of')
    console.expect(r'up +0')
    console.close(force=True)


@pytest.mark.parametrize('how', ['cdrom', 'usb'])
def test_firmware_boots_machina_to_its_shell(boot, how):
    console = boot(how)
    if how == 'usb':  # The disk's configuration: the last image is the good one.
        choose(console, 5)
        launch_from_stick(console)
    power_off(console)


def test_the_network_boots_machina_and_says_what_is_missing(boot):
    console = boot('netboot')
    console.expect_exact('from server 10.0.2.2')
    console.expect_exact('Starts machina.zbi in 1 s')
    console.send(' ')
    choose(console, 2)
    console.expect_exact('Boot image: ')
    console.send('none.zbi\r')
    expect_refusal(console, 'none.zbi, from server 10.0.2.2: ', 'Put a boot image of that name')
    choose(console, 2, UP)
    for percent in '0 % of', '100 % of':
        console.expect_exact(percent)
    power_off(console)


def test_firmware_restarts_the_machine_and_switches_it_off(boot):
    """By its run-time services, on both architectures: what ACPI or PSCI say comes only after them."""
    console = boot('uefi', '-action', 'reboot=reset')
    edit_command_line(console, 'kernel.reset=efi')
    choose(console, 5)
    console.expect_exact(PROMPT)
    console.send('reboot\r')
    console.expect_exact('restarting by EFI run-time services')
    assert 'EFI run-time services' not in edit_command_line(console, 'kernel.reset=efi')
    choose(console, 5)
    console.expect_exact(PROMPT)
    console.send('poweroff\r')
    console.expect_exact('switching off by EFI run-time services')
    console.expect(pexpect.EOF)
    assert 'EFI run-time services' not in console.before


@pytest.fixture
def bad_reset_images(request, images, tmp_path):
    """A disk whose ResetSystem returns an error or, to switch off, faults."""
    arch = request.config.architecture.name
    folder = tmp_path / 'files'
    folder.mkdir()
    shutil.copy(images / 'netboot/machina.zbi', folder)
    shutil.copy(TOP / 'build' / arch / 'loader.efi', folder)
    shutil.copy(TOP / 'build' / arch / 'test/bad_reset.efi', folder / LOADERS[arch])
    (folder / 'machina.cfg').write_text('timeout 1\ncmdline kernel.reset=efi\n')
    subprocess.run([TOP / 'scripts/mkimage', 'disk', tmp_path / 'machina.img', folder], check=True)
    return tmp_path


def test_run_time_services_that_fail_are_told_of_and_done_without(boot, bad_reset_images):
    console = boot('uefi', '-action', 'reboot=reset', images=bad_reset_images)
    console.expect_exact(PROMPT)
    console.send('reboot\r')
    console.expect_exact('restarting by EFI run-time services')
    console.expect_exact('EFI run-time services did not do it')
    console.expect_exact(PROMPT)
    console.send('poweroff\r')
    console.expect_exact('switching off by EFI run-time services')
    console.expect('firmware faulted at 0x[0-9a-f]+, .*address 0x123[0-9a-f]+')
    console.expect_exact('EFI run-time services faulted, and are not used any more')
    console.expect(pexpect.EOF)


# Files that the server sends wrongly, in the order in which they are asked for, and what is said of each.
DATA = bytes(100_000)
FAULTY_FILES = {
    'refused.zbi': (ServedFile(DATA, refused_after=0), 'the server refuses the file', 'Put a boot image of that name'),
    'broken.zbi': (ServedFile(DATA, refused_after=9), 'it cannot be read to its end: the server refuses', 'Try again'),
    'long.zbi': (ServedFile(DATA, announced=50_000), 'more comes than was announced', 'Try again'),
    'endless.zbi': (ServedFile(DATA, is_endless=True), 'more comes than was announced', 'Try again'),
    'short.zbi': (ServedFile(DATA, announced=200_000), 'the server breaks the protocol', 'Try again'),
    'empty.zbi': (ServedFile(b''), 'the file is empty', 'Put a boot image of that name'),
    'huge.zbi': (ServedFile(DATA, announced=(1 << 64) - 1), 'the file is larger than 3 GiB', 'or choose another'),
    'large.zbi': (ServedFile(DATA, announced=2 << 30), 'has 2048 MiB, and there is not as much free memory', 'smaller image'),
    'unsized.zbi': (ServedFile(DATA, has_options=False), 'does not tell the file\'s size', 'another TFTP server'),
    # The firmware asks six times, with four seconds between.
    'stops.zbi': (ServedFile(DATA, silent_after=9), 'cannot be read to its end: the server does not answer', 'Try again'),
}


@pytest.fixture
def faulty_server(request, images, tmp_path):
    loader = LOADERS[request.config.architecture.name]
    folder = images / 'netboot'
    network = BootNetwork(tmp_path, loader, {
        loader: ServedFile((folder / loader).read_bytes()),
        'machina.cfg': ServedFile(b'timeout 0\n', announced=5),
        # Among its blocks come packets that are none of TFTP's.
        'machina.zbi': ServedFile((folder / 'machina.zbi').read_bytes(), has_garbage=True),
        **{name: file for name, (file, *_) in FAULTY_FILES.items()}})
    yield network
    network.close()


def test_a_server_that_sends_wrongly_is_told_of_and_the_menu_comes_back(boot, faulty_server):
    console = boot('netboot', *faulty_server.options, '-device', 'virtio-net-pci,netdev=wire,romfile=,bootindex=0')
    console.expect_exact(f'Looking for machina.cfg, from server {SERVER_ADDRESS}')
    expect_refusal(console, f'machina.cfg, from server {SERVER_ADDRESS}: more comes than was announced', 'start the loader anew')
    console.expect_exact('Starts machina.zbi in 5 s')
    console.send(' ')
    choose(console, 2)
    typed = 0
    for name, (_, *sentences) in FAULTY_FILES.items():
        console.expect_exact('Boot image: ')
        console.send('\x08' * typed + name + '\r')
        typed = len(name)
        expect_refusal(console, name, *sentences)
        choose(console, 0)
    console.send('\x1b')
    choose(console, 2, UP)
    power_off(console)
