"""Guests from packages on the host's disks: each kind of disk, writes that stay, disks that fail or vanish."""

import json
import re
import shutil

import pytest

from harness.disk_images import disk_image, package_archive
from harness.guests import LinuxGuest, launch_detached, list_guests, wait_until
from harness.machine import Machina
from harness.paths import TOP
from harness.qmp import Qmp

SECTOR_BYTES = 512
DATA_SECTORS = 4096
PACKAGE = 'disk_guest'
SECOND_PACKAGE = 'second_disk_guest'  # whose configuration has no disk that is written
READ_ONLY, WRITABLE = '/dev/vdb', '/dev/vdc'
DEVICES = {
    'virtio': ['-device', 'virtio-blk-pci,drive=disk,id=device'],
    'nvme': ['-device', 'nvme,drive=disk,serial=machina,id=device'],
    'ahci': ['-device', 'ich9-ahci,id=device', '-device', 'ide-hd,drive=disk,bus=device.0'],
    'usb': ['-device', 'qemu-xhci,id=device', '-device', 'usb-storage,drive=disk,bus=device.0,port=1,id=stick'],
}

SMALL_QUEUE = {'virtio, small queue': ['-device', 'virtio-blk-pci,drive=disk,queue-size=8,seg-max-adjust=off']}

# Where a stick is: on a port of the controller, or of a hub.
CONTROLLER = ['-device', 'qemu-xhci,id=usb']
STICK_PLACES = {'port': (CONTROLLER, '1'), 'hub': (CONTROLLER + ['-device', 'usb-hub,bus=usb.0,port=1'], '1.2')}


def sector_text(number):
    return (f'sector {number:08}\n' * (SECTOR_BYTES // 16)).encode()


class Disk:
    """A disk image with the package, and where its files are."""

    def __init__(self, arch, folder):
        product = TOP / 'build' / arch / 'packages/linux_guest'
        package = folder / 'package'
        shutil.copytree(product, package)
        data = b''.join(sector_text(number) for number in range(DATA_SECTORS))
        (package / 'data/pattern.img').write_bytes(data)
        (package / 'data/scratch.img').write_bytes(data)
        path = package / 'data/guest.cfg'
        config = json.loads(path.read_text())
        config['block'] = [config['block'], 'data/pattern.img,ro', 'data/scratch.img,rw']
        path.write_text(json.dumps(config))
        second = folder / 'second'
        shutil.copytree(package, second)
        config['block'] = config['block'][:2]
        (second / 'data/guest.cfg').write_text(json.dumps(config))
        archive = folder / 'packages.archive'
        package_archive(archive, {PACKAGE: package, SECOND_PACKAGE: second})
        self.path = folder / 'disk.img'
        self.start = disk_image(self.path, [archive])[0]
        self.offset = self._offset_of(archive, 'scratch.img')
        self.pattern_offset = self._offset_of(archive, 'pattern.img')

    def _offset_of(self, archive, name):
        """By the archive's directory: entries of three words and the name."""
        data = archive.read_bytes()
        at = data.index(name.encode() + b'\0')
        entry = data.rindex(f'pkg/{PACKAGE}'.encode(), 0, at) - 12
        return self.start + int.from_bytes(data[entry + 8:entry + 12], 'little')

    def scratch_sector(self, number):
        with open(self.path, 'rb') as disk:
            disk.seek(self.offset + number * SECTOR_BYTES)
            return disk.read(SECTOR_BYTES)


@pytest.fixture(scope='module')
def disk(request, tmp_path_factory):
    return Disk(request.config.architecture.name, tmp_path_factory.mktemp('disks'))


def boot(request, options, cmdline=''):
    config = request.config
    machine = Machina(config, config.log_folder / f'{request.node.name.replace("/", "_")}.log', memory='2G',
                      images=TOP / 'build' / config.architecture.name, cmdline=cmdline, qemu_options=options)
    request.addfinalizer(machine.close)
    machine.wait_for_prompt()
    return machine


def drive(disk, more=''):
    return ['-drive', f'file={disk.path},if=none,id=disk,format=raw{more}']


def wait_for_package(machine):
    wait_until(machine, lambda: PACKAGE in machine.run('guest packages').split())


def read_sector(linux, device, number):
    return linux.run(f'dd if={device} bs={SECTOR_BYTES} skip={number} count=1 iflag=direct 2>/dev/null | head -c 16')


@pytest.mark.parametrize('device', DEVICES | SMALL_QUEUE)
def test_guest_runs_from_a_package_on_the_disk(request, disk, device):
    machine = boot(request, drive(disk) + (DEVICES | SMALL_QUEUE)[device])
    wait_for_package(machine)
    linux = LinuxGuest(machine, PACKAGE)
    for number in [0, 1, 7, 8, 9, DATA_SECTORS - 1]:
        assert read_sector(linux, READ_ONLY, number) == f'sector {number:08}\n'
    # All of it, in large pieces and past the page cache's pages.
    linux.run(f'dd if={READ_ONLY} of=/tmp/disk bs=96k 2>/dev/null')
    assert linux.run('uniq /tmp/disk | wc -l') == f'{DATA_SECTORS}\n'
    assert linux.run('uniq /tmp/disk | sort -c && echo sorted') == 'sorted\n'
    # Straight to a program's pages, which lie anywhere.
    linux.run(f'dd if={READ_ONLY} of=/tmp/direct bs=256k iflag=direct 2>/dev/null; cmp /tmp/disk /tmp/direct')
    # Several readers at once, each in a part of its own.
    part = DATA_SECTORS // 8
    linux.run(f'(for i in 0 1 2 3; do dd if={READ_ONLY} of=/tmp/part$i bs={SECTOR_BYTES} skip=$((i * {part})) count={part} '
              'iflag=direct 2>/dev/null & done; wait)')
    linux.run(f'cat /tmp/part0 /tmp/part1 /tmp/part2 /tmp/part3 >/tmp/half; head -c {4 * part * SECTOR_BYTES} /tmp/disk | cmp - /tmp/half')
    assert linux.run('cat /sys/block/vdb/ro /sys/block/vdc/ro').split() == ['1', '0']
    # What is written is on the host's disk, in its place and nowhere else.
    linux.run(f'yes {device} | head -c {3 * SECTOR_BYTES} >/tmp/new')
    linux.run(f'dd if=/tmp/new of={WRITABLE} bs={3 * SECTOR_BYTES} seek=5 count=1 oflag=direct conv=notrunc 2>/dev/null; sync')
    assert disk.scratch_sector(15).startswith(f'{device}\n'.encode())
    assert disk.scratch_sector(14) == sector_text(14)
    assert disk.scratch_sector(18) == sector_text(18)


@pytest.mark.parametrize('device', DEVICES)
def test_errors_of_the_disk_reach_the_guest_alone(request, disk, device):
    bad = (disk.pattern_offset + 1024 * SECTOR_BYTES) // SECTOR_BYTES
    file = json.dumps({'driver': 'raw', 'node-name': 'disk', 'file': {
        'driver': 'blkdebug', 'image': {'driver': 'file', 'filename': str(disk.path)},
        'inject-error': [{'event': 'none', 'iotype': 'read', 'errno': 5, 'sector': bad + i, 'once': False} for i in range(8)]}})
    options = [word.replace('drive=disk', 'drive=disk,rerror=report') if device != 'nvme' else word
               for word in DEVICES[device]]
    machine = boot(request, ['-blockdev', file] + options)
    wait_for_package(machine)
    linux = LinuxGuest(machine, PACKAGE)
    status, _ = linux.try_run(f'dd if={READ_ONLY} of=/dev/null bs={SECTOR_BYTES} skip=1024 count=1 iflag=direct 2>/dev/null')
    assert status != 0
    # The sectors beside it, and the other disks, are as they were.
    assert read_sector(linux, READ_ONLY, 1023) == f'sector {1023:08}\n'
    assert read_sector(linux, READ_ONLY, 1040) == f'sector {1040:08}\n'
    assert read_sector(linux, WRITABLE, 0) == f'sector {0:08}\n'
    linux.detach()
    assert list_guests(machine)[linux.id]['state'] == 'running'


@pytest.mark.parametrize('device', DEVICES)
def test_disk_that_vanishes_leaves_the_host_and_the_guest_running(request, disk, device, tmp_path):
    path = tmp_path / 'qmp'
    options = [*Qmp.options(path), '-device', 'pcie-root-port,id=bridge0,chassis=1,slot=1']
    machine = boot(request, drive(disk, ',snapshot=on') + options +
                   [word.replace('id=device', 'bus=bridge0,id=device') for word in DEVICES[device]])
    wait_for_package(machine)
    linux = LinuxGuest(machine, PACKAGE)
    assert read_sector(linux, READ_ONLY, 3) == f'sector {3:08}\n'
    # As if it were pulled out: from now on all its registers read as ones.
    Qmp(path).execute('qom-set', path='/machine/peripheral/device', property='realized', value=False)
    status, _ = linux.try_run(
        f'dd if={READ_ONLY} of=/dev/null bs={SECTOR_BYTES} skip=2000 count=1 iflag=direct 2>/dev/null', timeout=90)
    assert status != 0
    linux.detach()
    assert list_guests(machine)[linux.id]['state'] == 'running'
    assert ('device 46f4:0001 removed' if device == 'usb' else 'its requests fail from now on') in machine.run('dmesg')
    assert 'linux_guest' in machine.run('guest packages')


def end_program(machine, program):
    process, = re.findall(rf'^ *(\d+) .*\b{program}\b', machine.run('ps'), re.MULTILINE)
    assert machine.run(f'kill {process}') == ''


@pytest.mark.parametrize('device, program', [('virtio', 'virtio_block_driver'), ('nvme', 'nvme_driver'), ('ahci', 'ahci_driver'),
                                             ('usb', 'xhci_driver')])
def test_disk_is_switched_off_when_nobody_is_left_who_would(request, disk, device, program):
    machine = boot(request, drive(disk, ',snapshot=on') + DEVICES[device])
    wait_for_package(machine)
    linux = LinuxGuest(machine, PACKAGE)
    linux.run(f'(while dd if={READ_ONLY} of=/dev/null bs=1M iflag=direct 2>/dev/null; do :; done) >/dev/null 2>&1 & true')
    linux.detach()
    end_program(machine, 'device_manager')
    assert 'switched off' not in machine.run('dmesg')
    end_program(machine, program)
    wait_until(machine, lambda: 'was left on by who used it: switched off' in machine.run('dmesg'))
    assert list_guests(machine)[linux.id]['state'] == 'running'


def silent_disks(folder):
    """Options for a disk of each kind which answers what it is and reads one block, and then nothing for much longer than drivers
    wait: the second block comes when so many bytes a second allow it. QEMU stands still while it resets AHCI or a stick, until then."""
    image = folder / 'silent.img'
    with open(image, 'wb') as file:
        file.truncate(1 << 20)
    options = []
    for kind, bytes_per_second in ('virtio', 1), ('nvme', 1), ('ahci', 18), ('usb', 18):
        options += ['-drive', f'file={image},if=none,id=silent-{kind},format=raw,snapshot=on,'
                    f'throttling.bps-total={bytes_per_second}']
        options += [word.replace('=device', f'=device-{kind}').replace('drive=disk', f'drive=silent-{kind}')
                    for word in DEVICES[kind]]
    return options


def test_disk_that_never_answers_fails_its_requests_alone(request, disk, tmp_path):
    machine = boot(request, [*Qmp.options(tmp_path / 'qmp'), *silent_disks(tmp_path), *drive(disk, ',snapshot=on'),
                             *DEVICES['virtio']])
    # The good disk is found, and serves a guest, while the others are waited for.
    wait_for_package(machine)
    linux = LinuxGuest(machine, PACKAGE)
    assert read_sector(linux, READ_ONLY, 3) == f'sector {3:08}\n'
    # Now it falls silent, too. What waits when QEMU slows it down is answered yet.
    throttle = {f'{what}{which}': 0 for what in ('bps', 'iops') for which in ('', '_rd', '_wr')}
    Qmp(tmp_path / 'qmp').execute('block_set_io_throttle', device='disk', **{**throttle, 'bps': 1})
    read = f'dd if={READ_ONLY} of=/dev/null bs={SECTOR_BYTES} count=1 iflag=direct 2>/dev/null skip='
    statuses = [linux.try_run(read + str(2000 + number), timeout=120)[0] for number in range(3)]
    assert statuses[-1] != 0
    linux.detach()
    gone = 'it does not answer; its requests fail from now on'
    # The good one among them, and not the stick, which is dropped.
    wait_until(machine, lambda: machine.run('dmesg', timeout=90).count(gone) == len(DEVICES))
    wait_until(machine, lambda: 'does not carry out a command' in machine.run('dmesg', timeout=90))
    log = machine.run('dmesg')
    assert log.index(f'{disk.path.stat().st_size} bytes in blocks of') < log.index(gone)
    assert list_guests(machine)[linux.id]['state'] == 'running'
    # What is in memory is still known.
    assert {'linux_guest', PACKAGE} <= set(machine.run('guest packages').split())


@pytest.mark.parametrize('place', STICK_PLACES)
def test_stick_comes_and_goes_under_a_running_guest(request, disk, place, tmp_path):
    devices, port = STICK_PLACES[place]
    node = {'driver': 'raw', 'node-name': 'disk', 'read-only': True, 'file': {'driver': 'file', 'filename': str(disk.path)}}
    stick = {'bus': 'usb.0', 'port': port, 'drive': 'disk', 'id': 'stick'}
    machine = boot(request, [*Qmp.options(tmp_path / 'qmp'), '-blockdev', json.dumps(node), *devices])
    qmp = Qmp(tmp_path / 'qmp')
    assert PACKAGE not in machine.run('guest packages')
    for run in range(2):
        qmp.add_device('usb-storage', **stick)
        wait_for_package(machine)
        # The second guest finds a disk, while that of the first stays gone.
        linux = LinuxGuest(machine, SECOND_PACKAGE, '--memory 128M')
        assert read_sector(linux, READ_ONLY, 3) == f'sector {3:08}\n'
        linux.run(f'( (while dd if={READ_ONLY} of=/dev/null iflag=direct bs=64k 2>/dev/null; do :; done; : >/tmp/ended) & )')
        qmp.remove_device('stick')
        linux.run('while [ ! -e /tmp/ended ]; do sleep 1; done')
        status, _ = linux.try_run(f'dd if={READ_ONLY} of=/dev/null bs={SECTOR_BYTES} skip=2000 count=1 iflag=direct 2>/dev/null')
        assert status != 0
        linux.detach()
        assert list_guests(machine)[linux.id]['state'] == 'running'
        assert PACKAGE not in machine.run('guest packages')
    assert machine.run('dmesg').count('it has gone, and its packages with it') == 2
    qmp.close()


def test_sticks_are_told_apart_and_served_together(request, disk, tmp_path):
    sticks = []
    for number in range(2):
        image = tmp_path / f'{number}.img'
        shutil.copy(disk.path, image)
        sticks += ['-drive', f'file={image},if=none,id=disk{number},format=raw', '-device',
                   f'usb-storage,bus=usb.0,port={number + 1},drive=disk{number}']
    machine = boot(request, CONTROLLER + sticks)
    for number in range(2):
        is_seen = re.compile(rf'disk \S+ port {number + 1}: \d+ bytes in blocks of 512\n').search
        wait_until(machine, lambda: is_seen(machine.run('dmesg')))
    # That of the stick which was seen first.
    assert machine.run('guest packages').split().count(PACKAGE) == 1
    # Two guests with disks on one stick.
    guests = [LinuxGuest(machine, SECOND_PACKAGE, '--memory 128M')]
    guests[0].detach()
    guests.append(LinuxGuest(machine, SECOND_PACKAGE, '--memory 128M'))
    guests[1].run(f'(while :; do dd if={READ_ONLY} of=/dev/null iflag=direct bs=64k 2>/dev/null; done & )')
    guests[1].detach()
    guests[0].attach()
    guests[0].run(f'dd if={READ_ONLY} of=/tmp/disk bs=96k 2>/dev/null')
    assert guests[0].run('uniq /tmp/disk | wc -l') == f'{DATA_SECTORS}\n'
    assert guests[0].run('uniq /tmp/disk | sort -c && echo sorted') == 'sorted\n'


def test_disk_with_many_package_partitions_takes_no_place_of_those_before_it(request, disk, tmp_path):
    package, archive = tmp_path / 'package', tmp_path / 'crowd.archive'
    (package / 'data').mkdir(parents=True)
    (package / 'data/guest.cfg').write_text('{}')
    package_archive(archive, {'crowd_guest': package})
    disk_image(tmp_path / 'crowd.img', [archive] * 17)
    crowd = ['-drive', f'file={tmp_path}/crowd.img,if=none,id=crowd,format=raw', '-device', 'virtio-blk-pci,drive=crowd']
    machine = boot(request, drive(disk) + DEVICES['virtio'] + crowd)
    wait_until(machine, lambda: 'crowd_guest' in machine.run('guest packages').split())
    packages = machine.run('guest packages').split()
    assert PACKAGE in packages
    assert packages.count('crowd_guest') == 1
    assert machine.run('dmesg').count('too many package partitions') == 2  # of one disk, and in all


def test_package_is_taken_from_one_partition(request, disk, tmp_path):
    """Another disk has a package of the same name, with a file more."""
    other = tmp_path / 'other'
    (other / 'data').mkdir(parents=True)
    (other / 'data/guest.cfg').write_text('{}')
    (other / 'data/more.img').write_bytes(bytes(4096))
    package_archive(tmp_path / 'archive', {PACKAGE: other})
    disk_image(tmp_path / 'other.img', [tmp_path / 'archive'])
    machine = boot(request, [*drive(disk, ',snapshot=on'), *DEVICES['virtio'], '-drive',
                             f'file={tmp_path}/other.img,if=none,id=other,format=raw', '-device', 'virtio-blk-pci,drive=other'])
    wait_until(machine, lambda: machine.run('dmesg').count(' bytes in blocks of') == 2)
    refuse_launch(machine, PACKAGE, '--memory 128M --block data/more.img,ro', 'there is no such file in the package')


def refuse_launch(machine, package, options, expected):
    output = machine.run(f'guest launch -d {package} {options}')
    assert expected in ' '.join(output.split()), output


def test_guest_that_writes_is_refused_on_a_read_only_disk(request, disk):
    machine = boot(request, drive(disk, ',readonly=on') + DEVICES['virtio'])
    wait_for_package(machine)
    refuse_launch(machine, PACKAGE, '--memory 128M', "data/scratch.img: the host's disk is read-only")
    launch_detached(machine, SECOND_PACKAGE, '--memory 128M')


def test_file_that_a_guest_writes_is_no_other_guests(request, disk):
    small = '--memory 128M'
    scratch = 'data/scratch.img'
    machine = boot(request, drive(disk, ',snapshot=on') + DEVICES['virtio'])
    wait_for_package(machine)
    first = launch_detached(machine, PACKAGE, small)
    in_use = f'{scratch}: it is in use by guest {first}'
    refuse_launch(machine, PACKAGE, small, in_use)
    # The other package's file of that name is another file, which guests can read together ...
    readers = [launch_detached(machine, SECOND_PACKAGE, f'{small} --block {scratch},ro') for _ in range(2)]
    refuse_launch(machine, SECOND_PACKAGE, f'{small} --block {scratch},rw', f'{scratch}: it is in use by guest {readers[0]}')
    for reader in readers:
        machine.run(f'guest stop -f {reader}')
    # ... or one write: an override says so as well as the configuration.
    writer = launch_detached(machine, SECOND_PACKAGE, f'{small} --block {scratch},rw')
    refuse_launch(machine, SECOND_PACKAGE, f'{small} --block {scratch},ro', f'{scratch}: it is in use by guest {writer}')
    launch_detached(machine, SECOND_PACKAGE, small)
    # When its run has ended the file is free.
    machine.run(f'guest stop -f {first}')
    launch_detached(machine, PACKAGE, small)


def test_file_that_is_two_disks_is_not_written(request, disk):
    machine = boot(request, drive(disk, ',snapshot=on') + DEVICES['virtio'])
    wait_for_package(machine)
    refuse_launch(machine, PACKAGE, '--block data/pattern.img,rw', 'is two disks and one of them is rw')
