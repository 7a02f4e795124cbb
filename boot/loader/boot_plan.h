// From a complete boot image in memory to where its parts go: the kernel (the headers of container
// and kernel item included) to a place of its own, the rest behind a container header of its own.
// Checks all of the image first.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/zbi.h"

#define BOOT_PLAN_KERNEL_BASE UINT64_C(0x100000) // where an x64 kernel lies
#define BOOT_PLAN_RESERVE_MAX (UINT64_C(1) << 30)
#define BOOT_PLAN_PAGE_BYTES  4096
#define BOOT_PLAN_SPARE_BYTES BOOT_PLAN_PAGE_BYTES // that the buffer needs behind the image

struct boot_plan {
    size_t kernel_bytes;    // from the start of the image: goes to the kernel's place
    uint64_t reserve_bytes; // to be left free behind these
    uint64_t entry_offset;  // from the kernel's place
    size_t data_offset;     // in the image: the data container is to begin here
    size_t data_bytes;      // of the items behind its header
};

// `kernel_type` is that of this machine. IO_DATA_INTEGRITY with *error: damaged. NOT_SUPPORTED: no
// kernel of that type; error says which there is.
MX_MUST_CHECK mx_status_t boot_plan_make(const void *image, size_t size_bytes, uint32_t kernel_type,
                                         struct boot_plan *plan, struct format_error *error);
// Whether any byte of the kernel's place, from BOOT_PLAN_KERNEL_BASE to `end`, is one of
// `size_bytes` from `start`.
bool boot_plan_place_touches(uint64_t end, uint64_t start, uint64_t size_bytes);
// Writes the data container's header, once the kernel was taken out, and returns the container: on
// a page if the image is. The buffer has BOOT_PLAN_SPARE_BYTES behind the image.
void *boot_plan_make_data(void *image, const struct boot_plan *plan);
