// Tells the kinds of guest kernel apart and hands the file to the right loader.
#pragma once

#include "vmm/loader/x86_64/x86_boot.h"

enum kernel_image_kind {
    KERNEL_IMAGE_UNKNOWN,
    KERNEL_IMAGE_LINUX_BZIMAGE,
    KERNEL_IMAGE_LINUX_ELF,
    KERNEL_IMAGE_ZIRCON,
};

// Judges by the first bytes only.
enum kernel_image_kind kernel_image_sniff(const struct boot_blob *kernel);

// Loads a kernel of any kind. Errors are those of the loaders; NOT_SUPPORTED with a reason that
// names what the file seems to be, if it is none of the kinds.
mx_status_t kernel_image_load(const struct boot_request *request, const struct x86_boot_map *map,
                              struct x86_boot_state *state) MX_MUST_CHECK;
