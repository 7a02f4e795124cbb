"""scripts/setup and scripts/fetch-package with a made-up apt and dpkg, and with the real one what is not there."""

import os
import subprocess

import pytest

from harness.paths import TOP


@pytest.fixture
def fake_system(tmp_path):
    """A function that runs scripts/setup on a system with these packages installed; apt's calls are recorded."""
    programs = tmp_path / 'bin'
    programs.mkdir()
    calls = tmp_path / 'calls'

    def make_program(name, text):
        (programs / name).write_text('#!/bin/sh\n' + text)
        (programs / name).chmod(0o755)

    def run(arguments=(), missing=(), user=0):
        without = ''.join(f'\n    case $name in {name}) echo "un  $name"; continue ;; esac' for name in missing)
        make_program('dpkg-query', f'shift 3\nfor name; do{without}\n    echo "ii  $name"\ndone\n')
        make_program('apt-get', f'echo "$@ ($DEBIAN_FRONTEND)" >>{calls}\n')
        make_program('id', f'echo {user}\n')
        environment = os.environ | {'PATH': f'{programs}:{os.environ["PATH"]}'}
        calls.write_text('')
        done = subprocess.run([TOP / 'scripts/setup', *arguments], capture_output=True, text=True, check=False,
                              env=environment)
        return done, calls.read_text().splitlines()

    return run


def test_nothing_missing_does_nothing(fake_system):
    done, calls = fake_system()
    assert (done.returncode, done.stdout, done.stderr, calls) == (0, '', '', [])


def test_missing_packages_are_named_and_installed_after_one_update(fake_system):
    done, calls = fake_system(missing=['jq', 'qemu-system-x86'])
    assert done.returncode == 0
    assert done.stdout.startswith('scripts/setup: installing qemu-system-x86 jq\n')
    assert calls == ['-q update (noninteractive)',
                     '-q install -y --no-install-recommends qemu-system-x86 jq (noninteractive)']


def test_kernel_build_packages_are_installed_on_request_only(fake_system):
    _, calls = fake_system(missing=['flex'])
    assert calls == []
    _, calls = fake_system(['--with', 'linux'], missing=['flex'])
    assert calls[-1].startswith('-q install -y --no-install-recommends flex ')


def test_user_who_may_not_install_is_told_what_is_missing(fake_system):
    done, calls = fake_system(missing=['jq'], user=1000)
    assert done.returncode == 1
    assert 'missing: jq' in done.stderr and 'sudo scripts/setup' in done.stderr
    assert calls == []


def test_user_with_everything_installed_needs_no_root(fake_system):
    done, _ = fake_system(user=1000)
    assert (done.returncode, done.stderr) == (0, '')


def test_setup_refuses_unknown_arguments(fake_system):
    done, calls = fake_system(['--everything'])
    assert done.returncode == 2 and 'usage' in done.stderr and calls == []


@pytest.mark.parametrize('arguments, complaint', [
    ([], 'usage'),
    (['amd64', 'Bad name', 'OUT'], 'is no package name'),
    (['../etc', 'dash', 'OUT'], 'is no architecture'),
    (['--dependency', 'linux-image-', 'x64', 'dash', 'OUT'], 'has no dependency that begins with linux-image-'),
])
def test_fetch_package_refuses_with_the_reason(tmp_path, arguments, complaint):
    arguments = [str(tmp_path) if argument == 'OUT' else argument for argument in arguments]
    done = subprocess.run([TOP / 'scripts/fetch-package', *arguments], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert complaint in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('arch, debian', [('x64', 'amd64'), ('arm64', 'arm64')])
def test_fetch_package_brings_the_architecture_asked_for_and_only_once(tmp_path, arch, debian):
    command = [TOP / 'scripts/fetch-package', arch, 'dash', tmp_path]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    path = first.stdout.strip()
    shown = subprocess.run(['dpkg-deb', '-f', path, 'Package', 'Architecture'], capture_output=True, text=True, check=True)
    assert shown.stdout == f'Package: dash\nArchitecture: {debian}\n'
    time = os.stat(path).st_mtime_ns
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == path
    assert os.stat(path).st_mtime_ns == time
