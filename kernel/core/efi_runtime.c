// Calls of EFI run-time services; see efi_runtime.h.
//
// They are called in physical mode, at the addresses of the memory map: firmware is never told of
// others (SetVirtualAddressMap), which it could get wrong. What it says is checked as far as that
// is possible: table and function must be in its own memory, and if it faults the call ends.
#include "kernel/core/efi_runtime.h"

#include <arch/firmware.h>

#include "boot/boot_option.h"
#include "kernel/core/log.h"
#include "kernel/core/spinlock.h"
#include "kernel/lib/efi_tables.h"
#include "kernel/lib/string.h"
#include "kernel/memory/phys.h"

#define OPTION_SIZE 16

// Beyond this a range is taken to be nonsense, as tables for it would need too much memory.
#define RANGE_BYTES_MAX ((uint64_t)4 << 30)

static struct {
    uint64_t reset_system; // 0: there is none
    bool comes_first;
} efi;
static struct spinlock call_lock = SPINLOCK_INIT; // one call at a time

static bool is_runtime(enum zbi_memory_kind kind)
{
    return kind == ZBI_MEMORY_RUNTIME || kind == ZBI_MEMORY_RUNTIME_DEVICE;
}

// All in one range of what the memory map gives to run-time services.
static bool is_firmware_memory(const struct zbi_machine *machine, uint64_t base,
                               uint64_t size_bytes)
{
    for (size_t i = 0; i < zbi_memory_count(machine); i++) {
        struct zbi_memory_range range = zbi_memory_at(machine, i);
        if (range.kind == ZBI_MEMORY_RUNTIME && base >= range.base &&
            range_is_within(base - range.base, size_bytes, range.size_bytes))
            return true;
    }
    return false;
}

static const uint8_t *view_table(const struct zbi_machine *machine, uint64_t address,
                                 uint64_t size_bytes)
{
    if (!is_firmware_memory(machine, address, size_bytes))
        return NULL;
    return arch_firmware_view(PADDR(address), size_bytes);
}

static const char *find_reset_system(const struct zbi_machine *machine, uint64_t *reset_system)
{
    static const char elsewhere[] = "the EFI tables are not in memory of run-time services";
    uint64_t services;
    const char *problem;

    const uint8_t *table = view_table(machine, machine->efi_system_table, EFI_SYSTEM_TABLE_BYTES);
    problem = table ? efi_read_system_table(table, &services) : elsewhere;
    if (problem)
        return problem;
    table = view_table(machine, services, EFI_RUNTIME_SERVICES_BYTES);
    problem = table ? efi_read_runtime_services(table, reset_system) : elsewhere;
    if (!problem && !is_firmware_memory(machine, *reset_system, 1))
        problem = "the run-time service ResetSystem is not in their memory";
    return problem;
}

static const char *map_memory(const struct zbi_machine *machine)
{
    for (size_t i = 0; i < zbi_memory_count(machine); i++) {
        struct zbi_memory_range range = zbi_memory_at(machine, i);
        if (!is_runtime(range.kind) || range.size_bytes == 0)
            continue;
        if (range.size_bytes > RANGE_BYTES_MAX)
            return "a range of the run-time services' memory is too large";
        uint64_t first = align_down(range.base, PAGE_SIZE);
        if (!arch_firmware_map(PADDR(first),
                               align_up(range.base - first + range.size_bytes, PAGE_SIZE),
                               range.kind == ZBI_MEMORY_RUNTIME_DEVICE))
            return "the run-time services' memory cannot be mapped";
    }
    return NULL;
}

static bool has_services(const struct zbi_machine *machine)
{
    return machine && machine->efi_system_table != 0 &&
           machine->memory_map.type == ZBI_TYPE_EFI_MEMORY_MAP;
}

void efi_runtime_init(const struct boot_info *info)
{
    char option[OPTION_SIZE];
    uint64_t reset_system = 0;

    efi.reset_system = 0;
    efi.comes_first = boot_option_find(info->cmdline, "kernel.reset", option, sizeof(option)) &&
                      strcmp(option, "efi") == 0;
    if (!has_services(info->items)) {
        if (efi.comes_first)
            log_print("kernel.reset=efi: the machine was not started by UEFI");
        return;
    }
    const char *problem = find_reset_system(info->items, &reset_system);
    if (!problem)
        problem = map_memory(info->items);
    if (problem)
        log_print("EFI run-time services are not used: %s", problem);
    else
        efi.reset_system = reset_system;
}

bool efi_runtime_comes_first(void)
{
    return efi.comes_first;
}

void efi_runtime_reset(enum efi_reset_type type)
{
    // Status: success; no data.
    const uint64_t arguments[ARCH_FIRMWARE_ARGUMENTS] = {type, 0, 0, 0};
    uint64_t result;

    if (efi.reset_system == 0)
        return;
    log_print("%s by EFI run-time services",
              type == EFI_RESET_SHUTDOWN ? "switching off" : "restarting");
    arch_interrupt_state_t state = spin_lock(&call_lock);
    bool has_returned = arch_firmware_call(efi.reset_system, arguments, &result);
    spin_unlock(&call_lock, state);
    // A service that cannot returns nothing; one that faults may have broken what it works on.
    if (has_returned) {
        log_print("EFI run-time services did not do it");
    } else {
        efi.reset_system = 0;
        log_print("EFI run-time services faulted, and are not used any more");
    }
}
