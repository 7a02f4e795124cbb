"""Machina in QEMU, driven through its console as a user drives it from a terminal."""

import re
import subprocess
import time

import pexpect

from harness.console import start_console
from harness.paths import TOP

PROMPT = 'machina$ '
BOOT_TIMEOUT_SECONDS = 90
SYSTEM_TEST_TIMEOUT_SECONDS = 300
# The KVM modules whose virtualization Machina can use: it has a back end for SVM.
USABLE_KVM_MODULES = ['kvm_amd']
# Cursor movements and colours of the shell's line editor.
ESCAPE_SEQUENCE = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x07')


def plain_text(text):
    """Console output without escape sequences and carriage returns."""
    return ESCAPE_SEQUENCE.sub('', text).replace('\r', '')


def choose_acceleration(config):
    """The options for scripts/qemu, and a line that says which acceleration they mean and why."""
    wanted = config.getoption('accel')
    if config.architecture.name != 'x64':
        gic = config.getoption('gic')
        return [], f'GICv{gic}, software emulation (nested KVM is for x64)'
    if wanted == 'tcg':
        return [], 'software emulation (as asked for)'
    check = subprocess.run([TOP / 'scripts/has-nested-kvm'], capture_output=True, text=True, check=False)
    module = check.stdout.strip()
    if check.returncode == 0 and (module in USABLE_KVM_MODULES or wanted == 'kvm'):
        return ['-k'], f'nested KVM ({module})'
    if check.returncode == 0:
        return [], f'software emulation (nested KVM of {module} is there, but Machina has no back end for it)'
    reasons = [line.split('missing: ', 1)[1].split(':')[0] for line in check.stderr.splitlines() if 'missing: ' in line]
    if wanted == 'kvm':
        raise RuntimeError('nested KVM was asked for, but there is none:\n' + check.stderr)
    return [], f'software emulation (nested KVM: missing {"; ".join(reasons)})'


class Machina:
    """One booted machine. The log file gets everything that its console shows."""

    def __init__(self, config, log_path, cpus=3, memory='4G', cmdline='', images=None, qemu_options=()):
        accelerated, _ = choose_acceleration(config)
        if images is not None:
            accelerated = [*accelerated, '-b', str(images)]
        command = ['-a', config.architecture.name, *config.architecture.qemu_options, '-s', str(cpus), '-m', memory,
                   '-c', cmdline, *accelerated, '--', '-no-reboot', *qemu_options]
        log_path.parent.mkdir(parents=True, exist_ok=True)
        self.cpu_count = cpus
        self.log_path = log_path
        self.log = open(log_path, 'w', encoding='utf-8')
        self.console = start_console(TOP / 'scripts/qemu', command, 30, self.log)

    def wait_for_prompt(self, timeout=BOOT_TIMEOUT_SECONDS):
        """Reads up to the shell's prompt and returns what came before it."""
        self.expect(re.escape(PROMPT), timeout)
        return plain_text(self.console.before)

    def run(self, command, timeout=30):
        """Runs a command at the prompt and returns what it printed."""
        self.send(command + '\r')
        # The editor draws prompt and line anew for what is typed, and ends the line when it is complete.
        self.expect('\n')
        return self.wait_for_prompt(timeout)

    def send(self, text):
        """Types the text as it is."""
        self.console.send(text)

    def expect(self, pattern, timeout=30):
        """Waits until the console shows a pattern (a regular expression), and returns the match."""
        try:
            self.console.expect(pattern, timeout=timeout)
        except pexpect.TIMEOUT:
            ended = '' if self.console.isalive() else (
                f'; QEMU has ended (status {self.console.exitstatus}, signal {self.console.signalstatus})')
            raise AssertionError(f'the console did not show {pattern!r} within {timeout} s{ended}') from None
        except pexpect.EOF:
            raise AssertionError(f'QEMU ended before the console showed {pattern!r}') from None
        return self.console.match

    def pause(self, seconds):
        """Lets the machine run; what it prints meanwhile stays to be read."""
        time.sleep(seconds)

    def wait_for_end(self, timeout=30):
        """Waits until QEMU ends by itself, as at poweroff, and returns its status."""
        try:
            self.console.expect(pexpect.EOF, timeout=timeout)
        except pexpect.TIMEOUT:
            raise AssertionError(f'QEMU did not end within {timeout} s') from None
        self.console.wait()
        return self.console.exitstatus

    def is_running(self):
        return self.console.isalive()

    def flush_log(self):
        if not self.log.closed:
            self.log.flush()

    def log_size(self):
        self.flush_log()
        return self.log_path.stat().st_size

    def log_since(self, offset):
        """The console's log from a byte offset on; of a closed machine too."""
        self.flush_log()
        with open(self.log_path, 'rb') as file:
            file.seek(offset)
            return plain_text(file.read().decode(errors='replace'))

    def close(self):
        """Ends QEMU, whatever it is doing."""
        self.console.close(force=True)
        self.log.close()


# What single system tests need of the machine: an addition to the kernel's command line, and QEMU's options.
SYSTEM_TEST_MACHINES = {
    'device_test': (' machina.devices=no',
                    ['-device', 'edu,dma_mask=0xffffffffffffffff', '-device', 'pcie-root-port,id=bridge0,chassis=1,slot=1',
                     '-device', 'edu,bus=bridge0', '-device', 'bochs-display', '-device', 'sdhci-pci', '-device', 'sdhci-pci']),
}


def run_system_test(config, name):
    """Boots Machina with a system test program in place of the shell; returns its output and, if the run failed, how."""
    images = TOP / 'build' / config.architecture.name / 'test'
    more_cmdline, qemu_options = SYSTEM_TEST_MACHINES.get(name, ('', []))
    machine = Machina(config, config.log_folder / f'{name}.log', memory='1G', cmdline=f'machina.run={name}{more_cmdline}',
                      images=images, qemu_options=qemu_options)
    started = time.monotonic()
    problem = ''
    try:
        machine.expect(r'machina\.run: \w+ (?:exited with|not run)[^\n]*\n', SYSTEM_TEST_TIMEOUT_SECONDS)
    except AssertionError as error:
        problem = f'{error} (after {time.monotonic() - started:.0f} s)'
    finally:
        output = machine.log_since(0)
        machine.close()
    return output, problem
