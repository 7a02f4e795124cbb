// Reads what start-up needs out of the ACPI tables (ACPI Specification 6.5; PCI Firmware
// Specification 3.3, "MCFG"; IA-PC HPET Specification 1.0a, "The HPET Description Table";
// Microsoft's "Serial Port Console Redirection Table", 1.10, and "Debug Port Table 2", 1.0).
//
// Tables come from firmware, which is trusted no further than it must be: every length is checked
// against what was mapped and against the table's own, checksums included, and a broken table
// counts as absent. Knows no architecture; memory is reached through the caller's map function.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#define ACPI_CPU_MAX      256
#define ACPI_IOAPIC_MAX   16
#define ACPI_OVERRIDE_MAX 32
#define ACPI_ECAM_MAX     8

// A register anywhere: Generic Address Structure, section 5.2.3.2.
struct acpi_register {
    uint8_t space; // ACPI_SPACE_*
    uint8_t width_bits;
    uint8_t access;   // ACPI_ACCESS_*
    uint64_t address; // 0: there is none
};
#define ACPI_ACCESS_UNDEFINED 0
#define ACPI_ACCESS_BYTE      1
#define ACPI_ACCESS_DWORD     3

#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1
#define ACPI_SPACE_PCI    2

struct acpi_ioapic {
    uint64_t address;
    uint32_t irq_base;
};

// An ISA interrupt that is not the global interrupt of the same number.
struct acpi_override {
    uint8_t isa_irq;
    uint32_t irq;
    bool is_active_low, is_level; // the bus's default (ISA: high, edge) resolved
};

// Memory-mapped PCI configuration space.
struct acpi_ecam {
    uint64_t base;
    uint16_t segment;
    uint8_t first_bus, last_bus;
};

// A serial port that firmware uses or is debugged by.
struct acpi_serial_port {
    bool is_named;                  // the table is there, and names one
    uint16_t interface;             // ACPI_SERIAL_*, or another of the specification's
    struct acpi_register registers; // the first of them
    bool has_isa_irq, has_irq, has_gic_irq;
    uint8_t isa_irq;
    uint32_t irq;      // global: has_irq, of an I/O APIC; has_gic_irq, an INTID
    uint8_t baud_code; // ACPI_BAUD_*
};
#define ACPI_SERIAL_16550        0x00
#define ACPI_SERIAL_16550_DBGP   0x01
#define ACPI_SERIAL_PL011        0x03
#define ACPI_SERIAL_SBSA_32      0x0d // Arm's generic UART, which is a part of PL011
#define ACPI_SERIAL_SBSA         0x0e
#define ACPI_SERIAL_16550_PLACED 0x12 // as its Generic Address Structure says
#define ACPI_BAUD_AS_IT_IS       0
#define ACPI_BAUD_9600           3
#define ACPI_BAUD_19200          4
#define ACPI_BAUD_57600          6
#define ACPI_BAUD_115200         7

struct acpi_machine {
    uint32_t cpu_apic_ids[ACPI_CPU_MAX]; // that are usable
    uint32_t cpu_count;
    uint64_t local_apic_address;
    struct acpi_ioapic ioapics[ACPI_IOAPIC_MAX];
    uint32_t ioapic_count;
    struct acpi_override overrides[ACPI_OVERRIDE_MAX];
    uint32_t override_count;
    struct acpi_ecam ecams[ACPI_ECAM_MAX];
    uint32_t ecam_count;
    uint64_t hpet_address;              // 0: none
    struct acpi_serial_port console;    // SPCR
    struct acpi_serial_port debug_port; // DBG2: the first that is serial
    struct acpi_register pm1a_control, pm1b_control;
    struct acpi_register reset;
    uint8_t reset_value;
    uint8_t rtc_century_register; // 0: none
    bool has_s5;
    uint8_t s5_type_a, s5_type_b; // SLP_TYP values of soft off
};

// Returns a pointer to `size_bytes` at the physical address, good for as long as the reading goes
// on, or NULL.
typedef const void *(*acpi_map_function)(void *context, uint64_t address, size_t size_bytes);

// Looks for the root pointer on 16-byte boundaries (section 5.2.5.1); returns its offset in the
// area, or SIZE_MAX.
size_t acpi_find_rsdp(const uint8_t *area, size_t size_bytes);

struct acpi_memory {
    acpi_map_function map;
    void *context;
};

// A table whose length and checksum are right, or an entry that lies within one.
struct acpi_table {
    const uint8_t *bytes;
    size_t size;
};

struct acpi_visitor {
    void (*visit)(void *context, struct acpi_table table);
    // A table that is none, at this address, and why; NULL: nobody wants to know.
    void (*refuse)(void *context, uint64_t address, const char *why);
    void *context;
};

// Shows the visitor all tables that the root pointer leads to. NOT_FOUND: no valid root pointer or
// root table there.
MX_MUST_CHECK mx_status_t acpi_visit_tables(const struct acpi_memory *memory, uint64_t rsdp_address,
                                            const struct acpi_visitor *visitor);
bool acpi_is(struct acpi_table table, const char *signature);
// A little-endian field of up to 8 bytes; zero beyond the table's end, as a shorter revision of a
// table means.
uint64_t acpi_get(struct acpi_table table, size_t offset, size_t size);
// Of a list of entries that begin with type and length, such as MADT's: the one at *at, which is
// then that of the next. False at the end, with *at the table's size, or where an entry's length is
// wrong.
bool acpi_next_entry(struct acpi_table table, size_t *at, struct acpi_table *entry);
#define ACPI_MADT_ENTRIES 44

// Entry `index` of MCFG, as it stands there; false: there are no more.
bool acpi_mcfg_entry(struct acpi_table mcfg, uint32_t index, struct acpi_ecam *out);
#define ACPI_MCFG_ENTRIES    44
#define ACPI_MCFG_ENTRY_SIZE 16

// The port of SPCR, the first serial one of DBG2; false: the table names none.
bool acpi_spcr_port(struct acpi_table spcr, struct acpi_serial_port *out);
bool acpi_dbg2_port(struct acpi_table dbg2, struct acpi_serial_port *out);

// Fills `machine` from all tables that the root pointer leads to. NOT_FOUND: no valid root pointer
// or root table there. Tables that are broken or absent leave their fields zero.
MX_MUST_CHECK mx_status_t acpi_read_machine(acpi_map_function map, void *context,
                                            uint64_t rsdp_address, struct acpi_machine *machine);
