// Places for what the x86-64 loaders make; the contract is in the header.
#include "vmm/loader/x86_64/x86_boot.h"

#include <string.h>

#define FOUR_GIB (UINT64_C(1) << 32)

mx_status_t x86_boot_arena_init(struct x86_boot_arena *arena, const struct boot_request *request,
                                const struct x86_boot_map *map)
{
    mx_status_t status = boot_check_ram(request, FOUR_GIB);
    if (status != MX_OK)
        return status;
    if (map->tables.start > FOUR_GIB || map->tables.size_bytes > FOUR_GIB - map->tables.start)
        return boot_fail(request, MX_ERR_INVALID_ARGS,
                         "memory map: the range for boot tables is not below 4 GiB");
    if (map->e820_count == 0 || map->e820_count > BOOT_E820_ENTRY_MAX)
        return boot_fail(request, MX_ERR_INVALID_ARGS,
                         "memory map: %zu entries, from 1 to %d are possible", map->e820_count,
                         BOOT_E820_ENTRY_MAX);
    *arena = (struct x86_boot_arena){.request = request,
                                     .map = map,
                                     .next = map->tables.start,
                                     .end = map->tables.start + map->tables.size_bytes};
    return MX_OK;
}

mx_status_t x86_boot_arena_take(struct x86_boot_arena *arena, uint64_t size_bytes,
                                uint64_t align_bytes, const char *purpose, uint64_t *guest_physical)
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

mx_status_t x86_boot_place_command_line(struct x86_boot_arena *arena, uint64_t length_max,
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
    mx_status_t status = x86_boot_arena_take(arena, length + 1, 16, "cmdline", &start);
    if (status != MX_OK)
        return status;
    *placed = (struct boot_range){start, length + 1};
    return guest_memory_write(request->memory, start, text, length + 1);
}
