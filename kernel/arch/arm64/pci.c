// PCI host bridges as firmware describes them (portable/machine.h).
#include <arch/pci.h>

#include "kernel/arch/arm64/boot.h"
#include "kernel/arch/arm64/regs/mmio.h"

static struct mx_pci_window window_of(const struct machine_pci_window *window)
{
    return (struct mx_pci_window){window->base, window->bus_base, window->size_bytes};
}

bool arch_pci_host(uint32_t index, struct mx_info_pci_host *out)
{
    const struct machine *machine = boot_machine();

    if (index >= machine->pci_count)
        return false;
    const struct machine_pci_host *host = &machine->pci[index];
    *out = (struct mx_info_pci_host){
        .ecam_base = host->ecam.base,
        .segment = host->segment,
        .first_bus = host->first_bus,
        .last_bus = host->last_bus,
        .memory32 = window_of(&host->memory32),
        .memory64 = window_of(&host->memory64),
    };
    return true;
}

uint32_t arch_pci_read(const volatile void *config, uint32_t offset)
{
    return mmio_read32(config, offset);
}

void arch_pci_write(volatile void *config, uint32_t offset, uint32_t value)
{
    mmio_write32(config, offset, value);
}
