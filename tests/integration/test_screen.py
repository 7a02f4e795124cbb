"""The screen: what is typed on a keyboard and shown in the picture, on several consoles."""

import re
import shutil
import subprocess

import pytest

from harness.console import start_console
from harness.paths import TOP
from harness.qmp import Qmp
from harness.screen import Screen

CONFIG = """
set timeout=0
insmod all_video
menuentry Machina {
    multiboot /boot/machina.bin
    module /boot/machina.zbi
}
"""

# Shown by cat: a colour on another, bold, reversed, lines by both ways, and text that is not UTF-8.
COLORS = ('plain\x1b[31;44mcolored\x1b[0m\x1b[1mbold\x1b[0m\x1b[7mreversed\x1b[0m\n'
          '\x1b(0lqk\x1b(B \u2554\u2550\u2557 caf\u00e9 ').encode() + b'\xff\xfe!\n'
NUMBERS = ''.join(f'line {i}\n' for i in range(1, 101))

PROMPT = 'machina$ '

RED, BLUE, WHITE, GREY, BLACK = (187, 0, 0), (60, 90, 220), (255, 255, 255), (192, 192, 192), (0, 0, 0)

pytestmark = pytest.mark.only('x64')


def make_disk(folder, packages):
    """An optical disk whose GRUB sets a video mode for Machina."""
    build = TOP / 'build/x64'
    tree = folder / 'tree'
    files = folder / 'files'
    (tree / 'boot/grub').mkdir(parents=True)
    (tree / 'boot/grub/grub.cfg').write_text(CONFIG)
    shutil.copy(build / 'machina-video.bin', tree / 'boot/machina.bin')
    files.mkdir()
    (files / 'colors').write_bytes(COLORS)
    (files / 'numbers').write_text(NUMBERS)
    subprocess.run([TOP / 'build/host/mkzbi', 'create', '-o', tree / 'boot/machina.zbi', '--dir', f'bin={build}/bin',
                    '--dir', f'text={files}', '--dir', f'pkg/tiny_guest={packages}/tiny_guest'], check=True)
    disk = folder / 'disk.iso'
    subprocess.run(['grub-mkrescue', '-o', disk, tree], check=True, capture_output=True)
    return disk


class ScreenMachine:
    """A PC with a screen: `screen` for it and its keyboard, `serial` for its serial port."""

    def __init__(self, request, folder, disk, machine='q35'):
        name = request.node.name if request.scope == 'function' else 'screen'
        self.log_path = request.config.log_folder / f'{name}.log'
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.log = open(self.log_path, 'w', encoding='utf-8')
        self.qmp = None
        self.serial = start_console(
            'qemu-system-x86_64',
            ['-machine', machine, '-cpu', 'max,+svm,+npt,-la57', '-m', '1G', '-smp', '2', '-nographic', '-vga', 'std',
             '-nic', 'none', '-no-reboot', '-boot', 'd', '-cdrom', disk, *Qmp.options(folder / 'qmp')], 120, self.log)
        try:
            self.serial.expect_exact(PROMPT)
            self.qmp = Qmp(folder / 'qmp')
            self.screen = Screen(self.qmp, folder / 'picture.ppm')
        except BaseException:
            self.close()
            raise

    def run_on_serial(self, command):
        self.serial.send(command + '\r')
        self.serial.expect('\n')
        self.serial.expect_exact(PROMPT)
        return self.serial.before

    def close(self):
        if self.qmp is not None:
            self.qmp.close()
        self.serial.close(force=True)
        self.log.close()


@pytest.fixture(scope='module')
def disk(tmp_path_factory, images):
    return make_disk(tmp_path_factory.mktemp('disk'), images / 'packages')


@pytest.fixture(scope='module')
def pc(request, tmp_path_factory, disk):
    """One machine for all tests here: each of them chooses its console and clears it."""
    machine = ScreenMachine(request, tmp_path_factory.mktemp('pc'), disk)
    yield machine
    machine.close()


@pytest.fixture
def screen(pc):
    """The first console with an empty line at its top."""
    pc.screen.chord('alt', 'f1')
    pc.screen.chord('ctrl', 'c')
    pc.screen.chord('ctrl', 'l')
    pc.screen.expect(r'\A' + re.escape(PROMPT.rstrip()) + r'\Z')
    return pc.screen


def test_screen_shows_the_log_and_then_the_shell(pc):
    text = '\n'.join(pc.screen.expect(re.escape(PROMPT.rstrip()) + r'\Z').lines())
    assert re.search(r'^\[ +0\.\d+\] Machina .*\n(?:.*\n)*.*hypervisor: ', text)
    assert text.index('hypervisor: ') < text.index('help lists the commands')


def test_screen_is_as_large_as_it_was_asked_to_be(pc):
    picture = pc.screen.picture()
    assert (picture.width, picture.height, picture.columns, picture.rows) == (1024, 768, 128, 48)


def test_keys_become_characters_and_controls(screen):
    screen.type('echo Hello, World! "a_b" c:/d|;~=')
    screen.expect(r'\$ echo Hello, World! "a_b" c:/d\|;~=$')
    # Edited: three characters taken away, Home, one put in front; then given up.
    for key in ('backspace', 'backspace', 'backspace', 'home'):
        screen.chord(key)
    screen.type('x')
    screen.expect(r'\$ xecho Hello, World! "a_b" c:/d\|$')
    screen.chord('ctrl', 'c')
    screen.expect(r'\^C\nmachina\$$')
    screen.type('echo one\n')
    screen.expect(r'^one$')
    screen.chord('up')
    screen.expect(r'\$ echo one\Z')


def test_caps_lock_shifts_letters_until_it_is_pressed_again(screen):
    screen.chord('caps_lock')
    screen.type('ab1')
    screen.chord('shift', 'c')
    screen.chord('caps_lock')
    screen.type('d')
    screen.expect(r'\$ AB1cd$')


def test_a_key_that_is_held_repeats_and_stops(screen):
    screen.qmp.press('k')
    screen.expect(r'\$ kkk')
    screen.qmp.press('k', down=False)
    screen.type('x')
    line = screen.expect(r'\$ k+x').lines()[0]
    screen.type('y')
    assert screen.expect(r'xy').lines()[0] == line + 'y'


def test_text_scrolls_and_can_be_looked_back_at(screen):
    screen.type('cat text/numbers\n')
    lines = screen.expect(r'^line 100\nmachina\$\Z').lines()
    assert lines == [f'line {i}' for i in range(54, 101)] + ['machina$']
    screen.chord('shift', 'pgup')
    assert screen.expect(r'^line 77\Z').lines() == [f'line {i}' for i in range(30, 78)]
    screen.chord('shift', 'pgdn')
    assert screen.expect(r'machina\$\Z').lines() == lines
    # What is typed shows where it goes to.
    screen.chord('shift', 'pgup')
    screen.expect(r'^line 77\Z')
    screen.type('x')
    screen.expect(r'^machina\$ x\Z')


def cells_of(picture, text):
    row, column = picture.find(text)
    return [picture.cell(row, column + i) for i in range(len(text))]


def test_colors_attributes_lines_and_bad_text(screen):
    screen.type('cat text/colors\n')
    picture = screen.expect(r'^plaincoloredboldreversed\n(?:.*\n)machina\$\Z')
    assert {(cell.ink, cell.paper) for cell in cells_of(picture, 'plain')} == {(GREY, BLACK)}
    assert {(cell.ink, cell.paper) for cell in cells_of(picture, 'colored')} == {(RED, BLUE)}
    assert {(cell.ink, cell.paper) for cell in cells_of(picture, 'bold')} == {(WHITE, BLACK)}
    assert {(cell.ink, cell.paper) for cell in cells_of(picture, 'reversed')} == {(BLACK, GREY)}
    assert picture.lines()[2] == '\u250c\u2500\u2510 \u2554\u2550\u2557 caf\u00e9 \ufffd\ufffd!'
    # The cursor is a block at the end.
    row, column = picture.find(PROMPT.rstrip())
    cursor = picture.cell(row, column + len(PROMPT))
    assert cursor.paper == GREY


def test_consoles_are_apart_and_keep_what_they_show(pc, screen):
    screen.type('echo first')
    screen.expect(r'\$ echo first$')
    before = screen.picture().lines()
    screen.chord('alt', 'f2')
    assert 'first' not in '\n'.join(screen.expect(r'^Machina\..*\nmachina\$\Z').lines())
    screen.type('echo second\n')
    screen.expect(r'^second\nmachina\$\Z')
    screen.chord('alt', 'f5')
    assert 'machina$' not in '\n'.join(screen.expect(r'^\[ +0\.\d+\].*hypervisor: ').lines())
    screen.chord('alt', 'right')
    assert screen.expect(r'echo first\Z').lines() == before
    screen.chord('alt', 'left')
    screen.chord('alt', 'left')
    screen.chord('alt', 'left')
    screen.chord('alt', 'left')
    screen.expect(r'^second\nmachina\$\Z')
    # A shell for each console that was shown, and that on the serial port.
    assert pc.run_on_serial('ps').count('  shell') == 5
    assert 'third' in pc.run_on_serial('echo third')


def test_a_guest_is_attached_on_the_console_where_it_was_launched(pc, screen):
    screen.chord('alt', 'f2')
    screen.type('guest launch tiny_guest\n')
    screen.expect(r'^\[guest \d+: Ctrl-\] then d detaches\]$')
    screen.chord('alt', 'f1')
    screen.type('guest list\n')
    screen.expect(r'tiny_guest')
    screen.chord('alt', 'f2')
    screen.expect(r'^\[guest \d+: Ctrl-\] then d detaches\]$')


def test_a_machine_without_a_keyboard_controller_comes_up(request, tmp_path, disk):
    machine = ScreenMachine(request, tmp_path, disk, 'q35,i8042=off')
    try:
        machine.screen.expect(re.escape(PROMPT.rstrip()) + r'\Z')
        assert 'PS/2 controller: there is none' in machine.run_on_serial('dmesg')
    finally:
        machine.close()


def test_a_screen_that_ends_takes_its_shells_with_it(request, tmp_path, disk):
    machine = ScreenMachine(request, tmp_path, disk)
    try:
        machine.screen.expect(re.escape(PROMPT.rstrip()) + r'\Z')
        screen = re.search(r'^ *(\d+) .*\bscreen\b', machine.run_on_serial('ps'), re.MULTILINE).group(1)
        machine.run_on_serial(f'kill {screen}')
        assert any('init: terminal 1 is gone' in machine.run_on_serial('dmesg') for _ in range(100))
        # No other shell is begun there, and the serial port's goes on.
        for _ in range(8):
            assert machine.run_on_serial('ps').count('  shell') == 1
        assert machine.run_on_serial('dmesg').count('is gone') == 1
    finally:
        machine.close()
