"""scripts/mkzircon.sh: a package of any complete boot image, and a clear refusal of anything else."""

import json
import shutil
import subprocess

import pytest

from harness import zbi
from harness.paths import TOP


def run(*arguments):
    return subprocess.run([TOP / 'scripts/mkzircon.sh', *map(str, arguments)], capture_output=True, text=True, check=False)


def config_of(package):
    return json.loads((package / 'data/guest.cfg').read_text())


@pytest.mark.parametrize('arch', ['x64', 'arm64'])
def test_image_becomes_a_package(tmp_path, arch):
    # As Zircon's images are: the archive compressed, items that nobody here knows.
    image = zbi.container(zbi.kernel(arch, flags=zbi.CRC_FLAG), zbi.item(b'BFSB', b'packed', flags=1), zbi.item(b'abcd', b'x'))
    (tmp_path / 'some.zbi').write_bytes(image)
    done = run(tmp_path / 'some.zbi', '--cmdline', "it's \"so\" $HOME", '--memory', '512M', tmp_path / 'mine')
    assert done.returncode == 0, done.stderr
    assert f'a package for {arch}' in done.stdout
    assert config_of(tmp_path / 'mine') == {'zircon': 'data/some.zbi', 'cmdline': "it's \"so\" $HOME", 'memory': '512M'}
    assert (tmp_path / 'mine/data/some.zbi').read_bytes() == image


def test_package_has_the_images_name_where_none_is_given(tmp_path):
    package = TOP / 'build/arm64/packages/mkzircon_test_1'
    (tmp_path / 'MkZircon Test.1.zbi').write_bytes(zbi.container(zbi.kernel('arm64')))
    try:
        done = run(tmp_path / 'MkZircon Test.1.zbi')
        assert done.returncode == 0, done.stderr
        assert config_of(package) == {'zircon': 'data/MkZircon Test.1.zbi'}
    finally:
        shutil.rmtree(package, ignore_errors=True)


GOOD = zbi.container(zbi.kernel('x64', flags=zbi.CRC_FLAG))


@pytest.mark.parametrize('image, expected', [
    (None, 'there is no file'),
    (b'', 'is empty'),
    (b'\x7fELF' + bytes(100), 'offset 0x0: not a ZBI container'),
    (GOOD[:-8], 'offset 0x4: the container is longer than the data'),
    (GOOD[:-8] + b'\1' * 8, "offset 0x3c: the item's CRC does not match its contents"),
    (zbi.container(zbi.item(b'CMDL', b'text\0')), 'the first item is not a kernel for x64 or arm64'),
    (zbi.container(), 'the first item is not a kernel for x64 or arm64'),
], ids=['missing', 'empty', 'elf', 'cut', 'crc', 'data', 'nothing'])
def test_anything_else_is_refused(tmp_path, image, expected):
    if image is not None:
        (tmp_path / 'bad.zbi').write_bytes(image)
    done = run(tmp_path / 'bad.zbi', tmp_path / 'out')
    assert done.returncode == 1 and done.stdout == ''
    assert done.stderr.startswith('scripts/mkzircon.sh: ') and expected in done.stderr, done.stderr
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('options, expected', [
    (['--ramdisk', 'x'], '--ramdisk: a Zircon boot image brings all that itself'),
    (['--cmdline'], '--cmdline needs a value'),
    (['--memory', 'much'], '--memory: "much" is no size'),
    (['--strange'], 'scripts/mkzircon.sh ZBI'),
])
def test_wrong_options_are_refused(tmp_path, options, expected):
    (tmp_path / 'good.zbi').write_bytes(GOOD)
    done = run(tmp_path / 'good.zbi', tmp_path / 'out', *options)
    assert done.returncode != 0 and expected in done.stderr
    assert not (tmp_path / 'out').exists()
