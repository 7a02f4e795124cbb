// The machine by the ACPI tables that firmware left in memory.
#pragma once

#include "kernel/arch/arm64/portable/machine.h"
#include "kernel/core/boot_items.h"

// Start-up of the boot CPU, with the memory map in boot_memory.h: reads the tables that the items
// lead to, and begins to write on the console that they name. Returns NULL, or why the machine
// cannot be used.
const char *acpi_describe_machine(struct boot_items *items, struct machine *machine);
