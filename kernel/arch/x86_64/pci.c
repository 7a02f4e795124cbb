// PCI host bridges by the ACPI table MCFG (PCI Firmware Specification 3.3, section 4.1.2). Firmware
// has given all registers of devices their addresses; the windows of the bridges, which only its
// AML tells, are not read.
#include <arch/pci.h>

#include "kernel/arch/x86_64/acpi.h"

#define BUS_SHIFT 20 // ECAM has 1 MiB for each bus

bool arch_pci_host(uint32_t index, struct mx_info_pci_host *out)
{
    const struct acpi_machine *machine = acpi_machine();

    if (index >= machine->ecam_count)
        return false;
    const struct acpi_ecam *ecam = &machine->ecams[index];
    *out = (struct mx_info_pci_host){
        .ecam_base = ecam->base + ((uint64_t)ecam->first_bus << BUS_SHIFT), // the table has bus 0's
        .segment = ecam->segment,
        .first_bus = ecam->first_bus,
        .last_bus = ecam->last_bus,
    };
    return true;
}
