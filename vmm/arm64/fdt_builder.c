// Flattened device trees; the contract is in the header.
#include "vmm/arm64/fdt_builder.h"

#include <stdio.h>
#include <string.h>

#include "vmm/arm64/fdt_format.h"

#define NODE_NAME_BYTES_MAX 64

void fdt_builder_init(struct fdt_builder *builder, void *buffer, size_t capacity)
{
    *builder = (struct fdt_builder){.buffer = buffer, .capacity = capacity};
    // The header and one reservation, of nothing, which ends the list.
    builder->size_bytes = FDT_HEADER_BYTES + FDT_RESERVATION_BYTES;
    if (capacity < builder->size_bytes)
        builder->is_broken = true;
    else
        memset(buffer, 0, builder->size_bytes);
}

// --- the structure block ------------------------------------------------------------------------

// Room for `size_bytes` and padding to a whole cell; NULL if there is none.
static uint8_t *take_bytes(struct fdt_builder *builder, size_t size_bytes)
{
    const size_t padding = -size_bytes & (FDT_CELL_BYTES - 1);

    if (builder->is_broken || size_bytes > builder->capacity - builder->size_bytes ||
        padding > builder->capacity - builder->size_bytes - size_bytes) {
        builder->is_broken = true;
        return NULL;
    }
    uint8_t *bytes = builder->buffer + builder->size_bytes;
    memset(bytes + size_bytes, 0, padding);
    builder->size_bytes += size_bytes + padding;
    return bytes;
}

static void put_u32(struct fdt_builder *builder, uint32_t value)
{
    uint8_t *bytes = take_bytes(builder, FDT_CELL_BYTES);

    if (bytes)
        fdt_set_u32(bytes, value);
}

static void put_bytes(struct fdt_builder *builder, const void *value, size_t size_bytes)
{
    uint8_t *bytes = take_bytes(builder, size_bytes);

    if (bytes && size_bytes > 0)
        memcpy(bytes, value, size_bytes);
}

void fdt_builder_begin_node(struct fdt_builder *builder, const char *name)
{
    if (builder->depth == 0 && builder->has_root)
        builder->is_misused = true;
    builder->has_root = true;
    builder->may_have_property = true;
    builder->depth++;
    put_u32(builder, FDT_BEGIN_NODE);
    put_bytes(builder, name, strlen(name) + 1);
}

void fdt_builder_begin_node_at(struct fdt_builder *builder, const char *name, uint64_t address)
{
    char whole[NODE_NAME_BYTES_MAX];

    snprintf(whole, sizeof(whole), "%s@%llx", name, (unsigned long long)address);
    fdt_builder_begin_node(builder, whole);
}

void fdt_builder_end_node(struct fdt_builder *builder)
{
    if (builder->depth == 0) {
        builder->is_misused = true;
        return;
    }
    builder->depth--;
    builder->may_have_property = false;
    put_u32(builder, FDT_END_NODE);
}

// --- properties ---------------------------------------------------------------------------------

// Offset of a name among the strings, which gets it if it is new.
static uint32_t find_string(struct fdt_builder *builder, const char *name)
{
    const size_t name_bytes = strlen(name) + 1;
    size_t at = 0;

    while (at < builder->strings_bytes) {
        if (strcmp(builder->strings + at, name) == 0)
            return (uint32_t)at;
        at += strlen(builder->strings + at) + 1;
    }
    if (name_bytes > sizeof(builder->strings) - at) {
        builder->is_broken = true;
        return 0;
    }
    memcpy(builder->strings + at, name, name_bytes);
    builder->strings_bytes += name_bytes;
    return (uint32_t)at;
}

// The property without its value.
static void begin_property(struct fdt_builder *builder, const char *name, size_t size_bytes)
{
    if (builder->depth == 0 || !builder->may_have_property)
        builder->is_misused = true;
    if (size_bytes > UINT32_MAX)
        builder->is_broken = true;
    put_u32(builder, FDT_PROPERTY);
    put_u32(builder, (uint32_t)size_bytes);
    put_u32(builder, find_string(builder, name));
}

void fdt_builder_put_property(struct fdt_builder *builder, const char *name, const void *value,
                              size_t size_bytes)
{
    begin_property(builder, name, size_bytes);
    put_bytes(builder, value, size_bytes);
}

void fdt_builder_put_empty(struct fdt_builder *builder, const char *name)
{
    begin_property(builder, name, 0);
}

void fdt_builder_put_string(struct fdt_builder *builder, const char *name, const char *text)
{
    fdt_builder_put_property(builder, name, text, strlen(text) + 1);
}

void fdt_builder_put_strings(struct fdt_builder *builder, const char *name,
                             const char *const *texts, size_t count)
{
    size_t size_bytes = 0;

    for (size_t i = 0; i < count; i++)
        size_bytes += strlen(texts[i]) + 1;
    begin_property(builder, name, size_bytes);
    uint8_t *bytes = take_bytes(builder, size_bytes);
    for (size_t i = 0; bytes && i < count; i++) {
        const size_t text_bytes = strlen(texts[i]) + 1;
        memcpy(bytes, texts[i], text_bytes);
        bytes += text_bytes;
    }
}

void fdt_builder_put_cells(struct fdt_builder *builder, const char *name, const uint32_t *cells,
                           size_t count)
{
    begin_property(builder, name, count * FDT_CELL_BYTES);
    for (size_t i = 0; i < count; i++)
        put_u32(builder, cells[i]);
}

void fdt_builder_put_u32(struct fdt_builder *builder, const char *name, uint32_t value)
{
    fdt_builder_put_cells(builder, name, &value, 1);
}

void fdt_builder_put_u64(struct fdt_builder *builder, const char *name, uint64_t value)
{
    fdt_builder_put_u64s(builder, name, &value, 1);
}

void fdt_builder_put_u64s(struct fdt_builder *builder, const char *name, const uint64_t *values,
                          size_t count)
{
    begin_property(builder, name, count * 2 * FDT_CELL_BYTES);
    for (size_t i = 0; i < count; i++) {
        put_u32(builder, (uint32_t)(values[i] >> 32));
        put_u32(builder, (uint32_t)values[i]);
    }
}

// --- the end ------------------------------------------------------------------------------------

static void fill_header(struct fdt_builder *builder, uint32_t boot_cpu, size_t strings_offset)
{
    const uint32_t struct_offset = FDT_HEADER_BYTES + FDT_RESERVATION_BYTES;
    uint8_t *header = builder->buffer;

    fdt_set_u32(header + FDT_HEADER_MAGIC, FDT_MAGIC);
    fdt_set_u32(header + FDT_HEADER_TOTAL_SIZE, (uint32_t)builder->size_bytes);
    fdt_set_u32(header + FDT_HEADER_STRUCT_OFFSET, struct_offset);
    fdt_set_u32(header + FDT_HEADER_STRINGS_OFFSET, (uint32_t)strings_offset);
    fdt_set_u32(header + FDT_HEADER_RESERVATIONS_OFFSET, FDT_HEADER_BYTES);
    fdt_set_u32(header + FDT_HEADER_VERSION, FDT_VERSION);
    fdt_set_u32(header + FDT_HEADER_COMPATIBLE, FDT_COMPATIBLE);
    fdt_set_u32(header + FDT_HEADER_BOOT_CPU, boot_cpu);
    fdt_set_u32(header + FDT_HEADER_STRINGS_SIZE, (uint32_t)builder->strings_bytes);
    fdt_set_u32(header + FDT_HEADER_STRUCT_SIZE, (uint32_t)strings_offset - struct_offset);
}

mx_status_t fdt_builder_finish(struct fdt_builder *builder, uint32_t boot_cpu, size_t *size_bytes)
{
    const bool is_tree = builder->has_root && builder->depth == 0 && !builder->is_misused;

    put_u32(builder, FDT_END);
    const size_t strings_offset = builder->size_bytes;
    put_bytes(builder, builder->strings, builder->strings_bytes);
    if (!is_tree)
        return MX_ERR_BAD_STATE;
    if (builder->is_broken || builder->size_bytes > UINT32_MAX)
        return MX_ERR_BUFFER_TOO_SMALL;
    fill_header(builder, boot_cpu, strings_offset);
    *size_bytes = builder->size_bytes;
    return MX_OK;
}
