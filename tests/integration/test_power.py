"""Restarting the machine and switching it off; by firmware's run-time services: test_uefi.py."""


def test_reboot_starts_the_machine_again(boot_machina):
    machine = boot_machina(cpus=2, memory='1G', qemu_options=['-action', 'reboot=reset'])
    machine.send('reboot\r')
    machine.expect('MiB of RAM free', 60)
    machine.wait_for_prompt()
    machine.send('poweroff\r')
    assert machine.wait_for_end() == 0


def test_without_uefi_its_services_are_missed_and_done_without(boot_machina):
    machine = boot_machina(cpus=2, memory='1G', cmdline='kernel.reset=efi')
    assert 'kernel.reset=efi: the machine was not started by UEFI' in machine.run('dmesg')
    machine.send('poweroff\r')
    assert machine.wait_for_end() == 0
    assert 'EFI run-time services' not in machine.log_since(0)
