"""Test programs in C: what they print, and how the three kinds of them become pytest items.

A program built from tests/test.h prints `ok NAME` or `FAIL NAME` after each test, before it `# file:line: ...` for
each check that failed, and ends with `N passed, N failed`. Each TEST in a source file is one pytest
item. A program runs once, however many of its tests were chosen; all programs of the host run in the background, on
every CPU, from the moment that collection is over. That a program came to its end, with no sanitizer report and
no test left out, is an item of its own: runs_to_its_end.
"""

import dataclasses
import re
import subprocess

import pytest

from harness.architectures import GIC_PROGRAMS

# TEST, or a macro of a fixture that ends in it.
TEST_DEFINITION = re.compile(r'^(?:[A-Z]+_)?TEST\((\w+)\)', re.MULTILINE)
RESULT_LINE = re.compile(r'^(ok|FAIL) (\w+)$')
CLOSING_LINE = re.compile(r'^(\d+) passed, (\d+) failed$')
END_ITEM = 'runs_to_its_end'
SHOWN_LINES_MAX = 60


@dataclasses.dataclass
class Outcome:
    """What one run of a program printed."""

    output: str
    problem: str = ''  # why the run itself failed: a status, a signal, too long
    passed: set = dataclasses.field(default_factory=set)
    failures: dict = dataclasses.field(default_factory=dict)  # test name to what it printed
    closing: tuple = None  # (passed, failed) of the closing line

    @classmethod
    def parse(cls, output, problem=''):
        """Reads a program's output; a console's line ends and log lines between results do no harm."""
        outcome = cls(output=output, problem=problem)
        since_result = []
        for line in output.replace('\r', '').split('\n'):
            result, closing = RESULT_LINE.match(line), CLOSING_LINE.match(line)
            if result and result[1] == 'ok':
                outcome.passed.add(result[2])
            elif result:
                outcome.failures[result[2]] = '\n'.join(since_result)
            elif closing:
                outcome.closing = (int(closing[1]), int(closing[2]))
            else:
                since_result.append(line)
                continue
            since_result = []
        return outcome

    def end(self):
        """The last lines of the output, for a report."""
        return '\n'.join(self.output.replace('\r', '').split('\n')[-SHOWN_LINES_MAX:])

    def why_test_failed(self, name):
        """A text for the report, or None if the test passed."""
        if name in self.failures:
            return self.failures[name] or 'FAIL, with no reason given'
        if name in self.passed:
            return None
        return f'{name} did not run to its end: {self.problem or "no result line"}\n{self.end()}'

    def why_incomplete(self, names):
        """A text if the program did not end as it should, or None."""
        ran = self.passed | set(self.failures)
        if self.closing is None:
            return f'no closing line: {self.problem or "the program ended early"}\n{self.end()}'
        if self.closing != (len(self.passed), len(self.failures)):
            return f'the closing line counts {self.closing}, but {len(self.passed)} passed and {len(self.failures)} failed'
        if ran != names:
            return f'tests in the source file and tests that ran differ: {sorted(ran ^ names)}'
        if self.problem and not self.failures:
            return f'{self.problem}\n{self.end()}'
        return None


def run_host_program(command, timeout_seconds):
    """Runs a program of the host; returns its output and, if it failed, how."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout_seconds, check=False)
    except FileNotFoundError:
        return '', f'{command[0]} is not built'
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b'').decode(errors='replace'), f'still running after {timeout_seconds} s'
    problem = f'ended with status {done.returncode}' if done.returncode != 0 else ''
    return done.stdout.decode(errors='replace'), problem


class ProgramFile(pytest.File):
    """A source file whose program prints results; subclasses say how it runs."""

    def collect(self):
        self.names = TEST_DEFINITION.findall(self.path.read_text())
        self.outcome = None
        for name in self.names + [END_ITEM]:
            yield ProgramTest.from_parent(self, name=name)

    def get_outcome(self):
        if self.outcome is None:
            self.outcome = Outcome.parse(*self.run_program())
        return self.outcome


class UnitTestFile(ProgramFile):
    """tests/unit/NAME_test.c: a program of the host."""

    def start(self, executor):
        program = self.config.host_build / 'tests' / self.path.stem
        self.running = executor.submit(run_host_program, [program], 300)

    def run_program(self):
        return self.running.result()


class SystemTestFile(ProgramFile):
    """tests/system/**/NAME_test.c: a program that Machina runs instead of its shell."""

    def collect(self):
        for item in super().collect():
            if self.path.stem in GIC_PROGRAMS:
                item.add_marker('gic')
            yield item

    def run_program(self):
        # Imported here: the host's tests need no pexpect.
        from harness.machine import run_system_test
        return run_system_test(self.config, self.path.stem)


class ProgramTest(pytest.Item):
    """One TEST of a program, or its end."""

    def runtest(self):
        outcome = self.parent.get_outcome()
        if self.name == END_ITEM:
            why = outcome.why_incomplete(set(self.parent.names))
        else:
            why = outcome.why_test_failed(self.name)
        if why is not None:
            pytest.fail(why, pytrace=False)

    def reportinfo(self):
        return self.path, None, f'{self.path.stem}: {self.name}'


class FuzzFile(pytest.File):
    """tests/fuzz/NAME_fuzz.c: a libFuzzer target, run for a while from its corpus or from nothing."""

    def collect(self):
        yield FuzzTest.from_parent(self, name=self.path.stem)

    def start(self, executor):
        seconds = self.config.getoption('fuzz_seconds')
        build = self.config.host_build
        crashes = build / 'fuzz-crashes'
        found = build / 'fuzz-corpus' / self.path.stem
        for folder in (crashes, found):
            folder.mkdir(parents=True, exist_ok=True)
        kept = self.path.parent / 'corpus' / self.path.stem
        command = [build / 'fuzz' / self.path.stem, f'-max_total_time={seconds}', '-timeout=10', '-rss_limit_mb=2048',
                   f'-seed={self.config.getoption("fuzz_seed")}', f'-artifact_prefix={crashes}/{self.path.stem}-',
                   '-verbosity=1', '-print_final_stats=1', found]
        if kept.is_dir():
            command.append(kept)
        self.running = executor.submit(run_host_program, command, seconds + 120)


class FuzzTest(pytest.Item):
    """One fuzz target; fails on a crash, a hang, a leak or too much memory."""

    def runtest(self):
        output, problem = self.parent.running.result()
        if not problem and 'stat::number_of_executed_units' not in output:
            problem = 'it did not say how many inputs it ran'
        if problem:
            pytest.fail(f'{problem}\n{Outcome(output).end()}', pytrace=False)

    def reportinfo(self):
        return self.path, None, self.name


FILE_CLASSES = [('unit', '_test.c', UnitTestFile), ('fuzz', '_fuzz.c', FuzzFile), ('system', '_test.c', SystemTestFile),
                ('hypervisor', '_test.c', SystemTestFile)]
# Folders in hypervisor/ with what the guests of one architecture can do.
ARCHITECTURE_FOLDERS = ['x86_64', 'arm64']


def collect_file(file_path, parent):
    """The collector for a C test source, or None for any other file."""
    parent_folder = file_path.parent
    if parent_folder.name in ARCHITECTURE_FOLDERS:
        if parent_folder.name != parent.config.architecture.folder:
            return None
        parent_folder = parent_folder.parent
    for folder, ending, file_class in FILE_CLASSES:
        if parent_folder.name == folder and file_path.name.endswith(ending):
            return file_class.from_parent(parent, path=file_path)
    return None


def start_host_programs(items, executor):
    """Starts the program of every chosen item of the host, each once and in the items' order."""
    started = set()
    for item in items:
        if isinstance(item.parent, (UnitTestFile, FuzzFile)) and item.parent not in started:
            started.add(item.parent)
            item.parent.start(executor)
