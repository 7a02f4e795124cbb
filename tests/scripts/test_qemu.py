"""scripts/qemu and scripts/has-nested-kvm, without starting QEMU."""

import shlex
import subprocess

import pytest

from harness.paths import TOP

INTEL_FLAGS = 'fpu vme vmx sse2'
AMD_FLAGS = 'fpu vme svm sse2'


def run(script, *arguments):
    return subprocess.run([TOP / 'scripts' / script, *arguments], capture_output=True, text=True, check=False)


def command_of(*arguments):
    done = run('qemu', '-D', *arguments)
    assert done.returncode == 0, done.stderr
    return shlex.split(done.stdout)


def value_of(command, option):
    return command[command.index(option) + 1]


@pytest.fixture
def fake_host(tmp_path):
    """A function that makes a folder with the files of a host to ask has-nested-kvm about."""

    def make(flags='fpu sse2', kvm=True, **nested):
        (tmp_path / 'proc').mkdir()
        (tmp_path / 'proc/cpuinfo').write_text(f'processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: vmx svm\n')
        (tmp_path / 'dev').mkdir()
        if kvm:
            (tmp_path / 'dev/kvm').write_text('')
        for module, value in nested.items():
            folder = tmp_path / 'sys/module' / module / 'parameters'
            folder.mkdir(parents=True)
            (folder / 'nested').write_text(value + '\n')
        return tmp_path

    return make


def test_x64_boots_the_kernel_with_the_boot_image_as_its_module():
    command = command_of()
    assert command[0] == 'qemu-system-x86_64'
    assert value_of(command, '-kernel').endswith('/build/x64/machina.bin')
    assert value_of(command, '-initrd').endswith('/build/x64/machina.zbi')
    assert value_of(command, '-cpu') == 'max,+svm,+npt,-la57'
    assert value_of(command, '-smp') == '3'
    assert value_of(command, '-m') == '4G'
    assert '-icount' not in command


@pytest.mark.parametrize('arch, firmware, loader', [('x64', 'OVMF_CODE_4M.fd', 'BOOTX64.EFI'),
                                                    ('arm64', 'AAVMF_CODE.fd', 'BOOTAA64.EFI')])
def test_firmware_starts_from_disk_stick_optical_drive_and_network(arch, firmware, loader):
    for start, device, file in [('--uefi', 'virtio-blk-pci', 'machina.img'), ('--usb', 'usb-storage', 'machina.img'),
                                ('--cdrom', 'scsi-cd', 'machina.iso'), ('--netboot', 'virtio-net-pci', 'netboot,')]:
        command = command_of('-a', arch, start)
        text = ' '.join(command)
        assert '-kernel' not in command
        assert firmware in text and device in text and f'/build/{arch}/{file}' in text
        assert (f'bootfile={loader}' in text) == (start == '--netboot')


def test_firmware_takes_no_command_line():
    done = run('qemu', '-D', '--uefi', '-c', 'x')
    assert done.returncode == 1 and 'edit the command line in the boot menu' in done.stderr
    assert run('qemu', '-D', '--bios').returncode == 2


def test_arm64_starts_at_el2_with_gic_3_unless_told_otherwise():
    assert value_of(command_of('-a', 'arm64'), '-machine') == 'virt,virtualization=on,gic-version=3'
    command = command_of('-a', 'arm64', '-G', '2')
    assert command[0] == 'qemu-system-aarch64'
    assert value_of(command, '-machine') == 'virt,virtualization=on,gic-version=2'


def test_command_line_reaches_qemu_unchanged():
    text = "a='1 2' b=\"$HOME\" c=*"
    assert value_of(command_of('-c', text), '-append') == text


def test_options_after_two_dashes_come_last():
    assert command_of('--', '-S', '-m', '1G')[-3:] == ['-S', '-m', '1G']


def test_measuring_counts_instructions_of_one_cpu():
    command = command_of('-i')
    assert value_of(command, '-icount') == 'shift=0,sleep=off'
    assert value_of(command, '-smp') == '1'


def test_another_qemu_is_a_program_or_a_folder(tmp_path):
    program = tmp_path / 'qemu-system-x86_64'
    program.write_text('#!/bin/sh\n')
    program.chmod(0o755)
    assert command_of('-q', str(program))[0] == str(program)
    assert command_of('-q', str(tmp_path))[0] == str(program)


@pytest.mark.parametrize('arguments, complaint', [
    (['-s', '0'], '-s is a number from 1 to 8'),
    (['-s', '9'], '-s is a number from 1 to 8'),
    (['-s', 'two'], '-s is a number from 1 to 8'),
    (['-m', '4096'], '-m is a size'),
    (['-m', '-1G'], '-m is a size'),
    (['-a', 'riscv'], '-a is x64 or arm64'),
    (['-G', '3'], 'add -a arm64'),
    (['-a', 'arm64', '-G', '4'], '-G is 2 or 3'),
    (['-a', 'arm64', '-k'], '-k needs'),
    (['-i', '-s', '2'], '-s can only be 1'),
    (['-i', '-k'], 'excludes -k'),
    (['-q', '/nowhere/qemu'], 'there is no /nowhere/qemu'),
    (['-Z'], '-a ARCH'),
])
def test_wrong_options_are_refused_with_the_reason(arguments, complaint):
    done = run('qemu', '-D', *arguments)
    assert done.returncode != 0
    assert complaint in done.stderr
    assert done.stdout == ''


def test_missing_images_name_the_command_that_builds_them(tmp_path):
    done = run('qemu', '-b', str(tmp_path))
    assert done.returncode == 1
    assert 'run make ARCH=x64 first' in done.stderr


def test_kvm_option_follows_the_host():
    asked = run('has-nested-kvm')
    done = run('qemu', '-D', '-k')
    assert (done.returncode == 0) == (asked.returncode == 0)
    if asked.returncode != 0:
        assert asked.stderr in done.stderr
    else:
        assert 'q35,accel=kvm' in done.stdout


@pytest.mark.parametrize('flags, module, value', [
    (INTEL_FLAGS, 'kvm_intel', 'Y'), (INTEL_FLAGS, 'kvm_intel', '1'), (AMD_FLAGS, 'kvm_amd', '1'), (AMD_FLAGS, 'kvm_amd', 'Y'),
])
def test_nested_kvm_is_found(fake_host, flags, module, value):
    done = run('has-nested-kvm', '--root', fake_host(flags, **{module: value}))
    assert (done.returncode, done.stdout, done.stderr) == (0, module + '\n', '')


def test_kvm_device_without_cpu_flag_is_not_enough(fake_host):
    done = run('has-nested-kvm', '--root', fake_host(kvm_intel='Y'))
    assert done.returncode == 1
    assert 'missing: vmx (Intel) or svm (AMD)' in done.stderr
    assert 'missing: /dev/kvm' not in done.stderr
    assert 'modprobe kvm_intel nested=1' in done.stderr
    assert 'modprobe kvm_amd nested=1' in done.stderr


@pytest.mark.parametrize('flags, module, other', [(INTEL_FLAGS, 'kvm_intel', 'kvm_amd'), (AMD_FLAGS, 'kvm_amd', 'kvm_intel')])
def test_nesting_off_names_the_commands_for_now_and_for_every_boot(fake_host, flags, module, other):
    # Nesting of the module that is not in charge does not count.
    done = run('has-nested-kvm', '--root', fake_host(flags, **{module: 'N', other: 'Y'}))
    assert done.returncode == 1
    assert done.stderr.count('missing: ') == 1
    assert f'sudo modprobe -r {module}; sudo modprobe {module} nested=1' in done.stderr
    assert f"echo 'options {module} nested=1' | sudo tee /etc/modprobe.d/" in done.stderr
    assert other not in done.stderr


def test_missing_kvm_device_is_told(fake_host):
    done = run('has-nested-kvm', '--root', fake_host(INTEL_FLAGS, kvm=False, kvm_intel='Y'))
    assert done.returncode == 1
    assert 'missing: /dev/kvm' in done.stderr


def test_everything_missing_is_told_at_once(fake_host):
    done = run('has-nested-kvm', '--root', fake_host(kvm=False))
    assert done.returncode == 1
    assert done.stderr.count('missing: ') == 3
