// Loads a Linux bzImage by the 64-bit boot protocol of Linux/x86
// (Documentation/x86/boot.rst: "The Real-Mode Kernel Header", "64-bit Boot Protocol";
// Documentation/x86/zero-page.rst).
//
// Accepted are protocol 2.12 and later with XLF_KERNEL_64. The kernel goes to its preferred
// address, or if that does not fit and the kernel is relocatable, to the lowest aligned one that
// does; the ramdisk goes as high as the kernel allows, above 4 GiB only if
// XLF_CAN_BE_LOADED_ABOVE_4G says so and low RAM is too small.
#pragma once

#include <stdbool.h>

#include "vmm/loader/x86_64/x86_boot.h"

// Whether the file begins like a Linux/x86 boot image of any protocol version.
bool linux_bzimage_matches(const struct boot_blob *kernel);

// Fills guest memory and *state. The reason in the request tells what is wrong with the kernel
// (IO_DATA_INTEGRITY: not a whole bzImage; NOT_SUPPORTED: one that cannot be started this way), the
// command line (INVALID_ARGS) or the guest's memory (NO_MEMORY, NO_SPACE, OUT_OF_RANGE,
// INVALID_ARGS).
mx_status_t linux_bzimage_load(const struct boot_request *request, const struct x86_boot_map *map,
                               struct x86_boot_state *state) MX_MUST_CHECK;
