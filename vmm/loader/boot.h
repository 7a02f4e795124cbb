// What the loaders of guest kernels share on every architecture: the request, files, and places in
// RAM.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <machina/status.h>

#include "vmm/memory/guest_memory.h"

// A file as the loader sees it: constant bytes in this process. Its contents are not trusted.
struct boot_blob {
    const void *data;
    uint64_t size_bytes; // 0: there is no such file
};

struct boot_range {
    uint64_t start;
    uint64_t size_bytes; // 0: no such range
};

// What the configuration says of the kernel's kind.
enum boot_kernel_kind {
    BOOT_KERNEL_ANY, // whatever the file's content says
    BOOT_KERNEL_LINUX,
    BOOT_KERNEL_ZIRCON,
};

// What to load, and the RAM that a loader may fill; made by the VMM. What the VMM keeps for itself
// lies outside of the two ranges.
struct boot_request {
    const struct guest_memory *memory;
    struct boot_range low_ram;  // below the machine's devices, for the kernel and its ramdisk
    struct boot_range high_ram; // above them; may be absent
    struct boot_blob kernel;
    enum boot_kernel_kind kernel_kind;
    struct boot_blob ramdisk;
    struct boot_blob device_tree_overlay;
    const char *command_line; // NULL: empty
    // Gets one line for the user if loading fails ("kernel: ..."); may be NULL if its size is 0.
    char *reason;
    size_t reason_bytes;
};

// Writes the reason for a failure as printf would and returns `status`.
mx_status_t boot_fail(const struct boot_request *request, mx_status_t status, const char *format,
                      ...) __attribute__((format(printf, 3, 4))) MX_MUST_CHECK;

// The end for a kernel that no loader knows: NOT_SUPPORTED with a reason that names what the file
// seems to be, or else with `expected`; IO_DATA_INTEGRITY if it is empty.
mx_status_t boot_refuse_kernel(const struct boot_request *request,
                               const char *expected) MX_MUST_CHECK;

// INVALID_ARGS with a reason if the configuration asks for another kind of kernel than the file has
// by its first bytes.
mx_status_t boot_check_kind(const struct boot_request *request, bool is_zircon) MX_MUST_CHECK;

// INVALID_ARGS with a reason if a RAM range wraps, low RAM does not end by `low_limit` or high RAM
// begins below it.
mx_status_t boot_check_ram(const struct boot_request *request, uint64_t low_limit) MX_MUST_CHECK;

// Puts the ramdisk at the highest page of low RAM that ends at or below `limit` and begins at or
// above `floor`, or in high RAM if it does not fit and `may_be_high`. *placed is empty if there is
// no ramdisk.
mx_status_t boot_place_ramdisk(const struct boot_request *request, uint64_t floor, uint64_t limit,
                               bool may_be_high, struct boot_range *placed) MX_MUST_CHECK;

// Whether start + size_bytes lies within the range, without wrapping.
bool boot_range_contains(const struct boot_range *range, uint64_t start, uint64_t size_bytes);
// Whether two ranges that do not wrap have a byte in common.
bool boot_range_overlaps(const struct boot_range *a, const struct boot_range *b);
