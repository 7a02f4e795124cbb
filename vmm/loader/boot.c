// What the loaders share: reasons, and places for command line and ramdisk.
#include "vmm/loader/boot.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PAGE_BYTES UINT64_C(4096)

mx_status_t boot_fail(const struct boot_request *request, mx_status_t status, const char *format,
                      ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (request->reason_bytes > 0)
        vsnprintf(request->reason, request->reason_bytes, format, arguments);
    va_end(arguments);
    return status;
}

// Files that are mistaken for kernels, by how they begin.
struct known_file {
    uint8_t magic_bytes;
    char magic[7];
    const char *advice;
};

static const struct known_file KNOWN_FILES[] = {
    {2, "\x1f\x8b", "a gzip file; decompress it first"},
    {6,
     "\xfd"
     "7zXZ\0",
     "an xz file; decompress it first"},
    {4, "\x28\xb5\x2f\xfd", "a zstd file; decompress it first"},
    {6, "070701", "a cpio archive; is it the ramdisk?"},
    {4, "\xd0\x0d\xfe\xed", "a device tree; is it the dtb-overlay?"},
    {7, "!<arch>", "a Debian package or a library; unpack it first"},
};

mx_status_t boot_refuse_kernel(const struct boot_request *request, const char *expected)
{
    const struct boot_blob *kernel = &request->kernel;
    if (kernel->size_bytes == 0)
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY, "kernel: the file is empty");
    for (size_t i = 0; i < sizeof(KNOWN_FILES) / sizeof(KNOWN_FILES[0]); i++) {
        const struct known_file *known = &KNOWN_FILES[i];
        if (kernel->size_bytes >= known->magic_bytes &&
            memcmp(kernel->data, known->magic, known->magic_bytes) == 0)
            return boot_fail(request, MX_ERR_NOT_SUPPORTED, "kernel: this is %s", known->advice);
    }
    return boot_fail(request, MX_ERR_NOT_SUPPORTED, "kernel: %s", expected);
}

mx_status_t boot_check_kind(const struct boot_request *request, bool is_zircon)
{
    if (request->kernel_kind == BOOT_KERNEL_LINUX && is_zircon)
        return boot_fail(request, MX_ERR_INVALID_ARGS,
                         "linux: this is a Zircon boot image; name it as zircon or kernel");
    if (request->kernel_kind == BOOT_KERNEL_ZIRCON && !is_zircon)
        return boot_fail(request, MX_ERR_INVALID_ARGS,
                         "zircon: this is no Zircon boot image, it does not begin with \"BOOT\"; "
                         "name another kernel as linux or kernel");
    return MX_OK;
}

bool boot_range_contains(const struct boot_range *range, uint64_t start, uint64_t size_bytes)
{
    if (start < range->start)
        return false;
    uint64_t offset = start - range->start;
    return offset <= range->size_bytes && size_bytes <= range->size_bytes - offset;
}

bool boot_range_overlaps(const struct boot_range *a, const struct boot_range *b)
{
    return a->size_bytes > 0 && b->size_bytes > 0 && a->start <= b->start + (b->size_bytes - 1) &&
           b->start <= a->start + (a->size_bytes - 1);
}

static bool range_ends_by(const struct boot_range *range, uint64_t limit)
{
    return range->start <= limit && range->size_bytes <= limit - range->start;
}

mx_status_t boot_check_ram(const struct boot_request *request, uint64_t low_limit)
{
    const struct boot_range *high = &request->high_ram;
    if (!range_ends_by(&request->low_ram, low_limit) || !range_ends_by(high, UINT64_MAX) ||
        (high->size_bytes > 0 && high->start < low_limit))
        return boot_fail(request, MX_ERR_INVALID_ARGS,
                         "memory map: a RAM range is on the wrong side of 0x%llx",
                         (unsigned long long)low_limit);
    return MX_OK;
}

// The highest page-aligned place in `ram` between floor and limit; false if there is none.
static bool find_highest_place(const struct boot_range *ram, uint64_t floor, uint64_t limit,
                               uint64_t size_bytes, uint64_t *start)
{
    uint64_t end = ram->start + ram->size_bytes;
    if (end > limit)
        end = limit;
    if (floor < ram->start)
        floor = ram->start;
    if (end < floor || end - floor < size_bytes)
        return false;
    *start = (end - size_bytes) & ~(PAGE_BYTES - 1);
    return *start >= floor;
}

mx_status_t boot_place_ramdisk(const struct boot_request *request, uint64_t floor, uint64_t limit,
                               bool may_be_high, struct boot_range *placed)
{
    uint64_t size_bytes = request->ramdisk.size_bytes;
    uint64_t start = 0;
    *placed = (struct boot_range){0};
    if (size_bytes == 0)
        return MX_OK;
    bool found = find_highest_place(&request->low_ram, floor, limit, size_bytes, &start) ||
                 (may_be_high && request->high_ram.size_bytes > 0 &&
                  find_highest_place(&request->high_ram, 0, UINT64_MAX, size_bytes, &start));
    if (!found)
        return boot_fail(request, MX_ERR_NO_MEMORY,
                         "ramdisk: %llu bytes do not fit into guest memory above the kernel, which "
                         "ends at 0x%llx; give the guest more memory",
                         (unsigned long long)size_bytes, (unsigned long long)floor);
    if (guest_memory_write(request->memory, start, request->ramdisk.data, size_bytes) != MX_OK)
        return boot_fail(request, MX_ERR_OUT_OF_RANGE,
                         "ramdisk: guest memory at 0x%llx does not exist",
                         (unsigned long long)start);
    *placed = (struct boot_range){start, size_bytes};
    return MX_OK;
}
