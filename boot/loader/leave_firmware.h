// The end of the firmware's boot services (UEFI Specification 2.10, 7.4.6
// "EFI_BOOT_SERVICES.ExitBootServices()"): with the key of a memory map that is still the newest.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LEAVE_ATTEMPTS 8
#define LEAVE_DONE     0 // EFI_SUCCESS

struct firmware_map {
    void *descriptors;
    size_t capacity_bytes;
    size_t size_bytes; // of all descriptors
    size_t descriptor_bytes;
    uint64_t key;
};

// The firmware, with its own statuses. Neither function may ask it for memory.
struct firmware_exit_ops {
    // With descriptors and capacity_bytes set.
    uint64_t (*read_map)(struct firmware_map *map);
    uint64_t (*exit)(uint64_t key);
};

// LEAVE_DONE: the boot services are gone and the map is what it was then. Otherwise the last
// status; part of the firmware may be gone nevertheless.
uint64_t firmware_leave(const struct firmware_exit_ops *ops, struct firmware_map *map);
