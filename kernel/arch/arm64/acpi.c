// Reads ACPI tables where the firmware's memory map has memory, and nowhere else: an access to what
// is not there ends in an abort.
#include "kernel/arch/arm64/acpi.h"

#include "kernel/arch/arm64/console.h"
#include "kernel/arch/arm64/paging.h"
#include "kernel/arch/arm64/portable/machine_acpi.h"
#include "kernel/core/log.h"
#include "kernel/memory/boot_memory.h"
#include "kernel/memory/phys.h"

// Where the memory map's ranges that hold `address`, devices left out, end; `address`: none does.
static uint64_t memory_end(const struct zbi_machine *items, uint64_t address)
{
    uint64_t end = address;

    for (size_t i = 0; i < zbi_memory_count(items); i++) {
        struct zbi_memory_range range = zbi_memory_at(items, i);

        if (range.kind != ZBI_MEMORY_RUNTIME_DEVICE && address >= range.base &&
            address - range.base < range.size_bytes && range.base + range.size_bytes > end)
            end = range.base + range.size_bytes;
    }
    return end;
}

static const void *map(void *context, uint64_t address, size_t size_bytes)
{
    uint64_t at = address, end;

    if (size_bytes > UINT64_MAX - address)
        return NULL;
    for (; at < address + size_bytes; at = end) {
        end = memory_end(context, at);
        if (end == at)
            return NULL;
    }
    return paging_map_firmware(PADDR(address), size_bytes);
}

static void tell(const char *table, uint64_t offset, const char *what)
{
    log_print("ACPI table %s, 0x%lx: not used: %s", table, (unsigned long)offset, what);
}

// Twice, so that what is wrong can be told on the console that is found.
const char *acpi_describe_machine(struct boot_items *items, struct machine *machine)
{
    struct machine_acpi_source source = {
        .memory = {map, &items->machine},
        .is_memory = boot_memory_touches_memory,
        .address_limit = PTE_ADDRESS + PAGE_SIZE,
    };

    (void)machine_acpi_read(&source, items->machine.acpi_rsdp, machine);
    if (machine->pl011.size_bytes != 0 &&
        !console_init(PADDR(machine->pl011.base), machine->pl011_intid))
        return "no room to map the console";
    source.tell = tell;
    const char *problem = machine_acpi_read(&source, items->machine.acpi_rsdp, machine);
    if (!problem)
        log_print("the machine is described by ACPI: %u CPUs, %u PCI host bridges",
                  machine->cpu_count, machine->pci_count);
    return problem;
}
