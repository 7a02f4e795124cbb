"""kstats against guests whose exits are known."""

import json
import re

import pytest

from harness import guests
from harness.machine import choose_acceleration

HEADER = ' cpu    vm_entry vm_exit ints ints_win ept ctrl_reg msr(rd wr) inst(io hlt cpuid pause vmcall xsetbv)'
COLUMNS = ['cpu', 'vm_entry', 'vm_exit', 'ints', 'ints_win', 'ept', 'ctrl_reg', 'msr_rd', 'msr_wr', 'io', 'hlt',
           'cpuid', 'pause', 'vmcall', 'xsetbv']
REASONS = COLUMNS[3:]
COUNT = 5000
# What tiny_guest prints, two port accesses a character and a few more while the transmitter is busy.
PRINTED_MAX = 400


def is_emulated(config):
    options, _ = choose_acceleration(config)
    return '-k' not in options


def run_work(machine, work, options=''):
    """Runs tiny_guest until it halts, and returns its id."""
    guest = guests.launch_detached(machine, 'tiny_guest', f'--cmdline "{work}" {options}')
    guests.wait_until(machine, lambda: guests.sample(machine, f'--guest {guest}')['vcpus'][0]['hlt'], 60)
    return guest


def exits_of(machine, guest):
    """The exits of a guest's only vCPU since its start."""
    vcpu, = guests.sample(machine, f'--guest {guest}')['vcpus']
    return vcpu


@pytest.mark.parametrize('work, reason', [
    ('cpuid', 'cpuid'), ('in', 'io'), ('out', 'io'), ('rdmsr', 'msr_rd'), ('wrmsr', 'msr_wr'), ('vmcall', 'vmcall'),
    ('xsetbv', 'xsetbv'), ('mmio', 'ept'), ('touch', 'ept'),
])
def test_work_is_counted_in_its_column(request, machina, work, reason):
    count = COUNT if work != 'touch' else 1000
    # Pages of 4 KiB are mapped with their neighbours, so memory is touched less often than there are pages.
    least = count if work != 'touch' else 1
    if work == 'xsetbv' and is_emulated(request.config):
        least = 0  # the emulated CPU does not intercept it
    guest = run_work(machina, f'{work} {count}')
    exits = exits_of(machina, guest)
    machina.run(f'guest stop -f {guest}')
    assert least <= exits[reason] <= count + PRINTED_MAX, exits
    for other in set(REASONS) - {reason, 'ints', 'ept'}:
        # Some need a cpuid or an msr to come so far; none needs many.
        assert exits[other] <= PRINTED_MAX, (other, exits)
    assert sum(exits[each] for each in REASONS) <= exits['vm_exit'] <= sum(exits[each] for each in REASONS) + 5
    assert 0 <= exits['vm_entry'] - exits['vm_exit'] <= 1


def test_table_has_the_columns_of_the_users_page(machina):
    header, *rows = machina.run('kstats -v -n 1').splitlines()
    assert header == HEADER
    assert [row.split()[0] for row in rows] == [str(cpu) for cpu in range(machina.cpu_count)]
    assert all(len(row.split()) == len(COLUMNS) for row in rows)


def test_cpus_together_count_what_the_guests_do(machina):
    def totals():
        rows = guests.sample(machina, '-v')['guests']
        assert [list(row) for row in rows] == [COLUMNS] * machina.cpu_count
        return {column: sum(row[column] for row in rows) for column in COLUMNS[1:]}

    before = totals()
    guest = run_work(machina, f'cpuid {COUNT}')
    own = exits_of(machina, guest)
    after = totals()
    machina.run(f'guest stop -f {guest}')
    for column in ['cpuid', 'io', 'vmcall', 'xsetbv', 'msr_rd', 'msr_wr', 'hlt']:
        assert after[column] - before[column] == own[column], column
    assert abs(after['vm_exit'] - before['vm_exit'] - own['vm_exit']) <= 5  # it may still be interrupted


def test_samples_after_the_first_are_differences(machina):
    guest = run_work(machina, f'cpuid {COUNT}')
    output = machina.run(f'kstats --guest {guest} --json -n 3')
    first, second, third = (json.loads(line) for line in output.splitlines())
    machina.run(f'guest stop -f {guest}')
    assert first['vcpus'][0]['cpuid'] >= COUNT
    assert second['vcpus'][0]['cpuid'] == third['vcpus'][0]['cpuid'] == 0  # it has halted
    assert 950 <= second['time_ms'] - first['time_ms'] <= 1500


def test_delay_and_time_of_samples(machina):
    output = machina.run('kstats -v -t -d 2 -n 2', 15)
    times = [float(value) for value in re.findall(r'^--- (\d+\.\d{3}) s$', output, re.MULTILINE)]
    assert len(times) == 2 and 1.9 <= times[1] - times[0] <= 2.5
    assert output.count(HEADER) == 2


def test_it_goes_on_once_a_second_until_interrupted(machina):
    machina.send('kstats -v\r')
    for _ in range(3):
        machina.expect(re.escape(HEADER), 3)
    machina.send('\x03')
    machina.wait_for_prompt(5)


def test_guest_has_a_row_for_each_vcpu(machina):
    guest = guests.launch_detached(machina, 'tiny_guest', '--cpus 3')
    header, *rows = machina.run(f'kstats --guest {guest} -n 1').splitlines()
    machina.run(f'guest stop -f {guest}')
    assert header == HEADER.replace(' cpu ', 'vcpu ', 1)
    assert [row.split()[0] for row in rows] == ['0', '1', '2']
    assert f'guest {guest} has ended: killed' in machina.run(f'kstats --guest {guest} -n 1')


def test_memory_is_told_in_kib_and_in_bytes(machina):
    header, row = machina.run('kstats -m -n 1').splitlines()
    table = dict(zip(header.split(), (int(value) for value in row.split())))
    memory = guests.sample(machina, '-m')['memory']
    assert table['total_kib'] == memory['total_bytes'] // 1024
    assert abs(table['free_kib'] - memory['free_bytes'] // 1024) < 1024
    parts = ['vmo_bytes', 'kernel_heap_bytes', 'page_table_bytes']
    assert sum(memory[part] for part in parts) <= memory['total_bytes'] - memory['free_bytes']
    assert memory['object_count'] > 0 and memory['handle_count'] > 0
