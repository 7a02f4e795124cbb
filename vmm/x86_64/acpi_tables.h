// The ACPI tables of an x86-64 guest: RSDP, XSDT, FADT, MADT, MCFG, FACS and a DSDT that describes
// the PCI host bridge, the legacy devices and the CPUs.
//
// The machine's addresses come in as parameters, since the machine is the one who decides them;
// nothing here knows where a device lives. Fixed hardware (power button, PM timer, reset register)
// is ACPI's, without SMI and without general-purpose events.
//
// Spec: ACPI 6.4, section 5.2 "ACPI System Description Tables"; PCI Firmware Specification 3.3,
// section 4.1.2 "MCFG Table Description".
#pragma once

#include <machina/status.h>

#include <stdint.h>
#include <stddef.h>

#define ACPI_TABLES_ALIGNMENT         64 // of the base address, because of FACS
#define ACPI_TABLES_HIGHEST_CPU_COUNT 1024
#define ACPI_TABLES_UART_COUNT        4

struct acpi_uart {
    uint16_t port;
    uint8_t irq; // ISA interrupt, 0 to 15
};

// A range of addresses; size 0 means that there is none.
struct acpi_window {
    uint64_t base;
    uint64_t size_bytes;
};

struct acpi_tables_config {
    uint32_t cpu_count; // local APIC ids 0 to cpu_count - 1

    uint64_t local_apic_base; // below 4 GiB
    uint64_t ioapic_base;     // below 4 GiB
    uint8_t ioapic_id;
    uint8_t sci_irq; // a level-triggered, active high input of the IOAPIC

    uint16_t pm1a_event_port; // status and enable, 4 ports
    uint16_t pm1a_control_port;
    uint16_t pm_timer_port;
    uint8_t pm_timer_bits; // 24 or 32
    uint16_t reset_port;
    uint8_t reset_value;

    struct acpi_uart uarts[ACPI_TABLES_UART_COUNT];
    uint8_t uart_count;
    uint16_t rtc_port;
    uint8_t rtc_irq;

    uint64_t ecam_base;              // below 4 GiB, 1 MiB per bus
    uint8_t last_bus;                // buses 0 to last_bus
    struct acpi_window pci_memory32; // below 4 GiB
    struct acpi_window pci_memory64;
    uint8_t pci_intx_irqs[4]; // ISA interrupts, of either controller; pin p of device d uses entry (d + p) % 4
};

struct acpi_tables_layout {
    uint64_t rsdp_address;
    size_t size_bytes; // used, from the base address on
};

// Builds all tables into `buffer`, which the guest will see at base_address. Fails with
// OUT_OF_RANGE when the base is misaligned or the tables would reach beyond 4 GiB, INVALID_ARGS
// when a parameter cannot be expressed, BUFFER_TOO_SMALL when they do not fit (16 KiB hold 128
// CPUs; each further one takes 48 bytes).
MX_MUST_CHECK mx_status_t acpi_tables_build(const struct acpi_tables_config *config,
                                            uint64_t base_address, void *buffer, size_t capacity,
                                            struct acpi_tables_layout *layout);
