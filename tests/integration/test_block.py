"""The disks of a guest: modes, borders, flush, discard."""

import pytest

from harness.guests import LinuxGuest

SECTOR_BYTES = 512
PATTERN_SECTORS = 2048
MEMORY_SECTORS = 16384
# fast_guest's disks.
ROOT, READ_ONLY, VOLATILE, MEMORY = '/dev/vda', '/dev/vdb', '/dev/vdc', '/dev/vdd'


@pytest.fixture
def linux(shared_linux):
    return shared_linux


def read_sector(linux, disk, number):
    return linux.run(f'dd if={disk} bs={SECTOR_BYTES} skip={number} count=1 iflag=direct 2>/dev/null | head -c 16')


def write_sector(linux, disk, number, text):
    """Writes past the page cache; returns dd's status."""
    linux.run(f'yes {text} | head -c {SECTOR_BYTES} >/tmp/sector')
    return linux.try_run(f'dd if=/tmp/sector of={disk} bs={SECTOR_BYTES} seek={number} count=1 oflag=direct'
                         ' conv=notrunc 2>/tmp/said')[0]


def drop_cache(linux):
    linux.run('sync; echo 3 >/proc/sys/vm/drop_caches')


def test_disks_are_what_the_package_says(linux):
    sizes = linux.run('cat /sys/block/vd*/size').split()
    assert sizes[1:] == [str(PATTERN_SECTORS), str(PATTERN_SECTORS), str(MEMORY_SECTORS)]
    assert linux.run('cat /sys/block/vd*/ro').split() == ['0', '1', '0', '0']
    assert linux.run('for disk in a b c d; do cat /sys/block/vd$disk/serial; echo; done').split() == [f'machina-disk-{i}' for i in range(4)]
    assert linux.run('cat /sys/block/vdb/queue/logical_block_size') == '512\n'
    assert linux.run('ls /sys/block/vdc/mq').split() == ['0', '1']  # a queue for each vCPU


@pytest.mark.parametrize('disk', [READ_ONLY, VOLATILE])
@pytest.mark.parametrize('number', [0, 1, 7, 8, PATTERN_SECTORS // 2, PATTERN_SECTORS - 2, PATTERN_SECTORS - 1])
def test_sector_is_read_from_its_place(linux, disk, number):
    assert read_sector(linux, disk, number) == f'sector {number:08}\n'


def test_whole_disk_is_read_as_it_is(linux):
    linux.run(f'dd if={READ_ONLY} of=/tmp/disk bs=64k 2>/dev/null')
    assert linux.run('wc -c </tmp/disk') == f'{PATTERN_SECTORS * SECTOR_BYTES}\n'
    assert linux.run('uniq /tmp/disk | wc -l') == f'{PATTERN_SECTORS}\n'
    assert linux.run('uniq /tmp/disk | sort -c && echo sorted') == 'sorted\n'


@pytest.mark.parametrize('number', [0, PATTERN_SECTORS - 1])
def test_read_only_disk_refuses_writes(linux, number):
    assert write_sector(linux, READ_ONLY, number, 'overwritten') != 0
    drop_cache(linux)
    assert read_sector(linux, READ_ONLY, number) == f'sector {number:08}\n'


@pytest.mark.parametrize('disk, sectors', [(VOLATILE, PATTERN_SECTORS), (MEMORY, MEMORY_SECTORS)])
def test_first_middle_and_last_sector_are_written_and_nothing_else(linux, disk, sectors):
    places = [0, sectors // 2, sectors - 1]
    neighbours = {number: read_sector(linux, disk, number) for place in places for number in (place - 1, place + 1)
                  if 0 <= number < sectors}
    for number in places:
        assert write_sector(linux, disk, number, f'new{number}') == 0
    drop_cache(linux)
    for number in places:
        assert read_sector(linux, disk, number).startswith(f'new{number}\n')
    for number, text in neighbours.items():
        assert read_sector(linux, disk, number) == text, number


@pytest.mark.parametrize('disk, sectors', [(READ_ONLY, PATTERN_SECTORS), (VOLATILE, PATTERN_SECTORS), (MEMORY, MEMORY_SECTORS)])
def test_nothing_is_beyond_the_end(linux, disk, sectors):
    assert linux.run(f'dd if={disk} bs={SECTOR_BYTES} skip={sectors} count=1 2>/dev/null | wc -c') == '0\n'
    assert linux.run(f'dd if={disk} bs=4096 skip={sectors // 8 - 1} count=9 2>/dev/null | wc -c') == '4096\n'
    assert write_sector(linux, disk, sectors, 'beyond') != 0


def test_memory_disk_starts_empty_and_keeps_a_file_system(linux):
    number = MEMORY_SECTORS // 4
    assert linux.run(f'dd if={MEMORY} bs={SECTOR_BYTES} skip={number} count=64 2>/dev/null | cksum') == \
        linux.run('head -c 32768 /dev/zero | cksum')
    linux.run(f'dd if=/dev/urandom of=/tmp/noise bs=64k count=32 2>/dev/null; dd if=/tmp/noise of={MEMORY} bs=64k oflag=direct 2>/dev/null')
    drop_cache(linux)
    assert linux.run(f'head -c 2097152 {MEMORY} | cmp - /tmp/noise && echo same') == 'same\n'


def test_flush_is_carried_out(linux):
    assert linux.run('cat /sys/block/vdc/queue/write_cache') == 'write back\n'
    before = linux.run('cat /sys/block/vdc/stat').split()
    linux.run(f'dd if=/tmp/sector of={VOLATILE} seek=5 count=1 conv=notrunc,fsync 2>/dev/null')
    after = linux.run('cat /sys/block/vdc/stat').split()
    assert int(after[15]) > int(before[15])  # flush requests


@pytest.mark.parametrize('disk', [VOLATILE, MEMORY])
@pytest.mark.parametrize('option', ['', '-z'])
def test_discard_empties_what_it_names(linux, disk, option):
    for number in (63, 64, 127, 128):
        assert write_sector(linux, disk, number, 'kept') == 0
    linux.run(f'blkdiscard {option} -o {64 * SECTOR_BYTES} -l {64 * SECTOR_BYTES} {disk}')
    drop_cache(linux)
    assert read_sector(linux, disk, 63).startswith('kept') and read_sector(linux, disk, 128).startswith('kept')
    if option:  # discarded sectors may have any content, zeroed ones are zero
        for number in (64, 127):
            assert linux.run(f'dd if={disk} bs={SECTOR_BYTES} skip={number} count=1 2>/dev/null | cksum') == \
                linux.run(f'head -c {SECTOR_BYTES} /dev/zero | cksum')


def test_read_only_disk_refuses_discard(linux):
    assert linux.try_run(f'blkdiscard -o 0 -l 4096 {READ_ONLY} 2>/dev/null')[0] != 0
    assert read_sector(linux, READ_ONLY, 0) == 'sector 00000000\n'


def test_several_disks_work_at_once(linux):
    linux.run(f'(for i in 1 2 3; do for disk in {ROOT} {READ_ONLY} {VOLATILE} {MEMORY}; do'
              ' dd if=$disk of=/dev/null bs=4k count=200 iflag=direct 2>/tmp/said || echo failed & done; done; wait) >/tmp/failed', 60)
    assert linux.run('cat /tmp/failed') == ''
    assert 'error' not in linux.run('dmesg | tail -5')


def test_volatile_disk_is_each_guests_own_and_gone_at_its_end(linux, machina):
    assert write_sector(linux, VOLATILE, 100, 'mine') == 0
    linux.run('echo mine >/root/mine; sync')
    linux.detach()
    other = LinuxGuest(machina, 'fast_guest')
    assert read_sector(other, VOLATILE, 100) == 'sector 00000100\n'
    assert other.try_run('ls /root/mine')[0] != 0
    assert write_sector(other, VOLATILE, 100, 'theirs') == 0
    machina.send('poweroff\r')
    other.wait_end()
    again = LinuxGuest(machina, 'fast_guest')
    assert read_sector(again, VOLATILE, 100) == 'sector 00000100\n'
    machina.send('poweroff\r')
    again.wait_end()
    linux.attach()
    drop_cache(linux)
    assert read_sector(linux, VOLATILE, 100).startswith('mine\n')
