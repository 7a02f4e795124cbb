"""Zircon boot images for tests, written without the product's own code."""

import binascii
import struct

CONTAINER_TYPE = int.from_bytes(b'BOOT', 'little')
CONTAINER_MAGIC = 0x868cf7e6
ITEM_MAGIC = 0xb5781729
NO_CRC = 0x4a87e8d6
VERSION_FLAG = 0x10000
CRC_FLAG = 0x20000
HEADER = struct.Struct('<8I')
# For each architecture: the type of its kernel item, and the entry of a kernel whose code follows its head.
KERNELS = {'x64': (b'KRNL', 0x100050), 'arm64': (b'KRN8', 0x50)}


def item(name, payload, flags=0):
    """An item of the type that has this name of four characters; with CRC_FLAG among the flags it gets its checksum."""
    flags |= VERSION_FLAG
    words = [int.from_bytes(name, 'little'), len(payload), 0, flags, 0, 0, ITEM_MAGIC, 0 if flags & CRC_FLAG else NO_CRC]
    if flags & CRC_FLAG:
        words[7] = binascii.crc32(HEADER.pack(*words) + payload)
    return HEADER.pack(*words) + payload + bytes(-len(payload) % 8)


def container(*items):
    body = b''.join(items)
    return HEADER.pack(CONTAINER_TYPE, len(body), CONTAINER_MAGIC, VERSION_FLAG, 0, 0, ITEM_MAGIC, NO_CRC) + body


def kernel(arch, reserve_bytes=0, entry=None, flags=0, code=bytes(64)):
    name, usual_entry = KERNELS[arch]
    return item(name, struct.pack('<QQ', usual_entry if entry is None else entry, reserve_bytes) + code, flags)
