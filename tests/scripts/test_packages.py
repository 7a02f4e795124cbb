"""scripts/mkpackage.sh, scripts/extract-vmlinux and the checks of mksysroot.sh and mklinux.sh."""

import json
import struct
import subprocess

import pytest

from harness.paths import TOP

IMAGE_BYTES = bytes(0x38) + b'ARM\x64' + bytes(range(256)) * 64
KERNEL_BYTES = b'\x7fELF' + bytes(range(256)) * 64


def run(script, *arguments, cwd=None):
    return subprocess.run([TOP / 'scripts' / script, *map(str, arguments)], capture_output=True, text=True, check=False,
                          cwd=cwd)


def make_bzimage(compressor):
    """The least that extract-vmlinux looks at in a bzImage."""
    packed = subprocess.run(compressor, input=KERNEL_BYTES, stdout=subprocess.PIPE, check=True).stdout
    payload = packed + struct.pack('<I', len(KERNEL_BYTES))
    image = bytearray(1024 + 64)
    image[0x1f1] = 1
    image[0x202:0x206] = b'HdrS'
    struct.pack_into('<H', image, 0x206, 0x20f)
    struct.pack_into('<II', image, 0x248, 64, len(payload))
    return bytes(image) + payload


@pytest.fixture
def files(tmp_path):
    (tmp_path / 'bzImage').write_bytes(make_bzimage(['lz4', '-l', '-c']))
    (tmp_path / 'initrd').write_bytes(b'ramdisk')
    (tmp_path / 'a.img').write_bytes(bytes(1024))
    (tmp_path / 'b.img').write_bytes(bytes(512))
    (tmp_path / 'odd.img').write_bytes(bytes(513))
    (tmp_path / 'empty').write_bytes(b'')
    return tmp_path


def config_of(package):
    return json.loads((package / 'data/guest.cfg').read_text())


def test_package_has_its_files_and_configuration(files):
    package = files / 'my_guest'
    done = run('mkpackage.sh', '--kernel', files / 'bzImage', '--ramdisk', files / 'initrd', '--block', files / 'a.img',
               '--block', f'{files}/b.img,volatile', '--cmdline', 'a="b c" d', '--cpus', '4', '--memory', '512M',
               '--set', 'rng=false', package)
    assert done.returncode == 0, done.stderr
    assert config_of(package) == {
        'kernel': 'data/bzImage', 'ramdisk': 'data/initrd', 'block': ['data/a.img,ro', 'data/b.img,volatile'],
        'cmdline': 'a="b c" d', 'cpus': '4', 'memory': '512M', 'rng': 'false'}
    assert (package / 'data/bzImage').read_bytes() == (files / 'bzImage').read_bytes()
    assert sorted(file.name for file in (package / 'data').iterdir()) == ['a.img', 'b.img', 'bzImage', 'guest.cfg', 'initrd']


def test_single_disk_is_a_text_and_no_disk_no_key(files):
    assert run('mkpackage.sh', '--kernel', files / 'bzImage', '--block', f'{files}/a.img,rw', files / 'one').returncode == 0
    assert config_of(files / 'one')['block'] == 'data/a.img,rw'
    assert run('mkpackage.sh', '--kernel', files / 'bzImage', files / 'none').returncode == 0
    assert config_of(files / 'none') == {'kernel': 'data/bzImage'}


def test_disk_in_memory_has_no_file(files):
    done = run('mkpackage.sh', '--kernel', files / 'bzImage', '--block', 'memory:16M', '--block', 'memory:1G,ro', files / 'out')
    assert done.returncode == 0, done.stderr
    assert config_of(files / 'out')['block'] == ['memory:16M,rw', 'memory:1G,ro']


def test_package_replaces_an_older_one_and_nothing_else(files):
    package = files / 'my_guest'
    assert run('mkpackage.sh', '--kernel', files / 'bzImage', '--ramdisk', files / 'initrd', package).returncode == 0
    assert run('mkpackage.sh', '--kernel', files / 'bzImage', package).returncode == 0
    assert not (package / 'data/initrd').exists()
    (files / 'other').mkdir()
    (files / 'other/precious').write_text('text')
    done = run('mkpackage.sh', '--kernel', files / 'bzImage', files / 'other')
    assert done.returncode == 1 and 'is no package' in done.stderr
    assert (files / 'other/precious').exists()


@pytest.mark.parametrize('arguments, complaint', [
    (['out'], '--kernel is missing'),
    (['--kernel', 'nowhere', 'out'], 'there is no file nowhere'),
    (['--kernel', 'empty', 'out'], 'empty is empty'),
    (['--kernel', 'bzImage', '--block', 'a.img,w', 'out'], 'ro, rw or volatile, not "w"'),
    (['--kernel', 'bzImage', '--block', 'memory:1M,volatile', 'out'], 'is ro or rw'),
    (['--kernel', 'bzImage', '--block', 'odd.img', 'out'], 'no multiple of 512'),
    (['--kernel', 'bzImage', '--cpus', '0', 'out'], 'no number of CPUs'),
    (['--kernel', 'bzImage', '--memory', '1T', 'out'], 'no size'),
    (['--kernel', 'bzImage', '--set', 'novalue', 'out'], 'KEY=VALUE'),
    (['--kernel', 'initrd', '--uncompressed', 'out'], 'no bzImage'),
    (['--kernel', 'bzImage', 'Bad name'], 'no package name'),
    (['--kernel'], '--kernel needs a value'),
    (['--kernel', 'bzImage', '--frobnicate', 'out'], '--uncompressed'),
])
def test_wrong_input_is_refused_with_the_reason(files, arguments, complaint):
    done = run('mkpackage.sh', *arguments, cwd=files)
    assert done.returncode != 0
    assert complaint in done.stderr
    assert not (files / 'out').exists()


@pytest.mark.parametrize('compressor', [['lz4', '-l', '-c'], ['gzip', '-nc'], ['xz', '-c', '--check=crc32'], ['zstd', '-qc']])
def test_kernel_is_taken_out_of_a_bzimage(files, compressor):
    (files / 'bzImage').write_bytes(make_bzimage(compressor))
    assert run('mkpackage.sh', '--kernel', files / 'bzImage', '--uncompressed', files / 'fast').returncode == 0
    assert (files / 'fast/data/vmlinux').read_bytes() == KERNEL_BYTES
    assert config_of(files / 'fast')['kernel'] == 'data/vmlinux'


@pytest.mark.parametrize('compressor', [['cat'], ['gzip', '-nc'], ['xz', '-c'], ['zstd', '-qc']])
def test_arm64_image_is_decompressed(files, compressor):
    packed = subprocess.run(compressor, input=IMAGE_BYTES, stdout=subprocess.PIPE, check=True).stdout
    (files / 'Image').write_bytes(packed)
    assert run('mkpackage.sh', '--kernel', files / 'Image', '--uncompressed', files / 'fast').returncode == 0
    assert (files / 'fast/data/vmlinux').read_bytes() == IMAGE_BYTES
    (files / 'damaged').write_bytes(packed[:-9])
    assert compressor == ['cat'] or run('extract-vmlinux', files / 'damaged', files / 'out').returncode == 1


def test_overlay_is_a_file_of_the_package(files):
    (files / 'board.dtbo').write_bytes(b'overlay')
    done = run('mkpackage.sh', '--kernel', files / 'bzImage', '--dtb-overlay', files / 'board.dtbo', files / 'out')
    assert done.returncode == 0, done.stderr
    assert config_of(files / 'out')['dtb-overlay'] == 'data/board.dtbo'
    assert (files / 'out/data/board.dtbo').read_bytes() == b'overlay'


@pytest.mark.parametrize('damage', [
    lambda image: image[:0x240],
    lambda image: image[:-40],
    lambda image: image[:0x248] + b'\xff\xff\xff\x7f' + image[0x24c:],
    lambda image: image[:0x206] + b'\x04\x02' + image[0x208:],
    lambda image: image[:1100] + bytes(200) + image[1300:],
])
def test_damaged_bzimage_is_refused(files, damage):
    (files / 'damaged').write_bytes(damage((files / 'bzImage').read_bytes()))
    done = run('extract-vmlinux', files / 'damaged', files / 'out')
    assert done.returncode == 1
    assert done.stderr.startswith('scripts/extract-vmlinux: ') and 'Traceback' not in done.stderr
    assert not (files / 'out').exists()


def test_sysroot_refuses_wrong_arguments(files):
    assert 'x64 or arm64, not "mips"' in run('mksysroot.sh', '-o', files / 'disk', 'mips').stderr
    assert 'not a directory' in run('mksysroot.sh', '-d', files / 'nowhere', '-o', files / 'disk', 'x64').stderr
    assert 'needs an image to update' in run('mksysroot.sh', '-u', '-o', files / 'disk', 'x64').stderr
    assert run('mksysroot.sh', 'x64').returncode == 2


def git(folder, *arguments):
    subprocess.run(['git', '-c', 'user.name=t', '-c', 'user.email=t@t', *arguments], cwd=folder, check=True,
                   capture_output=True)


def test_linux_is_not_built_from_a_changed_tree(files):
    tree = files / 'linux'
    tree.mkdir()
    (tree / 'Kbuild').write_text('')
    (tree / 'Makefile').write_text('')
    git(tree, 'init')
    git(tree, 'add', '.')
    git(tree, 'commit', '-m', 'x')
    (tree / 'Makefile').write_text('changed')
    done = run('mklinux.sh', '-l', tree, '-o', files / 'kernel', 'x64')
    assert done.returncode == 1
    assert 'has changes that are not committed' in done.stderr


def test_linux_refuses_wrong_arguments(files):
    assert run('mklinux.sh', '-o', files / 'kernel', 'x64').returncode == 2
    assert 'x64 or arm64' in run('mklinux.sh', '-l', files, '-o', files / 'kernel', 'mips').stderr
    assert 'no kernel source' in run('mklinux.sh', '-l', files, '-o', files / 'kernel', 'x64').stderr
    assert 'no defconfig' in run('mklinux.sh', '-l', files, '-d', 'nowhere', '-o', files / 'kernel', 'x64').stderr
