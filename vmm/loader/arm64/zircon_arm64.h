// Loads a Zircon boot image on arm64: its kernel, and the items that describe the machine of
// vmm/arm64/memory_map.h.
//
// Zircon, kernel/arch/arm64/start.S and system/public/zircon/boot/image.h: the kernel goes to a
// multiple of 64 KiB, is entered at the offset that its head names, with the MMU off, interrupts
// masked and the data ZBI's address in x0. Such a kernel reads no device tree; ours does, from an
// item that the others ignore.
#pragma once

#include "vmm/arm64/device_tree.h"
#include "vmm/loader/boot.h"
#include "vmm/loader/zircon_image.h"

// Copies the kernel of the request's boot image. *placed is all that is the kernel's, *entry where
// it is entered. IO_DATA_INTEGRITY, NOT_SUPPORTED, INVALID_ARGS, NO_MEMORY, OUT_OF_RANGE with a
// reason.
MX_MUST_CHECK mx_status_t zircon_arm64_place_kernel(const struct boot_request *request,
                                                    struct zircon_image *image,
                                                    struct boot_range *placed, uint64_t *entry);

// Makes the data ZBI at or above `floor` with everything that describes the machine; `tree` is the
// machine's device tree in guest memory. *placed is where it is. NO_MEMORY, OUT_OF_RANGE with a
// reason.
MX_MUST_CHECK mx_status_t zircon_arm64_make_data(const struct boot_request *request,
                                                 const struct zircon_image *image, uint64_t floor,
                                                 const struct device_tree_config *machine,
                                                 const struct boot_range *tree,
                                                 struct boot_range *placed);
