// UEFI firmware that a test plays, and the ways in which the kernel tried to restart or switch off.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host_firmware {
    uint64_t base; // physical address of `memory`
    const uint8_t *memory;
    size_t size_bytes;
    // Of the contract <arch/firmware.h>; NULL: false.
    bool (*map)(uint64_t base, uint64_t size_bytes, bool is_device);
    bool (*call)(uint64_t function, const uint64_t *arguments, uint64_t *result);
};

void host_set_firmware(const struct host_firmware *firmware);

// "efi", "tables" (arch_power_off, arch_reboot) and "force" as they were tried since the last call,
// with blanks between them.
const char *host_take_power_ways(void);
void host_note_power_way(const char *way);
