"""scripts/mkimage and scripts/netboot: what they make, and what they refuse."""

import struct
import subprocess
import uuid
import zlib

import pytest

from harness.paths import TOP

PACKAGE_TYPE = uuid.UUID('8a3d2c61-5b0e-4f47-9c1e-7d6b1f2a90e4')
ESP_TYPE = uuid.UUID('c12a7328-f81f-11d2-ba4b-00a0c93ec93b')


def run(script, *arguments):
    return subprocess.run([TOP / 'scripts' / script, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'files').mkdir()
    (tmp_path / 'files/BOOTX64.EFI').write_bytes(b'loader')
    (tmp_path / 'files/machina.zbi').write_bytes(b'image' * 1000)
    return tmp_path / 'files'


def read_table(image, block):
    """The partitions of the table whose header is in that block; its checksums must hold."""
    header = image[block * 512:block * 512 + 92]
    crc, own = struct.unpack_from('<I', header, 16)[0], struct.unpack_from('<Q', header, 24)[0]
    assert header[:8] == b'EFI PART' and own == block
    assert zlib.crc32(header[:16] + bytes(4) + header[20:]) == crc
    entries_at, count, size, entries_crc = struct.unpack_from('<QIII', header, 72)
    entries = image[entries_at * 512:entries_at * 512 + count * size]
    assert zlib.crc32(entries) == entries_crc
    partitions = []
    for at in range(0, len(entries), size):
        first, last = struct.unpack_from('<QQ', entries, at + 32)
        if last:
            partitions.append((uuid.UUID(bytes_le=entries[at:at + 16]), first, last))
    return partitions, struct.unpack_from('<Q', header, 32)[0]


def test_a_disk_has_both_tables_loader_and_packages(folder, tmp_path):
    packages = tmp_path / 'packages'
    packages.write_bytes(b'archive' * 500)
    done = run('mkimage', 'disk', tmp_path / 'disk', folder, packages)
    assert (done.returncode, done.stderr) == (0, '')
    image = (tmp_path / 'disk').read_bytes()
    partitions, other = read_table(image, 1)
    assert read_table(image, other) == (partitions, 1)
    assert (other + 1) * 512 == len(image)
    assert [kind for kind, _, _ in partitions] == [ESP_TYPE, PACKAGE_TYPE]
    first = partitions[1][1] * 512
    assert image[first:first + 3500] == b'archive' * 500
    assert partitions[0][2] < partitions[1][1] and partitions[1][2] < other - 32
    listed = subprocess.run(['mtype', '-i', f'{tmp_path}/disk@@{partitions[0][1] * 512}', '::/EFI/BOOT/machina.zbi'],
                            capture_output=True, check=True).stdout
    assert listed == b'image' * 1000


def test_the_same_files_give_the_same_disk(folder, tmp_path):
    for name in 'one', 'two':
        assert run('mkimage', 'disk', tmp_path / name, folder).returncode == 0
    assert (tmp_path / 'one').read_bytes() == (tmp_path / 'two').read_bytes()


def test_a_folder_without_a_loader_makes_no_image(folder, tmp_path):
    (folder / 'BOOTX64.EFI').unlink()
    done = run('mkimage', 'disk', tmp_path / 'disk', folder)
    assert done.returncode == 1 and 'there is no BOOTX64.EFI or BOOTAA64.EFI' in done.stderr
    assert list(tmp_path.glob('disk*')) == []
    done = run('mkimage', 'optical', tmp_path / 'disk', tmp_path / 'nothing')
    assert done.returncode == 1 and 'there is no such folder' in done.stderr
    assert run('mkimage', 'floppy', 'a', 'b').returncode == 1


def test_a_device_is_not_replaced_by_an_image(folder, tmp_path):
    (tmp_path / 'device').symlink_to('/dev/null')  # what would be replaced is the link
    done = run('mkimage', 'disk', tmp_path / 'device', folder)
    assert done.returncode == 1 and 'it is not a file' in done.stderr
    assert (tmp_path / 'device').is_symlink()


def test_netboot_says_what_to_serve():
    done = run('netboot', '-a', 'arm64', '-D')
    assert done.returncode == 0
    for word in 'BOOTAA64.EFI', 'machina.zbi', 'type 11', 'option 66', 'option 67':
        assert word in done.stdout


def test_netboot_serves_by_dnsmasq():
    done = run('netboot', '-s', 'lo', '-D')
    assert done.returncode == 0
    assert done.stdout.startswith('dnsmasq ') and '--dhcp-range=127.0.0.1,proxy' in done.stdout
    done = run('netboot', '-s', 'nothing0', '-D')
    assert done.returncode == 1 and 'does not exist' in done.stderr
    assert run('netboot', '-a', 'mips').returncode == 1
