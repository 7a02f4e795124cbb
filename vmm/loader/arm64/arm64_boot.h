// From the files of a package to the first instruction of an arm64 guest: kernel, ramdisk, device
// tree; or from a Zircon boot image to its kernel's entry (zircon_arm64.h).
//
// Linux, Documentation/arm64/booting.rst: the kernel is entered at its first byte with the MMU off,
// interrupts masked, the device tree's address in x0 and zero in x1 to x3.
#pragma once

#include "vmm/arm64/device_tree.h"
#include "vmm/loader/boot.h"

// The first vCPU at entry, at EL1h.
struct arm64_boot_state {
    uint64_t pc;
    uint64_t x0; // Linux: the device tree; Zircon: the data ZBI
    // Where things were put, for messages and tests. An absent one has no size.
    struct boot_range kernel;
    struct boot_range ramdisk;
    struct boot_range device_tree;
    struct boot_range data; // Zircon: the data ZBI
};

// Fills guest memory and *state. The request's RAM is where kernel and ramdisk may go (the ramdisk
// below 4 GiB), `tree_room` is where the device tree goes, apart from it, below 4 GiB and at most
// 2 MiB. `machine` is the machine's description without command line and ramdisk, which come from
// the request. The reason in the request tells what is wrong with the kernel, the ramdisk or the
// overlay (IO_DATA_INTEGRITY, NOT_SUPPORTED, NO_MEMORY, OUT_OF_RANGE; what fdt_overlay_apply gives)
// or with the map (INVALID_ARGS; BUFFER_TOO_SMALL: no room for the tree).
mx_status_t arm64_boot_load(const struct boot_request *request, const struct boot_range *tree_room,
                            const struct device_tree_config *machine,
                            struct arm64_boot_state *state) MX_MUST_CHECK;
