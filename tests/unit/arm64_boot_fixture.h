// A small arm64 guest for loader tests: 16 MiB of RAM, an Image in it, and a machine to describe.
#pragma once

#include <string.h>

#include "tests/test.h"
#include "vmm/arm64/memory_map.h"
#include "vmm/loader/arm64/arm64_boot.h"

#define RAM_BYTES   (UINT64_C(16) << 20)
#define IMAGE_BYTES 0x3000
#define IMAGE_SIZE  0x80000 // with what is not in the file

static uint8_t ram[RAM_BYTES];
static uint8_t image[IMAGE_BYTES];
static struct guest_memory memory;
static char reason[200];
static struct boot_request request;
static struct boot_range tree_room;
static struct device_tree_config machine;
static struct arm64_boot_state state;

static inline void put(uint8_t *bytes, uint64_t value, unsigned width_bytes)
{
    memcpy(bytes, &value, width_bytes);
}

static inline void set_up(void)
{
    memset(ram, 0, sizeof(ram));
    memory = (struct guest_memory){0};
    EXPECT_OK(guest_memory_add_region(&memory, 0, RAM_BYTES, ram));
    for (unsigned i = 0; i < sizeof(image); i++)
        image[i] = (uint8_t)(i * 7);
    memset(image, 0, 64);
    put(image + 0x10, IMAGE_SIZE, 8);
    put(image + 0x18, 0x0a, 8); // little-endian, 4 KiB pages, anywhere
    memcpy(image + 0x38, "ARM\x64", 4);
    reason[0] = '\0';
    tree_room = (struct boot_range){ARM64_DEVICE_TREE_BASE, ARM64_DEVICE_TREE_BYTES};
    machine = (struct device_tree_config){
        .cpu_count = 2, .gic = DEVICE_TREE_GICV3, .low_ram_bytes = RAM_BYTES};
    request = (struct boot_request){.memory = &memory,
                                    .low_ram = {ARM64_LOAD_BASE, RAM_BYTES - ARM64_LOAD_BASE},
                                    .kernel = {image, sizeof(image)},
                                    .command_line = "console=ttyAMA0",
                                    .reason = reason,
                                    .reason_bytes = sizeof(reason)};
}

static inline mx_status_t load(void)
{
    return arm64_boot_load(&request, &tree_room, &machine, &state);
}

static inline void expect_refused(mx_status_t status, const char *part)
{
    EXPECT_STATUS(status, load());
    EXPECT_TRUE(strstr(reason, part) != NULL);
    if (!strstr(reason, part))
        printf("# reason: %s\n", reason);
}
