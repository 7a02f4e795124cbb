// The machine by its ACPI tables, where there is no device tree (ACPI Specification 6.4: 5.2.9
// "Fixed ACPI Description Table", 5.2.12 "Multiple APIC Description Table", 5.2.25 "Generic Timer
// Description Table"; IO Remapping Table, Arm DEN 0049E; PCI Firmware Specification 3.3, "MCFG";
// Microsoft's "Serial Port Console Redirection Table", 1.10, and "Debug Port Table 2", 1.0).
//
// The tables come from firmware. What makes no sense, lies over memory or over something else that
// they describe, or is not known here is told of, and counts as absent. Portable, and tested on the
// host.
#pragma once

#include "kernel/arch/arm64/portable/machine.h"
#include "kernel/lib/acpi_tables.h"

struct machine_acpi_source {
    struct acpi_memory memory;
    // Whether any of the range is memory, where no device's registers can be. NULL: nobody knows.
    bool (*is_memory)(uint64_t base, uint64_t size_bytes);
    // Told of what is not used: the table by its signature, the offset in it, why. NULL: nobody
    // wants to know. For the root's own tables, "ROOT" and the table's address.
    void (*tell)(const char *table, uint64_t offset, const char *what);
    uint64_t address_limit; // of physical addresses
};

// More than that is not told.
#define MACHINE_ACPI_TELL_MAX 32

// Fills the machine but for its memory, which the tables do not describe. Returns NULL, or for
// people what is missing that it cannot start without; the console is filled in even then, if it
// is told of.
const char *machine_acpi_read(const struct machine_acpi_source *source, uint64_t rsdp_address,
                              struct machine *machine);
