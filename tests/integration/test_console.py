"""Which serial port of a PC is the console: by an option of the command line, by ACPI's tables SPCR and DBG2, and what these
say that cannot be. The second serial port is the terminal, or the first, each time with nothing on the other."""

import struct

import pytest

from harness.qmp import Qmp

pytestmark = pytest.mark.only('x64')

FIRST = ['-serial', 'mon:stdio']
SECOND = ['-serial', 'null', '-serial', 'mon:stdio']
PORTS, MEMORY = 1, 0
TYPE_16550, TYPE_PL011, TYPE_16550_PLACED = 0, 3, 0x12
ISA_INTERRUPT, GLOBAL_INTERRUPT = 1, 2


def address(space, place, width_bits=8, access=1):
    """A Generic Address Structure."""
    return struct.pack('<BBBBQ', space, width_bits, 0, access, place)


def spcr(space, place, interface=TYPE_16550, interrupts=ISA_INTERRUPT, isa_irq=3, global_irq=3):
    """The payload of the table behind its header, up to and with the UART's clock; PCI: none."""
    return (struct.pack('<B3x', interface) + address(space, place) +
            struct.pack('<BBIBBBBBBHHBBBIBI', interrupts, isa_irq, global_irq, 7, 0, 1, 0, 0, 0, 0xffff, 0xffff, 0, 0, 0, 0, 0, 0))


def dbg2(space, place, subtype=TYPE_16550):
    device = struct.pack('<BHBHHHHHHHHH', 0, 22 + 12 + 4 + 2, 1, 2, 38, 0, 0, 0x8000, subtype, 0, 22, 34)
    device += address(space, place) + struct.pack('<I', 8) + b'.\0'
    return struct.pack('<II', 44, 1) + device


@pytest.fixture
def boot_with(boot_machina, tmp_path):
    """A function that boots a machine with these tables, the serial port of `serial` on the terminal."""

    def boot(serial, cmdline='', **tables):
        options = [*serial]
        for name, payload in tables.items():
            path = tmp_path / name
            path.write_bytes(payload)
            options += ['-acpitable', f'sig={name.upper()},rev=2,data={path}']
        return boot_machina(cpus=2, memory='1G', cmdline=cmdline, qemu_options=options)

    return boot


def expect_use(machine, *sentences):
    """The log says so, and what is typed arrives: more of it than a FIFO holds."""
    log = machine.run('dmesg')
    for sentence in sentences:
        assert sentence in log, log
    assert 'a terminal that takes what is typed' in machine.run('echo a terminal that takes what is typed')


def test_an_option_names_the_second_serial_port(boot_with):
    machine = boot_with(SECOND, cmdline='kernel.serial=ioport,0x2f8,3')
    expect_use(machine, 'console: 8250 at port 0x2f8, by the option kernel.serial')
    machine.send('poweroff\r')
    assert machine.wait_for_end() == 0


def test_a_port_without_interrupt_is_polled(boot_with):
    machine = boot_with(SECOND, cmdline='kernel.serial=ioport,0x2f8')
    expect_use(machine, 'by the option kernel.serial')
    assert len(machine.run('kstats --help')) > 100  # more than a FIFO at a time


@pytest.mark.parametrize('interrupts', [ISA_INTERRUPT, GLOBAL_INTERRUPT, 0], ids=['isa', 'global', 'none'])
def test_spcr_names_the_second_serial_port(boot_with, interrupts):
    isa_irq, global_irq = (3, 0) if interrupts == ISA_INTERRUPT else (0, 3)
    machine = boot_with(SECOND, spcr=spcr(PORTS, 0x2f8, interrupts=interrupts, isa_irq=isa_irq, global_irq=global_irq))
    expect_use(machine, 'console: 8250 at port 0x2f8, by the ACPI table SPCR')


@pytest.mark.parametrize('irq', [4000, 7], ids=['no interrupt', 'not the port\'s'])
def test_a_wrong_interrupt_does_not_silence_the_console(boot_with, irq):
    machine = boot_with(SECOND, spcr=spcr(PORTS, 0x2f8, interrupts=GLOBAL_INTERRUPT, global_irq=irq))
    expect_use(machine, 'by the ACPI table SPCR', f'console: interrupt {irq} is not the serial port\'s, which is polled')


def test_dbg2_names_the_second_serial_port(boot_with):
    machine = boot_with(SECOND, dbg2=dbg2(PORTS, 0x2f8))
    expect_use(machine, 'console: 8250 at port 0x2f8, by the ACPI table DBG2')


def io_base_of_serial_card(qmp):
    buses = qmp.execute('query-pci')
    regions = [device['regions'] for bus in buses for device in bus['devices'] if device['class_info']['class'] == 0x700]
    return regions[0][0]['address']


def test_spcr_names_a_card_whose_interrupt_is_a_level(boot_with, tmp_path):
    """A PCI card, where SeaBIOS has put its ports. QEMU wires pin A of slot 4 to global interrupt 20."""
    first = boot_with(FIRST + ['-chardev', 'null,id=card', '-device', 'pci-serial,addr=4,chardev=card', *Qmp.options(tmp_path / 'qmp')])
    qmp = Qmp(tmp_path / 'qmp')
    base = io_base_of_serial_card(qmp)
    qmp.close()
    first.close()
    card = ['-serial', 'null', '-monitor', 'none', '-chardev', 'stdio,id=card', '-device', 'pci-serial,addr=4,chardev=card']
    machine = boot_with(card, spcr=spcr(PORTS, base, TYPE_16550_PLACED, GLOBAL_INTERRUPT, global_irq=20))
    expect_use(machine, f'console: 8250 at port {base:#x}, by the ACPI table SPCR')


def test_the_option_is_before_the_tables(boot_with):
    machine = boot_with(FIRST, cmdline='kernel.serial=legacy', spcr=spcr(PORTS, 0x2f8), dbg2=dbg2(PORTS, 0x2f8))
    expect_use(machine, 'console: 8250 at port 0x3f8, by the option kernel.serial')


@pytest.mark.parametrize('table, why', [
    (spcr(PORTS, 0x2f8, interface=TYPE_PL011), 'it is not of a type that can be driven here'),
    (spcr(PORTS, 0x12345), 'its ports are beyond 0xffff'),
    (spcr(PORTS, 0x60), 'its ports are those of another device'),
    (spcr(PORTS, 0x1110), 'no UART answers there'),
    (spcr(MEMORY, 0x1000000), 'its address is in RAM'),
    (spcr(MEMORY, 0xfee00000), 'its address is that of another device'),
    (spcr(MEMORY, 0xf0000000), 'no UART answers there'),
    (spcr(MEMORY, 0xfffffffffffffff0), 'its address is beyond what the CPU reaches'),
], ids=['type', 'range', 'board', 'empty', 'ram', 'apic', 'empty-memory', 'wraps'])
def test_a_table_of_nonsense_is_refused_and_the_next_is_asked(boot_with, table, why):
    machine = boot_with(SECOND, spcr=table, dbg2=dbg2(PORTS, 0x2f8))
    expect_use(machine, f'the console by the ACPI table SPCR is not used: {why}', 'by the ACPI table DBG2')


def test_an_option_that_is_too_long_is_told_of(boot_with):
    machine = boot_with(FIRST, cmdline=f'kernel.serial=ioport,0x{"0" * 80}2f8')
    expect_use(machine, 'the console by the option kernel.serial is not used: it is too long')


def test_when_all_is_nonsense_it_is_the_first_serial_port(boot_with):
    machine = boot_with(FIRST, cmdline='kernel.serial=com2', spcr=spcr(MEMORY, 0x1000000), dbg2=dbg2(PORTS, 0))
    expect_use(machine, 'the console by the option kernel.serial is not used: it is not legacy, none, ioport,BASE',
               'the console by the ACPI table SPCR is not used: its address is in RAM')
