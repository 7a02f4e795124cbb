// Which device answers an address: the rows of one space (I/O ports or memory), and the dispatch of
// an access to them.
//
// The index of a row is the key of the trap that covers it, so the exit already tells the row; an
// access of an emulated instruction is found by its address. An access that no row contains as a
// whole goes byte by byte, as on a bus of eight-bit chips; where nothing is, reads give ones and
// writes are ignored.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#include "vmm/device.h"

#define ACCESS_MAP_ROWS_MAX 32

struct access_row {
    uint64_t base;
    uint64_t size_bytes;
    const struct device_ops *ops;
    void *device;
};

// Zero-initialised, it is empty.
struct access_map {
    struct access_row rows[ACCESS_MAP_ROWS_MAX];
    size_t row_count;
};

// Adds a row; *index is its place. INVALID_ARGS: empty or wraps. ALREADY_EXISTS: overlaps a row.
// NO_RESOURCES: full.
MX_MUST_CHECK mx_status_t access_map_add(struct access_map *map, const struct access_row *row,
                                         size_t *index);

// An access of 1, 2, 4 or 8 bytes. `hint` is the row that it probably lies in; any value is
// allowed.
uint64_t access_map_read(const struct access_map *map, uint64_t hint, uint64_t address,
                         unsigned width_bytes);
void access_map_write(const struct access_map *map, uint64_t hint, uint64_t address,
                      unsigned width_bytes, uint64_t value);
