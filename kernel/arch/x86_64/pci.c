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

// By EAX and nothing else (AMD, BIOS and Kernel Developer's Guide for AMD Family 10h Processors,
// 31116, section 2.11.1 "MMIO Configuration Coding Requirements").
uint32_t arch_pci_read(const volatile void *config, uint32_t offset)
{
    uint32_t value;

    __asm__ volatile("movl (%1), %0"
                     : "=a"(value)
                     : "r"((const volatile char *)config + offset)
                     : "memory");
    return value;
}

void arch_pci_write(volatile void *config, uint32_t offset, uint32_t value)
{
    __asm__ volatile("movl %0, (%1)"
                     :
                     : "a"(value), "r"((volatile char *)config + offset)
                     : "memory");
}
