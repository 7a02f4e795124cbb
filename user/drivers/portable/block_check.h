// Whether a request of the block protocol (machina_user/block.h) makes sense, and what it means on
// the disk. Clients are not trusted.
#pragma once

#include <stddef.h>

#include "user/include/machina_user/block.h"

struct block_extent {
    uint64_t offset, size_bytes; // on the disk
    bool is_read_only;
    bool is_final; // no narrower extents can be made of it
};

// What all extents of a disk have in common.
struct block_geometry {
    uint32_t block_bytes; // a power of two
    uint32_t transfer_bytes;
};

// Checks a message of `message_bytes` with `handle_count` handles. `memory_bytes` has the sizes of
// the attached memories, 0 where there is none. *disk_offset is where it begins on the disk.
MX_MUST_CHECK mx_status_t block_check(const struct block_extent *extent,
                                      const struct block_geometry *geometry,
                                      const uint64_t memory_bytes[BLOCK_MEMORIES_MAX],
                                      const struct block_message *message, size_t message_bytes,
                                      size_t handle_count, uint64_t *disk_offset);
