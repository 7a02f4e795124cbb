"""Nothing that the tests start outlives the one who started it, even if that one is killed and cleans nothing up."""

import contextlib
import os
import select
import signal
import subprocess

import pytest

from harness.paths import TOP

TIMEOUT_SECONDS = 60
PYTHON = ['/usr/bin/python3', '-B', '-c']

# Both say their process's id in a FIFO and keep it open as long as they live. QEMU ends by itself when its terminal goes away,
# but not if it hangs: this one does not.
FAKE_QEMU = """#!/bin/bash
trap '' HUP
exec 9>alive
echo $$ >&9
while true; do sleep 1 9>&-; done
"""
PYTEST_PLUGIN = """
import os, signal
def pytest_configure():
    with open('{folder}/alive', 'w') as alive:
        print(os.getpid(), file=alive, flush=True)
        signal.pause()
"""

# What a test does that boots Machina, and one that starts QEMU otherwise.
MACHINE = """
import pathlib, signal, types
from harness.architectures import X64
from harness.machine import Machina
config = types.SimpleNamespace(architecture=X64, getoption=lambda name: 'tcg')
machine = Machina(config, pathlib.Path('machine.log'), images=pathlib.Path('images'))
signal.pause()
"""
CONSOLE = """
import signal
from harness.console import start_console
console = start_console('qemu-system-x86_64', [], 30)
signal.pause()
"""


@pytest.fixture
def folder(tmp_path):
    """With a QEMU, a plugin that makes pytest stay, images to start, and the FIFO."""
    os.mkfifo(tmp_path / 'alive')
    (tmp_path / 'qemu-system-x86_64').write_text(FAKE_QEMU)
    (tmp_path / 'qemu-system-x86_64').chmod(0o755)
    (tmp_path / 'stays.py').write_text(PYTEST_PLUGIN.format(folder=tmp_path))
    (tmp_path / 'images').mkdir()
    for name in ['machina.bin', 'machina.zbi']:
        (tmp_path / 'images' / name).write_text('x')
    return tmp_path


def read_fifo(fifo):
    """What was written, or nothing if there is no writer any more."""
    assert select.select([fifo], [], [], TIMEOUT_SECONDS)[0], f'no answer within {TIMEOUT_SECONDS} s'
    return os.read(fifo, 64)


@pytest.mark.parametrize('command', [
    pytest.param([*PYTHON, MACHINE], id='machine'),
    pytest.param([*PYTHON, CONSOLE], id='console'),
    pytest.param([TOP / 'tests/bench/run', '--images', 'images'], id='bench'),
    pytest.param([TOP / 'tests/run', '-p', 'stays'], id='pytest'),
])
def test_what_is_started_ends_with_a_killed_parent(folder, command):
    environment = {**os.environ, 'PATH': f'{folder}:{os.environ["PATH"]}', 'PYTHONPATH': f'{TOP}/tests:{folder}'}
    fifo = os.open(folder / 'alive', os.O_RDONLY | os.O_NONBLOCK)
    parent = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    child = None
    try:
        child = int(read_fifo(fifo))
        assert child != parent.pid
        parent.kill()
        parent.wait()
        assert read_fifo(fifo) == b''
        child = None
    finally:
        parent.kill()
        parent.wait()
        os.close(fifo)
        if child:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
