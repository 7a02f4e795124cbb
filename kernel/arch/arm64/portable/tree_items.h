// What a loader of the arm64 Image format passes to the kernel, a device tree (Linux
// Documentation/arm64/booting.rst, Devicetree Specification 0.4, 3.6 "/chosen Node"), turned into
// the items that a kernel started by the ZBI protocol gets. Portable, and tested on the host.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernel/lib/fdt.h"

// Makes a container in the buffer: PLACE of the tree, which lies at the address, and if the tree
// has them PLACE of the ramdisk as the container with the files, and CMDLINE. IO_DATA_INTEGRITY,
// BUFFER_TOO_SMALL with *reason.
MX_MUST_CHECK mx_status_t tree_describe(const struct fdt *fdt, uint64_t address, void *buffer,
                                        size_t capacity_bytes, const char **reason);
