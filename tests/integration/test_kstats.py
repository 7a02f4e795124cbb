"""kstats against guests whose exits are known."""

import json
import re

import pytest

from harness import guests

COUNT = 5000
# What tiny_guest prints, two accesses of the UART a character and a few more while the transmitter is busy.
PRINTED_MAX = 400


@pytest.fixture
def run_work(architecture, machina):
    """A function that runs tiny_guest until it halts, and returns its id."""

    def run(work):
        guest = guests.launch_detached(machina, 'tiny_guest', f'--cmdline "{work}"')
        guests.wait_until(machina, lambda: exits_of(machina, guest)[architecture.halt_column], 60)
        return guest

    return run


def expect_exits(architecture, exits, reason, least, most):
    """Exits of one vCPU that are this reason's, and no more of others than it takes to come so far."""
    assert least <= exits[reason] <= most, exits
    for other in set(architecture.reasons) - {reason, architecture.memory_column, 'ints'}:
        assert exits[other] <= PRINTED_MAX, (other, exits)
    counted = sum(exits[each] for each in architecture.reasons)
    assert counted <= exits['vm_exit'] <= counted + 5
    assert 0 <= exits['vm_entry'] - exits['vm_exit'] <= 1


def exits_of(machine, guest):
    """The exits of a guest's only vCPU since its start."""
    vcpu, = guests.sample(machine, f'--guest {guest}')['vcpus']
    return vcpu


@pytest.mark.of_architecture('work, reason, is_certain', 'works')
def test_work_is_counted_in_its_column(architecture, machina, run_work, work, reason, is_certain):
    guest = run_work(f'{work} {COUNT}')
    exits = exits_of(machina, guest)
    machina.run(f'guest stop -f {guest}')
    expect_exits(architecture, exits, reason, COUNT if is_certain else 0, COUNT + PRINTED_MAX)


def test_memory_touched_is_counted_as_faults(architecture, machina, run_work):
    # Pages of 4 KiB are mapped with their neighbours, so memory is touched less often than there are pages.
    guest = run_work('touch 1000')
    exits = exits_of(machina, guest)
    machina.run(f'guest stop -f {guest}')
    expect_exits(architecture, exits, architecture.memory_column, 1, 1000 + PRINTED_MAX)


def test_table_has_the_columns_of_the_users_page(architecture, machina):
    header, *rows = machina.run('kstats -v -n 1').splitlines()
    assert header == architecture.kstats_header
    assert [row.split()[0] for row in rows] == [str(cpu) for cpu in range(machina.cpu_count)]
    assert all(len(row.split()) == len(architecture.kstats_columns) for row in rows)


def test_cpus_together_count_what_the_guests_do(architecture, machina, run_work):
    def totals():
        rows = guests.sample(machina, '-v')['guests']
        assert [tuple(row) for row in rows] == [architecture.kstats_columns] * machina.cpu_count
        return {column: sum(row[column] for row in rows) for column in architecture.kstats_columns[1:]}

    before = totals()
    guest = run_work(f'{architecture.steady_work[0]} {COUNT}')
    own = exits_of(machina, guest)
    after = totals()
    machina.run(f'guest stop -f {guest}')
    for column in architecture.quiet_columns:
        assert after[column] - before[column] == own[column], column
    assert abs(after['vm_exit'] - before['vm_exit'] - own['vm_exit']) <= 5  # it may still be interrupted


def test_samples_after_the_first_are_differences(architecture, machina, run_work):
    work, column = architecture.steady_work
    guest = run_work(f'{work} {COUNT}')
    output = machina.run(f'kstats --guest {guest} --json -n 3')
    first, second, third = (json.loads(line) for line in output.splitlines())
    machina.run(f'guest stop -f {guest}')
    assert first['vcpus'][0][column] >= COUNT
    assert second['vcpus'][0][column] == third['vcpus'][0][column] == 0  # it has halted
    assert 950 <= second['time_ms'] - first['time_ms'] < 5000


def test_delay_and_time_of_samples(architecture, machina):
    output = machina.run('kstats -v -t -d 2 -n 2')
    times = [float(value) for value in re.findall(r'^--- (\d+\.\d{3}) s$', output, re.MULTILINE)]
    assert len(times) == 2 and 1.9 <= times[1] - times[0] < 8
    assert output.count(architecture.kstats_header) == 2


def test_it_goes_on_once_a_second_until_interrupted(architecture, machina):
    machina.send('kstats -v\r')
    for _ in range(3):
        machina.expect(re.escape(architecture.kstats_header))
    machina.send('\x03')
    machina.wait_for_prompt()


def test_guest_has_a_row_for_each_vcpu(architecture, machina):
    guest = guests.launch_detached(machina, 'tiny_guest', '--cpus 3')
    header, *rows = machina.run(f'kstats --guest {guest} -n 1').splitlines()
    machina.run(f'guest stop -f {guest}')
    assert header == architecture.kstats_header.replace(' cpu ', 'vcpu ', 1)
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
