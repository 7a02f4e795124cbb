"""The runner: its reading of what test programs print (harness/programs.py), and the sum of its parts (tests/run)."""

import re
import subprocess

from harness.paths import TOP
from harness.programs import Outcome

GOOD = 'ok first\nok second\n2 passed, 0 failed\n'


def test_good_run_has_no_complaints():
    outcome = Outcome.parse(GOOD)
    assert outcome.why_test_failed('first') is None
    assert outcome.why_incomplete({'first', 'second'}) is None


def test_console_noise_does_no_harm():
    outcome = Outcome.parse('[0.1] boot\r\nok first\r\nlog line ok then\r\nok second\r\n2 passed, 0 failed\r\n')
    assert outcome.why_incomplete({'first', 'second'}) is None


def test_failed_test_reports_its_own_lines_only():
    outcome = Outcome.parse('# a.c:1: early\nFAIL first\n# a.c:2: late\nFAIL second\n0 passed, 2 failed\n', 'ended with status 1')
    assert outcome.why_test_failed('second') == '# a.c:2: late'
    assert outcome.why_incomplete({'first', 'second'}) is None


def test_sanitizer_report_fails_the_tests_that_did_not_run_and_the_end():
    outcome = Outcome.parse('ok first\nERROR: AddressSanitizer: heap-use-after-free\n', 'ended with status 1')
    assert outcome.why_test_failed('first') is None
    assert 'AddressSanitizer' in outcome.why_test_failed('second')
    assert 'no closing line' in outcome.why_incomplete({'first', 'second'})


def test_report_after_the_closing_line_fails_the_end():
    outcome = Outcome.parse(GOOD + 'LeakSanitizer: detected memory leaks\n', 'ended with status 23')
    assert 'LeakSanitizer' in outcome.why_incomplete({'first', 'second'})


def test_test_left_out_or_unknown_fails_the_end():
    assert 'third' in Outcome.parse(GOOD).why_incomplete({'first', 'second', 'third'})
    assert 'second' in Outcome.parse(GOOD).why_incomplete({'first'})


def test_closing_line_that_counts_otherwise_fails_the_end():
    assert 'counts' in Outcome.parse('ok first\n2 passed, 0 failed\n').why_incomplete({'first'})


# --- tests/run ------------------------------------------------------------------------------------


def run_all(*arguments):
    return subprocess.run([TOP / 'tests/run', *arguments], capture_output=True, text=True, check=False)


def test_parts_are_added_up():
    done = run_all('--arch', 'arm64', '-k', 'test_good_run_has_no_complaints')
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == '1 passed, 0 failed'
    assert re.findall(r'^##### (.*)$(?<!minutes)', done.stdout, re.MULTILINE) == ['host', 'arm64, GICv3', 'arm64, GICv2']


def test_no_test_at_all_is_a_failure():
    done = run_all('-k', 'no_test_is_called_so')
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == '0 passed, 0 failed'


def test_unknown_architecture_is_refused():
    done = run_all('--arch', 'mips')
    assert done.returncode == 1 and 'not "mips"' in done.stderr
