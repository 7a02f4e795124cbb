"""The runner of Machina's tests on one architecture: `/usr/bin/python3 -m pytest tests`; tests/run does it for all of them.

  unit/         NAME_test.c   programs of the host, each TEST an item        (harness/programs.py)
  fuzz/         NAME_fuzz.c   fuzz targets, run briefly
  scripts/      test_*.py     the scripts of scripts/ and packages/
  packages/     test_*.py     the packages by themselves, in plain QEMU
  system/       NAME_test.c   programs that Machina runs, each TEST an item
  integration/  test_*.py     Machina in QEMU, driven by its console         (harness/machine.py)

The last line that is printed is `N passed, N failed`.
"""

import concurrent.futures
import os
import pathlib
import re
import sys

import pytest

from harness import architectures, machine, programs
from harness.paths import TOP

ORDER = ['unit', 'fuzz', 'scripts', 'packages', 'system', 'integration']


def pytest_addoption(parser):
    group = parser.getgroup('machina')
    group.addoption('--arch', default='x64', choices=['x64', 'arm64'], help='architecture of the target')
    group.addoption('--gic', default='3', choices=['2', '3'], help='arm64: version of the interrupt controller (default 3)')
    group.addoption('--accel', default='auto', choices=['auto', 'kvm', 'tcg'],
                    help='nested KVM, software emulation, or nested KVM where it works (the default)')
    group.addoption('--fuzz-seconds', type=int, default=5, help='how long each fuzz target runs (default 5)')
    group.addoption('--fuzz-seed', type=int, default=1,
                    help='seed of the fuzz targets (default 1, so that runs are alike; 0: another each time)')
    group.addoption('--host-build', default=str(TOP / 'build/host'), help='folder with the programs of the host')


def pytest_configure(config):
    config.host_build = pathlib.Path(config.getoption('host_build')).resolve()
    config.architecture = architectures.chosen(config)
    config.log_folder = TOP / 'build' / config.architecture.name / config.architecture.logs
    config.executor = concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count())


def pytest_report_header(config):
    _, acceleration = machine.choose_acceleration(config)
    return f'machina: {config.architecture.name}, {acceleration}'


def pytest_collect_file(file_path, parent):
    return programs.collect_file(file_path, parent)


def pytest_generate_tests(metafunc):
    for mark in metafunc.definition.iter_markers('of_architecture'):
        names, field = mark.args
        metafunc.parametrize(names, getattr(metafunc.config.architecture, field))


def is_of_architecture(item):
    return all(item.config.architecture.name in mark.args for mark in item.iter_markers('only'))


def pytest_collection_modifyitems(items):
    def rank(item):
        folder = item.path.relative_to(TOP / 'tests').parts[0]
        return ORDER.index(folder) if folder in ORDER else len(ORDER)

    items[:] = sorted(filter(is_of_architecture, items), key=rank)


def pytest_collection_finish(session):
    if not session.config.getoption('collectonly'):
        programs.start_host_programs(session.items, session.config.executor)


def pytest_unconfigure(config):
    executor = getattr(config, 'executor', None)
    if executor is not None:
        executor.shutdown(wait=True, cancel_futures=True)
    print_closing_line(config)


def print_closing_line(config):
    """After everything that pytest itself prints. A test that failed only in its set-up or clean-up failed."""
    reporter = config.pluginmanager.get_plugin('terminalreporter')
    if reporter is None or config.getoption('collectonly'):
        return
    count = {key: len(reports) for key, reports in reporter.stats.items()}
    skipped = count.get('skipped', 0)
    line = f'{count.get("passed", 0)} passed, {count.get("failed", 0) + count.get("error", 0)} failed'
    sys.stdout.write(line + (f', {skipped} skipped' if skipped else '') + '\n')
    sys.stdout.flush()


# --- fixtures for integration tests --------------------------------------------------------------


@pytest.fixture(scope='session')
def architecture(request):
    """What differs between architectures (harness/architectures.py)."""
    return request.config.architecture


class SharedMachine:
    """The machine that tests share: booted by the first of them, and anew after one that failed or ended it."""

    def __init__(self, config, options):
        self.config = config
        self.options = options
        self.machine = None
        self.boot_count = 0

    def get(self):
        if self.machine is not None and not self.machine.is_running():
            self.drop()
        if self.machine is None:
            self.boot_count += 1
            self.machine = machine.Machina(self.config, self.config.log_folder / f'shared-{self.boot_count}.log',
                                           **self.options)
            self.machine.wait_for_prompt()
        return self.machine

    def drop(self):
        if self.machine is not None:
            self.machine.close()
            self.machine = None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test's report shows what its machines printed while it ran."""
    report = (yield).get_result()
    item.has_failed = getattr(item, 'has_failed', False) or report.failed
    if report.failed:
        for used, offset in getattr(item, 'machines', []):
            report.sections.append((f'console ({used.log_path})', used.log_since(offset)[-8000:]))


def note_machine(request, used, offset):
    request.node.machines = getattr(request.node, 'machines', []) + [(used, offset)]


@pytest.fixture(scope='session')
def machine_options():
    """What every machine is booted with; a folder of tests may have its own."""
    return {}


@pytest.fixture(scope='session')
def shared_machine(request, machine_options):
    shared = SharedMachine(request.config, machine_options)
    yield shared
    shared.drop()


@pytest.fixture
def machina(request, shared_machine):
    """Machina at its shell prompt, shared with other tests: leave no guest running and change nothing that others see."""
    try:
        used = shared_machine.get()
    except AssertionError:
        if shared_machine.machine is not None:
            note_machine(request, shared_machine.machine, 0)
        raise
    note_machine(request, used, used.log_size())
    yield used
    if getattr(request.node, 'has_failed', False):
        shared_machine.drop()


@pytest.fixture
def boot_machina(request, machine_options):
    """A function that boots a machine for this test alone: boot_machina(cpus=4, memory='2G', cmdline='...')."""
    booted = []

    def boot(wait=True, **options):
        name = re.sub(r'\W+', '_', request.node.name)
        log_path = request.config.log_folder / f'{name}-{len(booted)}.log'
        used = machine.Machina(request.config, log_path, **{**machine_options, **options})
        booted.append(used)
        note_machine(request, used, 0)
        if wait:
            used.wait_for_prompt()
        return used

    yield boot
    for used in booted:
        used.close()
