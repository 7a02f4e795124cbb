"""mkzbi, end to end: what goes in comes out, the same inputs give the same bytes, bad input is refused with its place."""

import pathlib
import resource
import struct
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ['boot/tools/mkzbi.c', 'boot/zbi.c', 'boot/bootfs.c', 'boot/bootfs_writer.c', 'user/portable/options.c',
           'user/portable/format.c', 'user/portable/utf8.c']
BOOTFS_MAGIC = struct.pack('<I', 0xa56d3ff9)


@pytest.fixture(scope='module')
def tool(tmp_path_factory):
    program = tmp_path_factory.mktemp('tool') / 'mkzbi'
    subprocess.run(['gcc', '-std=gnu17', '-O1', '-I.', '-Ikernel/abi', '-fsanitize=address,undefined',
                    '-fno-sanitize-recover=all', *SOURCES, '-o', program], cwd=TOP, check=True)
    return program


@pytest.fixture
def mkzbi(tool, tmp_path):
    """Runs the tool in an empty folder; returns what it printed, or asserts the error it must give."""
    def run(*arguments, error=None):
        done = subprocess.run([tool, *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True)
        if error is None:
            assert (done.returncode, done.stderr) == (0, '')
        else:
            assert done.returncode in (1, 2)
            assert done.stderr == error + '\n'
        return done.stdout
    return run


@pytest.fixture
def inputs(tmp_path):
    (tmp_path / 'src/sub').mkdir(parents=True)
    (tmp_path / 'src/a').write_bytes(bytes(range(256)) * 20)
    (tmp_path / 'src/empty').write_bytes(b'')
    (tmp_path / 'src/sub/b').write_bytes(b'b')
    (tmp_path / 'kernel').write_bytes(struct.pack('<QQ', 0x100078, 4096) + b'code')
    (tmp_path / 'list').write_text('# a comment\n\nbin/one=src/a\nbin/two=src/sub/b\n')
    return tmp_path


ALL = ['-k', 'kernel', '-a', 'x64', '-c', 'one two', '-c', 'three', '-f', 'list', '-d', 'pkg=src', 'top=src/sub/b']


@pytest.mark.parametrize('crc', [[], ['--crc']], ids=['plain', 'crc'])
def test_what_goes_in_comes_out(mkzbi, inputs, crc):
    mkzbi('create', '-o', 'image', *ALL, *crc)
    mkzbi('verify', 'image')
    mkzbi('extract', '-d', 'out', 'image')
    found = {str(path.relative_to(inputs / 'out')): path.read_bytes()
             for path in (inputs / 'out').rglob('*') if path.is_file()}
    one = (inputs / 'src/a').read_bytes()
    assert found == {'bin/one': one, 'bin/two': b'b', 'pkg/a': one, 'pkg/empty': b'', 'pkg/sub/b': b'b', 'top': b'b'}
    mkzbi('extract', '-i', '-d', 'items', 'image')
    kernel = (inputs / 'kernel').read_bytes()
    assert (inputs / 'items/0-KERNEL_X64').read_bytes() == kernel + bytes(4096 - 32 - len(kernel))
    assert (inputs / 'items/1-CMDLINE').read_bytes() == b'one two\0'
    assert (inputs / 'items/2-CMDLINE').read_bytes() == b'three\0'


def test_files_lie_on_pages_of_the_image(mkzbi, inputs):
    mkzbi('create', '-o', 'image', *ALL)
    image = (inputs / 'image').read_bytes()
    assert image.index((inputs / 'src/a').read_bytes()) % 4096 == 0


def test_archive_is_what_an_image_has_in_it(mkzbi, inputs):
    """A package partition begins with it (boot/README.md)."""
    files = ['-d', 'pkg/mine=src', '-f', 'list', 'top=kernel']
    mkzbi('archive', '-o', 'archive', *files)
    archive = (inputs / 'archive').read_bytes()
    mkzbi('create', '-o', 'image', *files)
    image = (inputs / 'image').read_bytes()
    assert archive[:4] == BOOTFS_MAGIC and len(archive) % 4096 == 0
    assert image.index(BOOTFS_MAGIC) % 4096 == 0
    assert image[image.index(BOOTFS_MAGIC):].rstrip(b'\0') == archive.rstrip(b'\0')
    # By its own directory: the offset of a file, whose bytes are there and on a page.
    entry = archive.index(b'pkg/mine/a\0')
    _, size, offset = struct.unpack_from('<III', archive, entry - 12)
    assert (size, offset % 4096) == (5120, 0)
    assert archive[offset:offset + size] == (inputs / 'src/a').read_bytes()


def test_archive_of_nothing_is_empty(mkzbi, inputs):
    mkzbi('archive', '-o', 'archive')
    archive = (inputs / 'archive').read_bytes()
    assert archive[:8] == BOOTFS_MAGIC + bytes(4) and not any(archive[8:])


@pytest.mark.parametrize('arguments, error', [
    ([], 'mkzbi: archive: say where the archive goes: -o FILE'),
    (['-o', 'archive', 'a=src/a', 'a/b=kernel'], 'mkzbi: "a": the name is given twice, or is a directory as well'),
    (['-o', 'archive', 'a=missing'], 'mkzbi: missing: No such file or directory'),
    (['-o', 'archive', '/a=kernel'], 'mkzbi: "/a" is not a name for a file in the image; write a relative path of at most 255 '
                                     'bytes without empty, "." or ".." parts'),
    (['-o', 'none/archive', 'a=kernel'], 'mkzbi: none/archive: cannot be written: No such file or directory'),
])
def test_archive_refuses(mkzbi, inputs, arguments, error):
    mkzbi('archive', *arguments, error=error)
    assert not (inputs / 'archive').exists()


def test_same_inputs_give_same_bytes(mkzbi, inputs):
    mkzbi('create', '-o', 'first', 'x=src/a', 'a=kernel', 'm=list')
    mkzbi('create', '-o', 'second', 'm=list', 'x=src/a', 'a=kernel')
    assert (inputs / 'first').read_bytes() == (inputs / 'second').read_bytes()


def test_list_shows_items_and_files(mkzbi, inputs):
    mkzbi('create', '-o', 'image', '-c', 'tame\x1b[2J', 'x=src/sub/b')
    assert mkzbi('list', 'image') == ('0x00000040          9  CMDLINE "tame\\x1b[2J"\n'
                                      '0x00000070       3952  DISCARD\n'
                                      '0x00001000       8192  BOOTFS\n'
                                      '    0x00001000          1  x\n')


@pytest.mark.parametrize('arguments, error', [
    (['a=src/a', 'a=kernel'], 'mkzbi: "a": the name is given twice, or is a directory as well'),
    (['a=src/a', 'a/b=kernel'], 'mkzbi: "a": the name is given twice, or is a directory as well'),
    (['a=missing'], 'mkzbi: missing: No such file or directory'),
    (['a=src'], 'mkzbi: src: not a regular file'),
    (['word'], 'mkzbi: "word" is not DEST=SRC'),
    (['../a=kernel'], 'mkzbi: "../a" is not a name for a file in the image; write a relative path of at most 255 '
                      'bytes without empty, "." or ".." parts'),
    (['-k', 'kernel'], 'mkzbi: --kernel FILE and --arch x64|arm64 go together'),
    (['-k', 'kernel', '-a', 'mips'], 'mkzbi: --arch: "mips" is not an architecture; write x64 or arm64'),
    (['-k', 'src/sub/b', '-a', 'x64'], 'mkzbi: src/sub/b: 1 bytes are too few for a kernel'),
    (['-f', 'bad-list'], 'mkzbi: bad-list:2: "nothing" is not DEST=SRC'),
])
def test_create_refuses(mkzbi, inputs, arguments, error):
    (inputs / 'bad-list').write_text('a=kernel\nnothing\n')
    mkzbi('create', '-o', 'image', *arguments, error=error)
    assert not (inputs / 'image').exists()


def test_damaged_images_are_refused_with_offset_and_reason(mkzbi, inputs):
    mkzbi('create', '-o', 'image', '--crc', *ALL)
    image = bytearray((inputs / 'image').read_bytes())
    (inputs / 'short').write_bytes(image[:5000])
    mkzbi('verify', 'short', error='mkzbi: short: offset 0x4: the container is longer than the data')
    image[0x42] ^= 1
    (inputs / 'flipped').write_bytes(image)
    mkzbi('list', 'flipped', error="mkzbi: flipped: offset 0x3c: the item's CRC does not match its contents")
    (inputs / 'empty').write_bytes(b'')
    mkzbi('extract', '-d', 'out', 'empty',
          error="mkzbi: empty: offset 0x0: the data ends within the container's 32-byte header")


def test_archive_cannot_write_outside_the_folder(mkzbi, inputs):
    mkzbi('create', '-o', 'image', 'ab/x=kernel')
    image = (inputs / 'image').read_bytes().replace(b'ab/x\0', b'../x\0')
    (inputs / 'evil').write_bytes(image)
    mkzbi('extract', '-d', 'out', 'evil',
          error='mkzbi: evil: offset 0x101c: the file name is not a plain relative path')
    assert not (inputs / 'x').exists()


def test_compressed_archive_is_carried_but_not_opened(mkzbi, inputs):
    """Zircon's own images have one."""
    mkzbi('create', '-o', 'image', 'file=src/a')
    image = bytearray((inputs / 'image').read_bytes())
    at = image.index(b'BFSB')
    image[at + 12] |= 1
    (inputs / 'image').write_bytes(image)
    assert 'BOOTFS' in mkzbi('list', 'image')
    assert mkzbi('verify', 'image').endswith('good\n')
    mkzbi('extract', '-d', 'out', 'image', error=f'mkzbi: image: offset 0x{at + 32:x}: a compressed archive is not supported')


def test_full_disk_is_told_and_leaves_what_was_there(tool, tmp_path, inputs):
    """A limit for the size of files stands for the full disk; 4 KiB of the image fit."""
    output = tmp_path / 'image.zbi'
    output.write_bytes(b'old')
    done = subprocess.run([tool, 'archive', '-o', output, '--dir', f'src={tmp_path}/src'], capture_output=True, text=True,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)), restore_signals=False)
    assert (done.returncode, done.stderr) == (1, f'mkzbi: {output}: cannot be written: File too large\n')
    assert output.read_bytes() == b'old'
    assert not (tmp_path / 'image.zbi.tmp').exists()


def test_device_is_written_to_and_not_replaced(mkzbi, tmp_path, inputs):
    link = tmp_path / 'device'  # what would be replaced is the link
    link.symlink_to('/dev/full')
    mkzbi('archive', '-o', link, '--dir', f'src={tmp_path}/src', error=f'mkzbi: {link}: cannot be written: No space left on device')
    assert link.is_symlink()
