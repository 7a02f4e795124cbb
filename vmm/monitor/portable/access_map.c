// Dispatch of register accesses; see access_map.h.
#include "vmm/monitor/portable/access_map.h"

static bool row_contains(const struct access_row *row, uint64_t address, unsigned width_bytes)
{
    const uint64_t offset = address - row->base; // wraps to a large number below the base

    return offset < row->size_bytes && width_bytes <= row->size_bytes - offset;
}

static bool rows_overlap(const struct access_row *a, const struct access_row *b)
{
    return a->base - b->base < b->size_bytes || b->base - a->base < a->size_bytes;
}

mx_status_t access_map_add(struct access_map *map, const struct access_row *row, size_t *index)
{
    if (row->size_bytes == 0 || row->size_bytes - 1 > UINT64_MAX - row->base || !row->ops)
        return MX_ERR_INVALID_ARGS;
    for (size_t i = 0; i < map->row_count; i++) {
        if (rows_overlap(&map->rows[i], row))
            return MX_ERR_ALREADY_EXISTS;
    }
    if (map->row_count == ACCESS_MAP_ROWS_MAX)
        return MX_ERR_NO_RESOURCES;
    *index = map->row_count;
    map->rows[map->row_count++] = *row;
    return MX_OK;
}

static const struct access_row *find_row(const struct access_map *map, uint64_t hint,
                                         uint64_t address, unsigned width_bytes)
{
    if (hint < map->row_count && row_contains(&map->rows[hint], address, width_bytes))
        return &map->rows[hint];
    for (size_t i = 0; i < map->row_count; i++) {
        if (row_contains(&map->rows[i], address, width_bytes))
            return &map->rows[i];
    }
    return NULL;
}

static uint64_t all_ones(unsigned width_bytes)
{
    return width_bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * width_bytes)) - 1;
}

uint64_t access_map_read(const struct access_map *map, uint64_t hint, uint64_t address,
                         unsigned width_bytes)
{
    const struct access_row *row = find_row(map, hint, address, width_bytes);
    uint64_t value = 0;

    if (row)
        return row->ops->read(row->device, address - row->base, width_bytes) &
               all_ones(width_bytes);
    if (width_bytes <= 1)
        return 0xff;
    for (unsigned i = 0; i < width_bytes && i < 8; i++)
        value |= access_map_read(map, hint, address + i, 1) << (8 * i);
    return value;
}

void access_map_write(const struct access_map *map, uint64_t hint, uint64_t address,
                      unsigned width_bytes, uint64_t value)
{
    const struct access_row *row = find_row(map, hint, address, width_bytes);

    if (row) {
        row->ops->write(row->device, address - row->base, width_bytes,
                        value & all_ones(width_bytes));
        return;
    }
    for (unsigned i = 0; width_bytes > 1 && i < width_bytes && i < 8; i++)
        access_map_write(map, hint, address + i, 1, value >> (8 * i));
}
