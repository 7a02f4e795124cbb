// Loads a Linux/arm64 Image, uncompressed or as a gzip file (Linux,
// Documentation/arm64/booting.rst, "Call the kernel image").
//
// The kernel goes to the lowest 2 MiB boundary of low RAM plus its text_offset; image_size bytes
// from there on are its own. A compressed one is decompressed straight to that place.
#pragma once

#include <stdbool.h>

#include "vmm/loader/boot.h"

// Whether the file is an Image, or a gzip file of any content.
bool linux_image_matches(const struct boot_blob *kernel);

// Fills guest memory; *placed is the kernel's memory, whose start is the entry. The reason in the
// request tells what is wrong with the kernel (IO_DATA_INTEGRITY: damaged; NOT_SUPPORTED: one that
// cannot be started) or with the guest's memory (NO_MEMORY, OUT_OF_RANGE).
mx_status_t linux_image_load(const struct boot_request *request,
                             struct boot_range *placed) MX_MUST_CHECK;
