"""Disk images for tests: a GUID partition table (UEFI Specification 2.10, section 5.3), and package partitions."""

import struct
import subprocess
import uuid
import zlib

from harness.paths import TOP

PACKAGE_TYPE = uuid.UUID('8a3d2c61-5b0e-4f47-9c1e-7d6b1f2a90e4')
ENTRY_COUNT, ENTRY_BYTES = 128, 128
FIRST_PARTITION = 1 << 20


def package_archive(output, packages):
    """Writes a file archive with packages: a dictionary of names and folders."""
    command = [TOP / 'build/host/mkzbi', 'archive', '-o', output]
    for name, folder in packages.items():
        command += ['--dir', f'pkg/{name}={folder}']
    subprocess.run(command, check=True)


def _entry(first, last, index):
    guid = uuid.UUID(int=0x1000 + index)
    return PACKAGE_TYPE.bytes_le + guid.bytes_le + struct.pack('<QQQ', first, last, 0) + bytes(72)


def _header(place, other, last_usable, entries_block, entries, block):
    def pack(crc):
        return struct.pack('<8sIIIIQQQQ16sQIII', b'EFI PART', 0x10000, 92, crc, 0, place, other,
                           2 + ENTRY_COUNT * ENTRY_BYTES // block, last_usable, uuid.UUID(int=1).bytes_le,
                           entries_block, ENTRY_COUNT, ENTRY_BYTES, zlib.crc32(entries))
    return pack(zlib.crc32(pack(0))).ljust(block, b'\0')


def disk_image(path, archives, block=512):
    """Writes a disk with a package partition for each archive; returns the offset of each in bytes."""
    offsets, entries, at = [], b'', FIRST_PARTITION
    with open(path, 'wb') as disk:
        for index, archive in enumerate(archives):
            data = archive.read_bytes()
            size = (len(data) + 0xfffff) & ~0xfffff
            disk.seek(at)
            disk.write(data)
            entries += _entry(at // block, (at + size) // block - 1, index)
            offsets.append(at)
            at += size
        entries = entries.ljust(ENTRY_COUNT * ENTRY_BYTES, b'\0')
        total = at + (1 << 20)
        last = total // block - 1
        array = len(entries) // block
        disk.seek(block)
        disk.write(_header(1, last, last - array - 1, 2, entries, block) + entries)
        disk.seek((last - array) * block)
        disk.write(entries + _header(last, 1, last - array - 1, last - array, entries, block))
    return offsets
