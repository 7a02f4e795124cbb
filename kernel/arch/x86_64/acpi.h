// The machine as its ACPI tables describe it.
#pragma once

#include "kernel/lib/acpi_tables.h"

// Start-up of the boot CPU: finds and reads the tables. `rsdp_address`: from the loader, or 0.
// False: none there.
bool acpi_init(uint64_t rsdp_address);
const struct acpi_machine *acpi_machine(void);
