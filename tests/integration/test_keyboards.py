"""Keyboards on USB and virtio: what is typed arrives, all of it, once and in order, also when they come and go.

Machina runs tests/system/programs/keyboard_monitor.c in place of its shell, which takes the keys as the screen does.
"""

import pytest

from harness.machine import Machina
from harness.paths import TOP
from harness.qmp import Qmp

# QEMU's names and the usages of the keyboard page.
USAGES = {
    **{chr(ord('a') + i): 0x04 + i for i in range(26)},
    **{str(i): 0x1e + (i - 1) % 10 for i in range(10)},
    'ret': 0x28, 'esc': 0x29, 'backspace': 0x2a, 'tab': 0x2b, 'spc': 0x2c, 'minus': 0x2d, 'equal': 0x2e, 'bracket_left': 0x2f,
    'bracket_right': 0x30, 'backslash': 0x31, 'semicolon': 0x33, 'apostrophe': 0x34, 'grave_accent': 0x35, 'comma': 0x36,
    'dot': 0x37, 'slash': 0x38, 'caps_lock': 0x39, **{f'f{i}': 0x39 + i for i in range(1, 13)}, 'scroll_lock': 0x47,
    'insert': 0x49, 'home': 0x4a, 'pgup': 0x4b, 'delete': 0x4c, 'end': 0x4d, 'pgdn': 0x4e, 'right': 0x4f, 'left': 0x50,
    'down': 0x51, 'up': 0x52, 'num_lock': 0x53, 'kp_divide': 0x54, 'kp_multiply': 0x55, 'kp_subtract': 0x56, 'kp_add': 0x57,
    'kp_enter': 0x58, **{f'kp_{i}': 0x59 + (i - 1) % 10 for i in range(10)}, 'kp_decimal': 0x63, 'less': 0x64,
    'ctrl': 0xe0, 'shift': 0xe1, 'alt': 0xe2, 'meta_l': 0xe3, 'ctrl_r': 0xe4, 'shift_r': 0xe5, 'alt_r': 0xe6, 'meta_r': 0xe7,
}

# Each kind of keyboard: the devices that the machine starts with, and what plugs another one in.
CONTROLLER = ['-device', 'qemu-xhci,id=usb']
USB = CONTROLLER + ['-device', 'usb-kbd,bus=usb.0,port=1,id=keyboard']
USB_BEHIND_HUB = CONTROLLER + ['-device', 'usb-hub,bus=usb.0,port=1,id=hub', '-device', 'usb-kbd,bus=usb.0,port=1.3,id=keyboard']
VIRTIO = ['-device', 'virtio-keyboard-pci']
KINDS = {'usb': USB, 'usb behind a hub': USB_BEHIND_HUB, 'virtio': VIRTIO}
UNPLUGGED_KINDS = ['usb', 'usb behind a hub']


class MonitoredKeyboards:
    """A machine whose console shows keys, and QEMU's monitor."""

    def __init__(self, config, name, tmp_path, devices):
        path = tmp_path / 'qmp'
        self.machine = Machina(config, config.log_folder / f'{name}.log', cpus=2, memory='1G',
                               images=TOP / 'build' / config.architecture.name / 'test',
                               cmdline='machina.devices=no machina.run=keyboard_monitor',
                               qemu_options=[*Qmp.options(path), *devices])
        self.machine.expect('keyboard_monitor waits', 90)
        self.qmp = Qmp(path)

    def expect(self, pattern):
        return self.machine.expect(pattern + r'\r*\n', 60)

    def expect_keys(self, keyboard, changes):
        """Exactly these, with nothing between them that is a key."""
        for usage, is_down in changes:
            match = self.expect(r'keyboard (\d+): (\w\w) (down|up)')
            assert match.groups() == (str(keyboard), f'{usage:02x}', 'down' if is_down else 'up')

    def expect_typed(self, keyboard, *keys):
        self.expect_keys(keyboard, [(USAGES[key], is_down) for key in keys for is_down in (True, False)])

    def expect_nothing_more(self, keyboard):
        """What is typed last comes next."""
        self.qmp.type('f12')
        self.expect_typed(keyboard, 'f12')

    def close(self):
        self.qmp.close()
        self.machine.close()


@pytest.fixture
def keyboards(request, tmp_path):
    made = []

    def make(devices):
        made.append(MonitoredKeyboards(request.config, request.node.name.replace(' ', '-'),
                                       tmp_path, devices))
        request.node.machines = [(made[-1].machine, 0)]
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize('kind', KINDS)
def test_keyboard_tells_every_key_once_and_in_order(keyboards, kind):
    run = keyboards(KINDS[kind])
    run.expect('keyboard 0 connected')
    for key in USAGES:
        run.qmp.type(key)
        run.expect_typed(0, key)
    # Several at once, and a modifier around them.
    for key in ['shift', 'a', 's', 'd']:
        run.qmp.press(key)
    for key in ['s', 'shift', 'a', 'd']:
        run.qmp.press(key, down=False)
    run.expect_keys(0, [(0xe1, True), (0x04, True), (0x16, True), (0x07, True), (0x16, False), (0xe1, False), (0x04, False),
                        (0x07, False)])
    # The monitor lights indicators with these two; what QEMU does with them is not to be seen, but keys go on.
    for key in ['caps_lock', 'num_lock', 'caps_lock', 'num_lock']:
        run.qmp.type(key)
        run.expect_typed(0, key)
    run.expect_nothing_more(0)


@pytest.mark.parametrize('kind', UNPLUGGED_KINDS)
def test_keyboard_that_is_unplugged_lets_its_keys_go(keyboards, kind):
    run = keyboards(KINDS[kind])
    run.expect('keyboard 0 connected')
    run.qmp.press('q')
    run.expect_keys(0, [(USAGES['q'], True)])
    run.qmp.remove_device('keyboard')
    run.expect_keys(0, [(USAGES['q'], False)])
    run.expect('keyboard 0 closed')


def test_usb_keyboards_come_and_go(keyboards):
    run = keyboards(CONTROLLER)
    for number in range(3):
        run.qmp.add_device('usb-kbd', id=f'keyboard{number}', bus='usb.0', port=str(1 + number))
        run.expect(f'keyboard {number} connected')
        run.qmp.type('h', 'i')
        run.expect_typed(number, 'h', 'i')
        run.qmp.remove_device(f'keyboard{number}')
        run.expect(f'keyboard {number} closed')


def test_usb_hub_with_its_keyboards_comes_and_goes(keyboards):
    run = keyboards(CONTROLLER)
    for number in range(2):
        run.qmp.add_device('usb-hub', id='hub', bus='usb.0', port='1')
        run.expect(r'log: xhci .*: port \d+: device \w+:\w+ is a hub')
        run.qmp.add_device('usb-kbd', id='keyboard', bus='usb.0', port='1.2')
        run.expect(f'keyboard {number} connected')
        run.qmp.type('x')
        run.expect_typed(number, 'x')
        run.qmp.remove_device('hub')
        run.expect(f'keyboard {number} closed')


def test_usb_device_that_is_no_keyboard_is_left_alone(keyboards):
    run = keyboards(CONTROLLER + ['-device', 'usb-mouse,bus=usb.0,port=1', '-device', 'usb-kbd,bus=usb.0,port=2'])
    run.expect(r'log: xhci .*: device \w+:\w+ is neither a boot keyboard nor a disk; not used')
    run.expect(r'keyboard 0 connected')
    run.qmp.type('y')
    run.expect_typed(0, 'y')


def test_usb_hub_behind_a_hub_is_refused(keyboards):
    run = keyboards(USB_BEHIND_HUB + ['-device', 'usb-hub,bus=usb.0,port=1.1'])
    run.expect('log: xhci .*: a hub that is not used: it is behind another hub')
    run.expect(r'keyboard 0 connected')
    run.qmp.type('y')
    run.expect_typed(0, 'y')


def test_virtio_device_that_is_no_keyboard_is_left_alone(keyboards):
    run = keyboards(['-device', 'virtio-mouse-pci', '-device', 'virtio-tablet-pci', *VIRTIO])
    run.expect('keyboard 0 connected')
    run.qmp.type('y')
    run.expect_typed(0, 'y')
    # Each has a driver of its own, which may have said this long before.
    while run.machine.log_path.read_text(encoding='utf-8', errors='replace').count('it is not a keyboard; not used') < 2:
        run.expect('it is not a keyboard; not used[^\n]*')


def test_keyboards_of_all_kinds_work_side_by_side(keyboards):
    run = keyboards([*USB, *VIRTIO])
    run.expect('keyboard 0 connected')
    run.expect('keyboard 1 connected')
    # QEMU types on one of them only: on that which came last.
    run.qmp.type('a', 'b', 'c')
    typed = [run.expect(r'keyboard \d: (\w\w) (down|up)').groups() for _ in range(6)]
    assert typed == [(f'{USAGES[key]:02x}', what) for key in 'abc' for what in ('down', 'up')]
