"""The boot image of the integration tests: the product's own, with more packages in it.

  linux_guest   the product's
  fast_guest    the same with its kernel uncompressed (on x86-64 started by the PVH entry) and test disks beside its root
  gzip_guest    arm64: linux_guest with its kernel as a gzip file
  tiny_guest    guests/tiny_guest.c, which does one thing and starts in no time
  zircon_guest  the product's: Machina in Machina
  bad_*         packages with one fault each (bad_packages.py, bad_zircon_packages.py)
"""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

from harness.guests import LinuxGuest
from harness.paths import TOP

import bad_packages
import bad_zircon_packages

SECTOR_BYTES = 512
PATTERN_SECTORS = 2048
GUESTS = TOP / 'tests/integration/guests'


def run_tool(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f'{command}: {done.stderr}'


def sector_text(number):
    """What the pattern disk has in a sector: its number, over and over."""
    return (f'sector {number:08}\n' * (SECTOR_BYTES // 16)).encode()


# How each architecture's tiny_guest is compiled, and what makes the kernel's file of it.
TINY_COMPILERS = {
    'x64': ['gcc', '-m32', '-mno-sse'],
    'arm64': ['aarch64-linux-gnu-gcc', '-mgeneral-regs-only', '-mstrict-align'],
}
TINY_CONVERTERS = {
    'x64': ['objcopy', '-O', 'elf64-x86-64'],
    'arm64': ['aarch64-linux-gnu-objcopy', '-O', 'binary'],
}


def make_tiny_guest(arch, folder):
    elf, kernel = folder.parent / 'tiny_guest.elf', folder.parent / 'tiny_guest.kernel'
    run_tool(*TINY_COMPILERS[arch], '-std=gnu17', '-O2', '-Wall', '-Wextra', '-Werror', '-ffreestanding', '-fno-pic', '-no-pie',
             '-nostdlib', '-static', '-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-I', TOP,
             f'-Wl,-T,{GUESTS}/{arch}/tiny_guest.ld,--build-id=none,-z,noexecstack,--no-warn-rwx-segments',
             GUESTS / 'tiny_guest.c', GUESTS / arch / 'tiny_arch.c', '-o', elf)
    run_tool(*TINY_CONVERTERS[arch], elf, kernel)
    run_tool(TOP / 'scripts/mkpackage.sh', '--kernel', kernel, '--cmdline', 'halt', '--memory', '64M', folder)


def make_fast_guest(product, folder):
    """From the product's package: a decompressed kernel, and disks that say which sector is where.

    Without random addresses the emulator translates each program once. Otherwise it does so for each process, and all that is
    thrown away, at milliseconds for each word, when the memory is cleared for the next guest.
    """
    config = json.loads((product / 'data/guest.cfg').read_text())
    disk = folder.parent / 'pattern.img'
    disk.write_bytes(b''.join(sector_text(number) for number in range(PATTERN_SECTORS)))
    run_tool(TOP / 'scripts/mkpackage.sh', '--uncompressed', '--kernel', product / config['kernel'],
             '--ramdisk', product / config['ramdisk'], '--block', product / config['block'], '--block', f'{disk},ro',
             '--block', f'{disk},volatile', '--block', 'memory:8M', '--cmdline',
             config['cmdline'] + ' norandmaps', folder)


def make_gzip_guest(product, folder):
    """The product's package with its kernel compressed, which Debian's is not."""
    shutil.copytree(product, folder)
    path = folder / 'data/guest.cfg'
    config = json.loads(path.read_text())
    kernel = folder / config['kernel']
    run_tool('gzip', '-1', kernel)
    path.write_text(json.dumps({**config, 'kernel': config['kernel'] + '.gz'}))


def fingerprint(*paths):
    """Changes when any of the files does."""
    digest = hashlib.sha256()
    for path in paths:
        stat = path.stat()
        digest.update(f'{path} {stat.st_size} {stat.st_mtime_ns}\n'.encode())
    return digest.hexdigest()


def make_packages(arch, product, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make_tiny_guest(arch, folder / 'tiny_guest')
    make_fast_guest(product, folder / 'fast_guest')
    if arch == 'arm64':
        make_gzip_guest(product, folder / 'gzip_guest')
    bad_packages.make_all(product, folder)
    bad_zircon_packages.make_all(arch, folder)


@pytest.fixture(scope='session')
def images(request):
    """The folder with machina.bin and machina.zbi for `scripts/qemu -b`."""
    arch = request.config.architecture.name
    build = TOP / 'build' / arch
    product = build / 'packages/linux_guest'
    folder = build / 'test-packages'
    packages = folder / 'packages'
    stamp = folder / 'fingerprint'
    now = fingerprint(product / 'data/guest.cfg', product / 'data/vmlinuz', *GUESTS.glob('**/*.*'),
                      *(TOP / 'tests/integration').glob('*.py'), TOP / 'tests/harness/zbi.py')
    if not stamp.exists() or stamp.read_text() != now:
        make_packages(arch, product, packages)
        stamp.write_text(now)
    options = ['--dir', f'bin={build}/bin', '--dir', f'pkg/linux_guest={product}',
               '--dir', f'pkg/zircon_guest={build}/packages/zircon_guest']
    for package in sorted(path for path in packages.iterdir() if path.is_dir()):
        options += ['--dir', f'pkg/{package.name}={package}']
    run_tool(TOP / 'build/host/mkzbi', 'create', '-o', folder / 'machina.zbi.new', *options)
    os.replace(folder / 'machina.zbi.new', folder / 'machina.zbi')
    shutil.copy(build / 'machina.bin', folder / 'machina.bin')
    return folder


@pytest.fixture(scope='module')
def held_guest():
    """The guest that the tests of a file share, and the machine that it is on."""
    held = {}
    yield held
    if held and held['machine'].is_running():
        held['machine'].run(f'guest stop -f {held["linux"].id}')


@pytest.fixture
def shared_linux(request, machina, held_guest):
    """A fast_guest of two vCPUs, attached, that the tests of a file share: each leaves it as it was or does not care."""
    if held_guest.get('machine') is not machina:
        held_guest.update(machine=machina, linux=LinuxGuest(machina, 'fast_guest', '--cpus 2'))
    else:
        held_guest['linux'].attach()
    yield held_guest['linux']
    if not request.node.has_failed:
        held_guest['linux'].detach()


@pytest.fixture(scope='session')
def machine_options(images):
    return {'images': images}
