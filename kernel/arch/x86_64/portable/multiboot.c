// Multiboot's information as items; see multiboot.h.
#include "kernel/arch/x86_64/portable/multiboot.h"

#include <stdbool.h>
#include <string.h>

#include "boot/zbi_items.h"

#define CMDLINE_MAX 4096

struct conversion {
    multiboot_map_function map;
    struct multiboot_info info;
    void *buffer;
    size_t capacity_bytes;
};

static mx_status_t append(struct conversion *conversion, uint32_t type, uint32_t extra,
                          const void *payload, size_t size_bytes)
{
    return zbi_append(conversion->buffer, conversion->capacity_bytes, type, extra, payload,
                      size_bytes, false);
}

// Calls for each entry, or only counts them.
static size_t walk_mmap(const uint8_t *map, uint32_t size_bytes, uint8_t *out)
{
    struct multiboot_mmap_entry entry;
    size_t count = 0;

    for (uint64_t at = 0; at + sizeof(entry) <= size_bytes;
         at += sizeof(entry.size) + (uint64_t)entry.size) {
        memcpy(&entry, map + at, sizeof(entry));
        if (entry.size_bytes == 0)
            continue;
        struct zbi_e820_entry e820 = {entry.base, entry.size_bytes, entry.type};
        if (out)
            memcpy(out + count * sizeof(e820), &e820, sizeof(e820));
        count++;
    }
    return count;
}

static mx_status_t add_memory(struct conversion *conversion, const char **reason)
{
    uint32_t size_bytes = conversion->info.mmap_size_bytes;
    const uint8_t *map = conversion->map(conversion->info.mmap, size_bytes);
    void *table;

    *reason = "the Multiboot loader's memory map cannot be reached or is empty";
    size_t count = map ? walk_mmap(map, size_bytes, NULL) : 0;
    if (count == 0)
        return MX_ERR_IO_DATA_INTEGRITY;
    *reason = "the Multiboot loader's memory map is too long";
    mx_status_t status =
        zbi_append_space(conversion->buffer, conversion->capacity_bytes, ZBI_TYPE_E820_TABLE, 0,
                         count * sizeof(struct zbi_e820_entry), &table);
    if (status == MX_OK)
        (void)walk_mmap(map, size_bytes, table);
    return status;
}

static mx_status_t add_cmdline(struct conversion *conversion, const char **reason)
{
    const char *text = conversion->map(conversion->info.cmdline, CMDLINE_MAX);
    size_t length = text ? strnlen(text, CMDLINE_MAX) : 0;
    void *copy;

    *reason = "the Multiboot loader's command line is too long";
    if (length == CMDLINE_MAX)
        return MX_ERR_BUFFER_TOO_SMALL;
    mx_status_t status = zbi_append_space(conversion->buffer, conversion->capacity_bytes,
                                          ZBI_TYPE_CMDLINE, 0, length + 1, &copy);
    if (status == MX_OK && length != 0)
        memcpy(copy, text, length);
    return status;
}

static mx_status_t add_module(struct conversion *conversion, const char **reason)
{
    struct multiboot_module module;
    const void *first = conversion->map(conversion->info.modules, sizeof(module));

    if (conversion->info.module_count == 0)
        return MX_OK;
    *reason = "the Multiboot loader's list of modules cannot be reached or is wrong";
    if (!first)
        return MX_ERR_IO_DATA_INTEGRITY;
    memcpy(&module, first, sizeof(module));
    if (module.end <= module.start)
        return MX_ERR_IO_DATA_INTEGRITY;
    struct zbi_place place = {module.start, module.end - module.start};
    *reason = "the Multiboot loader's information is too long";
    return append(conversion, ZBI_TYPE_PLACE, ZBI_TYPE_CONTAINER, &place, sizeof(place));
}

static bool is_8_bits_at(const struct multiboot_info *info, uint8_t red, uint8_t green,
                         uint8_t blue)
{
    return info->red_bits == 8 && info->green_bits == 8 && info->blue_bits == 8 &&
           info->red_shift == red && info->green_shift == green && info->blue_shift == blue;
}

// A screen in text mode, or with other pixels, is left out.
static mx_status_t add_framebuffer(struct conversion *conversion, const char **reason)
{
    const struct multiboot_info *info = &conversion->info;
    struct zbi_framebuffer screen = {
        .base = info->framebuffer,
        .width = info->framebuffer_width,
        .height = info->framebuffer_height,
        .stride_pixels = info->framebuffer_pitch / 4,
    };

    if (info->framebuffer_type != MULTIBOOT_FRAMEBUFFER_RGB || info->framebuffer_bits != 32 ||
        info->framebuffer_pitch % 4 != 0)
        return MX_OK;
    if (is_8_bits_at(info, 16, 8, 0))
        screen.format = ZBI_PIXELS_XRGB;
    else if (is_8_bits_at(info, 0, 8, 16))
        screen.format = ZBI_PIXELS_XBGR;
    else
        return MX_OK;
    *reason = "the Multiboot loader's information is too long";
    return append(conversion, ZBI_TYPE_FRAMEBUFFER, 0, &screen, sizeof(screen));
}

static const struct {
    uint32_t flag;
    mx_status_t (*add)(struct conversion *conversion, const char **reason);
} parts[] = {
    {MULTIBOOT_HAS_MMAP, add_memory},
    {MULTIBOOT_HAS_CMDLINE, add_cmdline},
    {MULTIBOOT_HAS_MODULES, add_module},
    {MULTIBOOT_HAS_FRAMEBUFFER, add_framebuffer},
};

mx_status_t multiboot_describe(multiboot_map_function map, uint32_t info_address, void *buffer,
                               size_t capacity_bytes, const char **reason)
{
    struct conversion conversion = {.map = map, .buffer = buffer, .capacity_bytes = capacity_bytes};
    const void *info = map(info_address, sizeof(conversion.info));
    mx_status_t status = zbi_create(buffer, capacity_bytes);

    *reason = "the Multiboot loader's information cannot be reached";
    if (!info)
        return MX_ERR_IO_DATA_INTEGRITY;
    memcpy(&conversion.info, info, sizeof(conversion.info));
    for (size_t i = 0; status == MX_OK && i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (conversion.info.flags & parts[i].flag)
            status = parts[i].add(&conversion, reason);
    }
    return status;
}
