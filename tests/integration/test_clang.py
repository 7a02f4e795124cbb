"""What clang makes of the same sources: it warns of other things than gcc, and its Machina runs, too."""

import os
import subprocess

from harness.paths import TOP


def test_clang_builds_a_machina_that_runs(boot_machina, architecture):
    build = subprocess.run(['make', '-C', TOP, f'-j{os.cpu_count()}', f'ARCH={architecture.name}', 'clang'], capture_output=True,
                           text=True, check=False)
    assert build.returncode == 0, build.stdout + build.stderr
    machine = boot_machina(cpus=2, memory='1G', images=TOP / 'build/clang' / architecture.name)
    assert 'CPUs' in machine.run('dmesg')
    machine.send('poweroff\r')
    assert machine.wait_for_end() == 0
