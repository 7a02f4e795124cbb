// Where everything lies in the PC that a guest finds: memory, ports and interrupts.
//
// The map follows Intel's Q35 (MCH and ICH9 data sheets) where software relies on a place, since
// that is what guests know. The table of devices in machine.c uses these names and nothing else
// does.
#pragma once

// Memory below 4 GiB.
#define PC_LOW_RAM_MAX      0xc0000000ull
#define PC_BOOT_TABLES_BASE 0x00001000ull // page tables, command line, boot parameters
#define PC_BOOT_TABLES_END  0x0009f000ull
#define PC_RESERVED_BASE    0x0009f000ull // up to 1 MiB; RAM for those who look for ROMs there
#define PC_ACPI_BASE        0x000e0000ull
#define PC_ACPI_BYTES       0x00010000ull
#define PC_LOW_RAM_BASE     0x00100000ull
#define PC_PCI_MEMORY_BASE  0xc0000000ull
#define PC_PCI_MEMORY_END   0xe0000000ull
#define PC_ECAM_BASE        0xe0000000ull
#define PC_IOAPIC_BASE      0xfec00000ull
#define PC_LOCAL_APIC_BASE  0xfee00000ull
#define PC_HIGH_RAM_BASE    0x100000000ull

// I/O ports.
#define PC_PIC_MASTER_PORT 0x20
#define PC_PIT_PORT        0x40
#define PC_I8042_DATA_PORT 0x60
#define PC_PORT61          0x61
#define PC_I8042_CMD_PORT  0x64
#define PC_RTC_PORT        0x70
#define PC_PIC_SLAVE_PORT  0xa0
#define PC_COM4_PORT       0x2e8
#define PC_COM2_PORT       0x2f8
#define PC_COM3_PORT       0x3e8
#define PC_COM1_PORT       0x3f8
#define PC_ELCR_PORT       0x4d0
#define PC_PM_PORT         0x600
#define PC_RESET_PORT      0xcf9 // among the ports of the PCI host bridge
#define PC_PCI_IO_BASE     0xc000
#define PC_PCI_IO_END      0x10000

// ISA interrupts: inputs of the 8259 pair and, but for the PIT's, of the I/O APIC. The PCI pins share
// PC_INTX_IRQ_COUNT of them from PC_INTX_IRQ on in turn.
#define PC_PIT_IRQ        0
#define PC_PIT_INPUT      2 // of the I/O APIC
#define PC_KEYBOARD_IRQ   1
#define PC_COM2_IRQ       3
#define PC_COM1_IRQ       4
#define PC_RTC_IRQ        8
#define PC_SCI_IRQ        9
#define PC_INTX_IRQ       10
#define PC_INTX_IRQ_COUNT 2
#define PC_ISA_IRQ_COUNT  16
