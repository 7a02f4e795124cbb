// What the loaders' fuzz targets share: a guest of 8 MiB, and checks on what a loader claims to
// have done.
#pragma once

#include <stdlib.h>
#include <string.h>

#include "vmm/loader/x86_64/x86_boot.h"

#define FUZZ_LOW_BYTES (UINT64_C(8) << 20)

static uint8_t fuzz_low[FUZZ_LOW_BYTES];

static const struct boot_e820_entry FUZZ_E820[] = {{0, FUZZ_LOW_BYTES, BOOT_E820_RAM}};
static const struct x86_boot_map FUZZ_MAP = {
    .tables = {0x1000, 0x9e000}, .e820 = FUZZ_E820, .e820_count = 1};

static inline void fuzz_check(int condition)
{
    if (!condition)
        abort();
}

// Loads the input as a kernel. What lies outside the ranges that the map allows must stay as it
// was.
static inline int fuzz_loader(const uint8_t *data, size_t size,
                              mx_status_t (*load)(const struct boot_request *,
                                                  const struct x86_boot_map *,
                                                  struct x86_boot_state *))
{
    static const uint8_t RAMDISK[100];
    struct guest_memory memory = {0};
    struct x86_boot_state state;
    char reason[120] = "";
    fuzz_check(guest_memory_add_region(&memory, 0, FUZZ_LOW_BYTES, fuzz_low) == MX_OK);
    const struct boot_request request = {.memory = &memory,
                                         .low_ram = {0x100000, FUZZ_LOW_BYTES - 0x100000},
                                         .kernel = {data, size},
                                         .ramdisk = {RAMDISK, sizeof(RAMDISK)},
                                         .command_line = "quiet",
                                         .reason = reason,
                                         .reason_bytes = sizeof(reason)};
    fuzz_low[0] = 0xa5;
    fuzz_low[0xfffff] = 0x5a;
    mx_status_t status = load(&request, &FUZZ_MAP, &state);
    fuzz_check(fuzz_low[0] == 0xa5 && fuzz_low[0xfffff] == 0x5a);
    if (status != MX_OK) {
        fuzz_check(reason[0] != '\0' && !strchr(reason, '\n'));
        return 0;
    }
    fuzz_check(boot_range_contains(&request.low_ram, state.kernel.start, state.kernel.size_bytes));
    fuzz_check(boot_range_contains(&request.low_ram, state.ramdisk.start, sizeof(RAMDISK)));
    fuzz_check(boot_range_contains(&state.kernel, state.rip, 1));
    fuzz_check(state.ramdisk.start >= state.kernel.start + state.kernel.size_bytes);
    return 0;
}
