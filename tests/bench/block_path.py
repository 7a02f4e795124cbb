"""What a read of a guest's disk costs in executed instructions, from the guest's program to the host's disk and back.

A Linux guest (block/reader.c, on the kernel of linux_guest) reads its disk and marks where parts begin and end; a plugin
of QEMU (block/instruction_marks.c) counts all that the machine executes between: guest, hypervisor, device process and
driver. The machine idles while the host's disk works, which executes nothing. Time plays no part.
"""

import json
import os
import pathlib
import re
import shutil
import struct
import subprocess

import pexpect

from harness.console import start_console
from harness.disk_images import disk_image, package_archive
from harness.paths import TOP

BENCH = pathlib.Path(__file__).resolve().parent
PACKAGE = 'block_bench'
TIMEOUT_SECONDS = 150
COMPILERS = {'x64': 'x86_64-linux-gnu-gcc', 'arm64': 'aarch64-linux-gnu-gcc'}
CONSOLES = {'x64': 'ttyS0', 'arm64': 'ttyAMA0'}
DEVICES = {
    'nvme': ['-device', 'nvme,drive=disk,serial=machina'],
    'virtio': ['-device', 'virtio-blk-pci,drive=disk'],
    'ahci': ['-device', 'ich9-ahci,id=ahci', '-device', 'ide-hd,drive=disk,bus=ahci.0'],
}
READS = {name: int(number) for name, number in
         re.findall(r'^#define (\w+) +(\d+)u?', (BENCH / 'block/reads.h').read_text(), re.MULTILINE)}
DISK_BYTES = 64 << 20
# Row; the mark where it begins; what it is divided by.
ROWS = {
    'random-read': (READS['MARK_SMALL'], READS['SMALL_COUNT']),
    'random-read-at-once': (READS['MARK_AT_ONCE'], READS['AT_ONCE_COUNT']),
    'sequential-mib': (READS['MARK_LARGE'], READS['LARGE_COUNT']),
}


class Failure(Exception):
    """Says why there is no measurement."""


def _compile(compiler, arch, options, source, output):
    subprocess.run([compiler, '-std=gnu17', '-O2', '-Wall', '-Wextra', '-Werror', f'-DMARK_{arch.upper()}', f'-I{TOP}',
                    *options, '-o', output, source], check=True)


class Parts:
    """The plugin, the guest's kernel and ramdisk, and its disk, in a folder."""

    def __init__(self, arch, folder):
        self.arch = arch
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        product = TOP / 'build' / arch / 'packages/linux_guest/data'
        if not product.is_dir():
            raise Failure(f'there is no {product}: run make ARCH={arch} first')
        config = json.loads((product / 'guest.cfg').read_text())
        self.plugin = folder / 'instruction_marks.so'
        _compile('gcc', arch, ['-shared', '-fPIC'], BENCH / 'block/instruction_marks.c', self.plugin)
        self.kernel = product.parent / config['kernel' if 'kernel' in config else 'linux']
        self.ramdisk = folder / 'ramdisk'
        self._make_ramdisk(product.parent / config['ramdisk'])
        self.cmdline = f'console={CONSOLES[arch]} quiet loglevel=3 cryptomgr.notests rdinit=/reader'
        self.data = folder / 'data.img'
        self.data.write_bytes(b''.join(struct.pack('<Q', number).ljust(READS['SMALL_BYTES'], b'\xa5')
                                       for number in range(DISK_BYTES // READS['SMALL_BYTES'])))

    def _make_ramdisk(self, modules):
        """The kernel takes several archives one behind the other."""
        reader = self.folder / 'reader'
        _compile(COMPILERS[self.arch], self.arch, ['-static', '-s'], BENCH / 'block/reader.c', reader)
        archive = subprocess.run(['cpio', '--quiet', '-o', '-H', 'newc', '-R', '0:0'], input=b'reader\n', cwd=self.folder,
                                 stdout=subprocess.PIPE, check=True).stdout
        base = modules.read_bytes()
        self.ramdisk.write_bytes(base + bytes(-len(base) % 512) + archive)

    def host_disk(self):
        """A disk with the guest's package, for Machina."""
        package = self.folder / PACKAGE
        shutil.rmtree(package, ignore_errors=True)
        (package / 'data').mkdir(parents=True)
        files = {'kernel': self.kernel, 'ramdisk': self.ramdisk, 'block': self.data}
        for name, path in files.items():
            os.link(path, package / 'data' / name) if path.parent == self.folder else shutil.copy(path, package / 'data' / name)
        config = {'kernel': 'data/kernel', 'ramdisk': 'data/ramdisk', 'block': 'data/block,ro', 'cmdline': self.cmdline}
        (package / 'data/guest.cfg').write_text(json.dumps(config))
        archive = self.folder / 'packages.archive'
        package_archive(archive, {PACKAGE: package})
        path = self.folder / 'disk.img'
        disk_image(path, [archive])
        return path


def counting_options(parts, marks):
    return ['-icount', 'shift=0', '-rtc', 'base=2026-01-01,clock=vm', '-seed', '1', '-plugin', f'{parts.plugin},out={marks}']


def wait_for_reader(console):
    try:
        console.expect(r'block: (done|failed[^\r\n]*)', timeout=TIMEOUT_SECONDS)
    except (pexpect.TIMEOUT, pexpect.EOF) as error:
        raise Failure(f'the guest did not come to its end; the console was: {console.before[-2000:]}') from error
    if console.match[1] != 'done':
        raise Failure(console.match[0])


def rows_of(marks):
    """Row: instructions for one."""
    counts = dict(map(int, line.split()) for line in marks.read_text().splitlines())
    return {row: (counts[mark + 1] - counts[mark]) // divisor for row, (mark, divisor) in ROWS.items()}


def measure(parts, device, log=None):
    """Machina's rows with one kind of disk."""
    marks = parts.folder / f'marks-{device}'
    command = ['-a', parts.arch, '-s', '1', '--', '-no-reboot',
               '-drive', f'file={parts.host_disk()},if=none,id=disk,format=raw,snapshot=on', *DEVICES[device],
               *counting_options(parts, marks)]
    console = start_console(TOP / 'scripts/qemu', command, TIMEOUT_SECONDS, log)
    try:
        console.expect(r'machina\$ ')
        console.send(f'guest launch --memory 256M {PACKAGE}\r')
        wait_for_reader(console)
    except (pexpect.TIMEOUT, pexpect.EOF) as error:
        raise Failure(f'Machina did not come to its prompt: {console.before[-2000:]}') from error
    finally:
        console.close(force=True)
    return rows_of(marks)

