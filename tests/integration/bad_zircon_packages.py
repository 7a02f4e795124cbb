"""Guest packages with a Zircon boot image that has one fault each, and what has to be said about them."""

import json
import struct

from harness import zbi

OTHER = {'x64': 'arm64', 'arm64': 'x64'}
MEMORY = '64M'
CRC_OFFSET = zbi.HEADER.size + 28


def damaged(image):
    """The image with another last byte."""
    return image[:-1] + bytes([image[-1] ^ 1])


def with_length(image, offset, length):
    """The image with another length in the header at the offset."""
    return image[:offset + 4] + struct.pack('<I', length) + image[offset + 8:]


def make(arch):
    """Package: (the file, keys of guest.cfg, expected message, a regular expression)."""
    good = zbi.container(zbi.kernel(arch, flags=zbi.CRC_FLAG))
    plain = zbi.container(zbi.kernel(arch), zbi.item(b'CMDL', b'text\0'))
    named = {'zircon': 'data/image'}
    return {
        'bad_zbi_cut': (good[:-8], named, r'offset 0x4: the container is longer than the data'),
        'bad_zbi_crc': (damaged(good), named, rf"offset 0x{CRC_OFFSET:x}: the item's CRC does not match"),
        'bad_zbi_arch': (zbi.container(zbi.kernel(OTHER[arch])), named,
                         rf'a Zircon boot image for {OTHER[arch]}; this host runs guests for {arch}'),
        'bad_zbi_length': (with_length(plain, 32, 0xfffffff0), named, r'offset 0x24: the item is longer than the container'),
        'bad_zbi_short_item': (with_length(plain, 32, 8), named, r"the item's magic is not"),
        'bad_zbi_total': (with_length(plain, 0, len(plain) - 33), named, r'offset 0x4: .*not a multiple of 8'),
        'bad_zbi_entry': (zbi.container(zbi.kernel(arch, entry=1 << 40)), named,
                          r'the entry 0x10000000000 is not in the kernel'),
        'bad_zbi_reserve': (zbi.container(zbi.kernel(arch, reserve_bytes=1 << 30)), named,
                            r'needs \d+ bytes and 1073741824 more .*give the guest more memory'),
        'bad_zbi_data': (zbi.container(zbi.item(b'BFSB', b'x')), named, r'begins with an item of type BOOTFS'),
        'bad_zbi_nothing': (zbi.container(), named, r'with nothing in it'),
        'bad_zbi_ramdisk': (good, {**named, 'ramdisk': 'data/image'}, r'ramdisk: a Zircon boot image brings its files'),
        'bad_zbi_is_linux': (good, {'linux': 'data/image'}, r'linux: this is a Zircon boot image'),
        'bad_zbi_is_none': (b'\x7fELF' + bytes(100), named, r'zircon: this is no Zircon boot image'),
    }


# The names and messages are the same for every architecture but for one, whose pattern is made anew where it is used.
NAMES = sorted(make('x64'))


def make_all(arch, folder):
    for name, (image, keys, _) in make(arch).items():
        data = folder / name / 'data'
        data.mkdir(parents=True)
        (data / 'image').write_bytes(image)
        (data / 'guest.cfg').write_text(json.dumps({'memory': MEMORY, **keys}))
