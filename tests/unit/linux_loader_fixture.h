// A small guest for loader tests: RAM below and above 4 GiB, a memory map, and synthetic kernels.
#pragma once

#include <stdlib.h>

#include "tests/test.h"
#include "vmm/loader/x86_64/x86_boot.h"

#define LOW_BYTES  (UINT64_C(16) << 20)
#define HIGH_BYTES (UINT64_C(4) << 20)
#define HIGH_START (UINT64_C(1) << 32)

static uint8_t loader_low[LOW_BYTES];
static uint8_t loader_high[HIGH_BYTES];
static struct guest_memory loader_memory;
static const struct boot_e820_entry LOADER_E820[] = {
    {0, 0x9fc00, BOOT_E820_RAM},
    {0xe0000, 0x20000, BOOT_E820_RESERVED},
    {0x100000, LOW_BYTES - 0x100000, BOOT_E820_RAM},
    {HIGH_START, HIGH_BYTES, BOOT_E820_RAM}};
static struct x86_boot_map loader_map;
static char loader_reason[160];
static struct boot_request loader_request;
static struct x86_boot_state loader_state;

static inline void loader_set_up(const void *kernel, uint64_t kernel_bytes)
{
    loader_memory = (struct guest_memory){0};
    EXPECT_OK(guest_memory_add_region(&loader_memory, 0, LOW_BYTES, loader_low));
    EXPECT_OK(guest_memory_add_region(&loader_memory, HIGH_START, HIGH_BYTES, loader_high));
    loader_map = (struct x86_boot_map){
        .tables = {0x1000, 0x9e000}, .e820 = LOADER_E820, .e820_count = 4, .rsdp = 0xe0010};
    loader_reason[0] = '\0';
    loader_request = (struct boot_request){.memory = &loader_memory,
                                           .low_ram = {0x100000, LOW_BYTES - 0x100000},
                                           .high_ram = {HIGH_START, HIGH_BYTES},
                                           .kernel = {kernel, kernel_bytes},
                                           .command_line = "console=ttyS0",
                                           .reason = loader_reason,
                                           .reason_bytes = sizeof(loader_reason)};
}

static inline uint64_t guest_read(uint64_t address, unsigned width_bytes)
{
    uint64_t value = 0;
    EXPECT_OK(guest_memory_read(&loader_memory, address, &value, width_bytes));
    return value;
}

static inline void put(uint8_t *bytes, uint64_t value, unsigned width_bytes)
{
    memcpy(bytes, &value, width_bytes);
}
