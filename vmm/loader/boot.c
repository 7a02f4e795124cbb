// What the loaders share: reasons, and places for command line and ramdisk.
#include "vmm/loader/boot.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PAGE_BYTES UINT64_C(4096)
#define FOUR_GIB   (UINT64_C(1) << 32)

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

bool boot_range_contains(const struct boot_range *range, uint64_t start, uint64_t size_bytes)
{
    if (start < range->start)
        return false;
    uint64_t offset = start - range->start;
    return offset <= range->size_bytes && size_bytes <= range->size_bytes - offset;
}

static bool range_ends_by(const struct boot_range *range, uint64_t limit)
{
    return range->start <= limit && range->size_bytes <= limit - range->start;
}

mx_status_t boot_arena_init(struct boot_arena *arena, const struct boot_request *request)
{
    const struct boot_memory_map *map = request->map;
    const struct boot_range *high = &map->high_ram;
    if (!range_ends_by(&map->tables, FOUR_GIB) || !range_ends_by(&map->low_ram, FOUR_GIB) ||
        !range_ends_by(high, UINT64_MAX) || (high->size_bytes > 0 && high->start < FOUR_GIB))
        return boot_fail(request, MX_ERR_INVALID_ARGS,
                         "memory map: a RAM range is on the wrong side of 4 GiB");
    if (map->e820_count == 0 || map->e820_count > BOOT_E820_ENTRY_MAX)
        return boot_fail(request, MX_ERR_INVALID_ARGS,
                         "memory map: %zu entries, from 1 to %d are possible", map->e820_count,
                         BOOT_E820_ENTRY_MAX);
    *arena = (struct boot_arena){.request = request,
                                 .next = map->tables.start,
                                 .end = map->tables.start + map->tables.size_bytes};
    return MX_OK;
}

mx_status_t boot_arena_take(struct boot_arena *arena, uint64_t size_bytes, uint64_t align_bytes,
                            const char *purpose, uint64_t *guest_physical)
{
    uint64_t start =
        (arena->next + align_bytes - 1) & ~(align_bytes - 1); // below 4 GiB, never wraps
    if (start > arena->end || size_bytes > arena->end - start)
        return boot_fail(arena->request, MX_ERR_NO_SPACE,
                         "%s: %llu bytes do not fit into the memory below 0x%llx that is set aside "
                         "for starting the kernel",
                         purpose, (unsigned long long)size_bytes, (unsigned long long)arena->end);
    if (guest_memory_zero(arena->request->memory, start, size_bytes) != MX_OK)
        return boot_fail(arena->request, MX_ERR_OUT_OF_RANGE,
                         "%s: guest memory at 0x%llx does not exist", purpose,
                         (unsigned long long)start);
    arena->next = start + size_bytes;
    *guest_physical = start;
    return MX_OK;
}

mx_status_t boot_place_command_line(struct boot_arena *arena, uint64_t length_max,
                                    struct boot_range *placed)
{
    const struct boot_request *request = arena->request;
    const char *text = request->command_line ? request->command_line : "";
    size_t length = strlen(text);
    *placed = (struct boot_range){0};
    if (length > length_max)
        return boot_fail(request, MX_ERR_INVALID_ARGS,
                         "cmdline: %zu characters, this kernel takes %llu", length,
                         (unsigned long long)length_max);
    uint64_t start;
    mx_status_t status = boot_arena_take(arena, length + 1, 16, "cmdline", &start);
    if (status != MX_OK)
        return status;
    *placed = (struct boot_range){start, length + 1};
    return guest_memory_write(request->memory, start, text, length + 1);
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
    const struct boot_memory_map *map = request->map;
    uint64_t size_bytes = request->ramdisk.size_bytes;
    uint64_t start = 0;
    *placed = (struct boot_range){0};
    if (size_bytes == 0)
        return MX_OK;
    bool found = find_highest_place(&map->low_ram, floor, limit, size_bytes, &start) ||
                 (may_be_high && map->high_ram.size_bytes > 0 &&
                  find_highest_place(&map->high_ram, 0, UINT64_MAX, size_bytes, &start));
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
