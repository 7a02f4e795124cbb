"""Guest packages with one fault each, and what has to be said about them."""

import json
import random

GOOD = {'kernel': 'data/vmlinuz', 'memory': '256M'}

# Package: (text of guest.cfg, or None for no such file; expected message, a regular expression).
CONFIGS = {
    'bad_json_comma': ('{\n    "kernel": "data/vmlinuz",,\n}\n', r'data/guest\.cfg:2:30: .*(expected|a key)'),
    'bad_json_end': ('{\n    "kernel": "data/vmlinuz",\n    "cpus": 2\n', r'data/guest\.cfg:4:1: '),
    'bad_json_empty': ('', r'data/guest\.cfg: .*empty'),
    'bad_json_list': ('["kernel"]', r'data/guest\.cfg:1:1: .*expected an object'),
    'bad_key_unknown': ('{\n    "kernel": "data/vmlinuz",\n    "kernal": "x"\n}',
                        r'data/guest\.cfg:3:5: unknown key "kernal"; known are kernel, linux, zircon, ramdisk, .*cpus'),
    'bad_key_twice': ('{\n    "kernel": "data/vmlinuz",\n    "kernel": "data/vmlinuz"\n}', r'data/guest\.cfg:3:5: '),
    'bad_type_kernel': ('{\n    "kernel": 7\n}', r'data/guest\.cfg:2:15: kernel: .*expected a string'),
    'bad_type_cpus': ('{ "kernel": "data/vmlinuz",\n  "cpus": [2] }',
                      r'data/guest\.cfg:2:11: cpus: .*expected a whole number from 1 to 16'),
    'bad_type_block': ('{ "kernel": "data/vmlinuz",\n  "block": {} }',
                       r'data/guest\.cfg:2:12: block: .*expected a string or an array of strings'),
    'bad_type_rng': ('{ "kernel": "data/vmlinuz",\n  "rng": "maybe" }', r'data/guest\.cfg:2:10: rng: .*true or false'),
    'bad_no_kernel': ('{ "cpus": 1 }', r'data/guest\.cfg: no kernel is named; add "kernel"'),
    'bad_cpus_zero': ('{ "kernel": "data/vmlinuz",\n  "cpus": 0 }', r'data/guest\.cfg:2:11: cpus: .*from 1 to 16'),
    'bad_cpus_many': ('{ "kernel": "data/vmlinuz",\n  "cpus": 17 }', r'data/guest\.cfg:2:11: cpus: .*from 1 to 16'),
    'bad_memory_word': ('{ "kernel": "data/vmlinuz",\n  "memory": "much" }', r'data/guest\.cfg:2:13: memory: .*512M'),
    'bad_memory_small': ('{ "kernel": "data/vmlinuz",\n  "memory": "64k" }', r'data/guest\.cfg:2:13: memory: .*too small'),
    'bad_memory_large': ('{ "kernel": "data/vmlinuz",\n  "memory": "9999999G" }',
                         r'data/guest\.cfg:2:13: memory: .*too large'),
    'bad_path_climbs': ('{ "kernel": "../linux_guest/data/vmlinuz" }', r'data/guest\.cfg:1:13: kernel: '),
    'bad_block_mode': ('{ "kernel": "data/vmlinuz",\n  "block": "data/disk.img" }',
                       r'data/guest\.cfg:2:12: block: .*has no mode; write PATH,MODE'),
}

# Package: (keys of guest.cfg, contents of its files by name, expected message).
FILES = {
    'bad_kernel_missing': ({'kernel': 'data/none'}, {}, r'kernel: data/none: there is no such file'),
    'bad_kernel_empty': ({}, {'vmlinuz': b''}, r'kernel: data/vmlinuz: the file is empty'),
    'bad_kernel_random': ({}, {'vmlinuz': random.Random(1).randbytes(300000)},
                          r'kernel: neither (a Linux bzImage .*nor an ELF|an arm64 Image)'),
    'bad_kernel_archive': ({}, {'vmlinuz': b'070701' + bytes(5000)}, r'kernel: this is a cpio archive; is it the ramdisk\?'),
    'bad_kernel_short_elf': ({}, {'vmlinuz': b'\x7fELF'}, r'kernel: (truncated: only 4 bytes|neither an arm64 Image)'),
    'bad_ramdisk_missing': ({'ramdisk': 'data/none'}, {}, r'ramdisk: data/none: there is no such file'),
    'bad_ramdisk_empty': ({'ramdisk': 'data/initrd'}, {'initrd': b''}, r'ramdisk: data/initrd: the file is empty'),
    'bad_overlay_missing': ({'dtb-overlay': 'data/none'}, {}, r'dtb-overlay: data/none: there is no such file'),
    'bad_overlay_empty': ({'dtb-overlay': 'data/o.dtbo'}, {'o.dtbo': b''}, r'dtb-overlay: data/o.dtbo: the file is empty'),
    'bad_disk_missing': ({'block': 'data/none,ro'}, {}, r'block: data/none: there is no such file'),
    'bad_disk_empty': ({'block': 'data/disk,ro'}, {'disk': b''}, r'block: data/disk: the file is empty'),
    'bad_disk_odd': ({'block': 'data/disk,ro'}, {'disk': bytes(1000)}, r'block: data/disk: .*multiple of 512'),
    'bad_disk_rw': ({'block': 'data/disk,rw'}, {'disk': bytes(1024)}, r'block: data/disk: .*use ro or volatile'),
}

# Packages with the first part of a good kernel: (bytes, expected message).
TRUNCATED = {
    'bad_kernel_cut_header': (0x210, r'kernel: (only|setup header|truncated: 528 bytes)'),
    'bad_kernel_cut_half': (5000000, r'kernel: truncated: 5000000 bytes, its (setup|PE) header describes \d+'),
}

EXPECTED = {
    **{name: expected for name, (_, expected) in CONFIGS.items()},
    **{name: expected for name, (_, _, expected) in FILES.items()},
    **{name: expected for name, (_, expected) in TRUNCATED.items()},
}


def make(folder, config, files):
    (folder / 'data').mkdir(parents=True)
    (folder / 'data/guest.cfg').write_text(config)
    for name, content in files.items():
        (folder / 'data' / name).write_bytes(content)


def make_all(product, folder):
    """Makes every package in the folder; `product` is a package with a good kernel."""
    kernel = (product / 'data/vmlinuz').read_bytes()
    for name, (config, _) in CONFIGS.items():
        make(folder / name, config, {'vmlinuz': b'x', 'disk.img': bytes(512)})
    for name, (keys, files, _) in FILES.items():
        # Where the kernel is not the fault, it is one that would be refused later.
        make(folder / name, json.dumps({**GOOD, **keys}), {'vmlinuz': b'x', **files})
    for name, (size_bytes, _) in TRUNCATED.items():
        make(folder / name, json.dumps(GOOD), {'vmlinuz': kernel[:size_bytes]})
