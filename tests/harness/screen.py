"""What a machine shows on its screen: QEMU's picture of it, read back as text by the glyphs of Machina's own font."""

import dataclasses
import re
import time

from harness.paths import TOP

GLYPH_COLUMNS, GLYPH_ROWS = 8, 16
GLYPH_LINE = re.compile(r'\{0x([0-9A-F]{4}), \{(.*)\}\},')


def read_font():
    """Characters by their rows, from what the build made of the drawings; the first of those that look alike."""
    font = {}
    for line in (TOP / 'build/host/glyph_table.c').read_text().splitlines():
        match = GLYPH_LINE.search(line)
        if match:
            rows = bytes(int(row, 16) for row in match[2].split(','))
            font.setdefault(rows, chr(int(match[1], 16)))
    return font


def scale_of(width, height):
    """As text_surface_scale() in user/portable/text_surface.c."""
    scale = 1
    while width // (GLYPH_COLUMNS * scale) > 160 and height // (GLYPH_ROWS * (scale + 1)) >= 24:
        scale += 1
    return scale


@dataclasses.dataclass(frozen=True)
class Cell:
    text: str  # '\0' for what is no glyph
    ink: tuple  # red, green, blue
    paper: tuple


class Picture:
    """A PPM file (P6), cut into cells."""

    def __init__(self, data, font):
        match = re.match(rb'P6\s+(\d+)\s+(\d+)\s+255\s', data)
        assert match, 'not a picture of QEMU'
        self.font = font
        self.width, self.height = int(match[1]), int(match[2])
        self.pixels = data[match.end():]
        self.scale = scale_of(self.width, self.height)
        self.columns = self.width // (GLYPH_COLUMNS * self.scale)
        self.rows = self.height // (GLYPH_ROWS * self.scale)
        self.left = (self.width - self.columns * GLYPH_COLUMNS * self.scale) // 2
        self.top = (self.height - self.rows * GLYPH_ROWS * self.scale) // 2
        self.known = {}

    def cell(self, row, column):
        start = self.left + column * GLYPH_COLUMNS * self.scale
        lines = []
        for y in range(GLYPH_ROWS):
            at = ((self.top + (row * GLYPH_ROWS + y) * self.scale) * self.width + start) * 3
            lines.append(self.pixels[at:at + GLYPH_COLUMNS * self.scale * 3])
        bits = b''.join(lines)
        if bits not in self.known:
            self.known[bits] = self.recognize(lines)
        return self.known[bits]

    def recognize(self, lines):
        step = 3 * self.scale
        pixels = [[tuple(line[x * step:x * step + 3]) for x in range(GLYPH_COLUMNS)] for line in lines]
        colors = {pixel for line in pixels for pixel in line}
        paper = pixels[0][0]
        if len(colors) == 1:
            return Cell(' ', paper, paper)
        if len(colors) == 2:
            for paper in (paper, next(iter(colors - {paper}))):
                rows = bytes(sum((pixel != paper) << (7 - x) for x, pixel in enumerate(line)) for line in pixels)
                if rows in self.font:
                    return Cell(self.font[rows], next(iter(colors - {paper})), paper)
        return Cell('\0', paper, paper)

    def lines(self):
        return [''.join(self.cell(row, column).text for column in range(self.columns)).rstrip()
                for row in range(self.rows)]

    def find(self, text):
        """Row and column of where it stands, the last one from the top."""
        for row, line in reversed(list(enumerate(self.lines()))):
            if text in line:
                return row, line.index(text)
        raise AssertionError(f'{text!r} is not on the screen:\n' + '\n'.join(self.lines()))


class Screen:
    """A machine's screen and its keyboard, by QEMU's monitor. Other keyboards than PS/2's drop what is typed faster than it is
    taken: wait for each character to be shown."""

    NAMES = {' ': 'spc', '\n': 'ret', '-': 'minus', '/': 'slash', '.': 'dot', ',': 'comma', ';': 'semicolon', '=': 'equal'}
    SHIFTED = {'_': 'minus', '|': 'backslash', '"': 'apostrophe', '!': '1', '~': 'grave_accent', ':': 'semicolon'}

    def __init__(self, qmp, path, is_ps2=True):
        self.qmp = qmp
        self.path = path
        self.is_ps2 = is_ps2
        self.font = read_font()

    def picture(self):
        self.qmp.execute('screendump', filename=str(self.path))
        return Picture(self.path.read_bytes(), self.font)

    def expect(self, pattern, timeout=60):
        """Waits until the text on the screen, which ends with the last row that is not blank, matches a regular expression, and
        returns the picture."""
        deadline = time.monotonic() + timeout
        while True:
            picture = self.picture()
            shown = '\n'.join(picture.lines()).rstrip('\n')
            if re.search(pattern, shown, re.MULTILINE):
                return picture
            assert time.monotonic() < deadline, f'the screen did not show {pattern!r} within {timeout} s but\n{shown}'
            time.sleep(0.2)

    def wait_until_taken(self, timeout=60):
        """QEMU keeps 16 bytes of scan codes and drops what comes beyond. None is left when the controller's status says so."""
        deadline = time.monotonic() + timeout
        while int(self.qmp.execute('human-monitor-command', **{'command-line': 'i /xb 0x64'}).split('=')[1], 16) & 1:
            assert time.monotonic() < deadline, f'nobody read the keyboard within {timeout} s'
            time.sleep(0.01)

    def chord(self, *keys):
        """Presses keys one after another and lets them go in reverse."""
        for key in keys:
            self.qmp.press(key)
        for key in reversed(keys):
            self.qmp.press(key, down=False)
        if self.is_ps2:
            self.wait_until_taken()

    def type(self, text):
        for character in text:
            if character.isupper() or character in self.SHIFTED:
                self.chord('shift', self.SHIFTED.get(character, character.lower()))
            else:
                self.chord(self.NAMES.get(character, character))
