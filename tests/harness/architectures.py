"""What the tests expect of each architecture that differs from the others; no test asks which one it runs on."""

import dataclasses

# The programs of tests/system that depend on the interrupt controller.
GIC_PROGRAMS = {'clock_test', 'event_timer_test', 'smp_test', 'arm64_guest_test', 'arm64_interrupt_test', 'guest_vcpu_test'}

# What a Linux guest may warn of anywhere: the file system's year 2038, and that a loaded host let it wait.
HARMLESS = r'until 2038|Long readout interval|hrtimer: interrupt took'


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One architecture, with one kind of interrupt controller."""

    name: str  # as ARCH of make and -a of scripts/qemu
    folder: str  # as in kernel/arch
    qemu_options: tuple  # for scripts/qemu
    logs: str  # folder in build/ARCH

    # Linux as a guest.
    serial: str  # its terminal on the serial port
    clock_source: str  # a pattern
    harmless_warnings: str  # a pattern for its log
    cpu_checks: tuple  # commands that succeed in a guest whose CPU is as it should be
    message_interrupts: str  # a pattern for /proc/interrupts: a virtio disk by messages
    pin_interrupts: tuple  # (what to add to the command line, pattern): a virtio disk by a pin
    # (package, command, pattern of what it prints): each kind of kernel that can be started.
    kernel_kinds: tuple

    # kstats -v: the header, and the columns in JSON, whose reasons begin with the fourth.
    kstats_header: str
    kstats_columns: tuple
    quiet_columns: tuple  # reasons that nobody causes but the guest's own work
    # tiny_guest's work (guests/ARCH/tiny_arch.c): (work, column, exits of it are certain).
    works: tuple
    steady_work: tuple  # (work, column) of a guest that counts loops
    halt_column: str
    memory_column: str  # of memory touched for the first time
    ends: tuple  # (work, pattern of the reason): how a tiny_guest ends by itself

    @property
    def reasons(self):
        return self.kstats_columns[3:]


X64 = Architecture(
    name='x64',
    folder='x86_64',
    qemu_options=(),
    logs='test-logs',
    serial='ttyS0',
    clock_source=r'kvm-clock|tsc',
    harmless_warnings=HARMLESS + r'|No config space access',  # it looks for PCI without ports
    cpu_checks=("! grep -q xsave /proc/cpuinfo || dmesg | grep -q 'Enabled xstate features'",),
    message_interrupts=r'PCI-MSI.* virtio\d+-req',
    pin_interrupts=(('pci=nomsi', r'IO-APIC.*fasteoi.* virtio'), ('noapic pci=nomsi', r'XT-PIC.* virtio')),
    # Loader 0xb, version 0, is what the PVH entry of the kernel puts there itself.
    kernel_kinds=(('linux_guest', 'cat /proc/sys/kernel/bootloader_type', r'(?!176\n)\d+\n'),
                  ('fast_guest', 'cat /proc/sys/kernel/bootloader_type', r'176\n')),
    kstats_header=' cpu    vm_entry vm_exit ints ints_win ept ctrl_reg msr(rd wr) inst(io hlt cpuid pause vmcall xsetbv)',
    kstats_columns=('cpu', 'vm_entry', 'vm_exit', 'ints', 'ints_win', 'ept', 'ctrl_reg', 'msr_rd', 'msr_wr', 'io', 'hlt',
                    'cpuid', 'pause', 'vmcall', 'xsetbv'),
    quiet_columns=('cpuid', 'io', 'vmcall', 'xsetbv', 'msr_rd', 'msr_wr', 'hlt'),
    # The emulated CPU does not intercept XSETBV.
    works=(('cpuid', 'cpuid', True), ('in', 'io', True), ('out', 'io', True), ('rdmsr', 'msr_rd', True),
           ('wrmsr', 'msr_wr', True), ('vmcall', 'vmcall', True), ('xsetbv', 'xsetbv', False), ('mmio', 'ept', True)),
    steady_work=('in', 'io'),
    halt_column='hlt',
    memory_column='ept',
    ends=(('triple', r'triple fault|shutdown'), ('jump', r'.'), ('poweroff', r'powered off')),
)

ARM64 = Architecture(
    name='arm64',
    folder='arm64',
    qemu_options=('-G', '3'),
    logs='test-logs',
    serial='ttyAMA0',
    clock_source=r'arch_sys_counter',
    harmless_warnings=HARMLESS,
    cpu_checks=(r"grep -q '^Features.*\<fp asimd\>' /proc/cpuinfo", "dmesg | grep -q 'PSCIv1.1 detected'"),
    message_interrupts=r'ITS-MSI.* virtio\d+-req',
    pin_interrupts=(('pci=nomsi', r'GICv3.*Level.* virtio'),),
    kernel_kinds=(('linux_guest', 'uname -m', r'aarch64\n'), ('gzip_guest', 'uname -m', r'aarch64\n')),
    kstats_header=' cpu    vm_entry vm_exit inst_abt data_abt wfx_inst sys_inst smc_inst ints',
    kstats_columns=('cpu', 'vm_entry', 'vm_exit', 'inst_abt', 'data_abt', 'wfx_inst', 'sys_inst', 'smc_inst', 'ints'),
    quiet_columns=('inst_abt', 'data_abt', 'wfx_inst', 'sys_inst', 'smc_inst'),
    works=(('hvc', 'smc_inst', True), ('smc', 'smc_inst', True), ('sysreg', 'sys_inst', True), ('mmio', 'data_abt', True)),
    steady_work=('hvc', 'smc_inst'),
    halt_column='wfx_inst',
    memory_column='data_abt',
    ends=(('jump', r'.'), ('poweroff', r'powered off')),
)

# Its messages arrive through the frame of GICv2m.
ARM64_GIC2 = dataclasses.replace(
    ARM64,
    qemu_options=('-G', '2'),
    logs='test-logs-gic2',
    message_interrupts=r' MSI .* virtio\d+-req',
    pin_interrupts=(('pci=nomsi', r'GIC-0.*Level.* virtio'),),
)


def chosen(config):
    """The architecture of --arch, with the interrupt controller of --gic."""
    if config.getoption('arch') == 'x64':
        return X64
    return ARM64_GIC2 if config.getoption('gic') == '2' else ARM64
