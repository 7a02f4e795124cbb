// Messages of the input's bytes: what is let through lies within the extent and the client's
// memory.
#include <assert.h>
#include <string.h>

#include "user/drivers/portable/block_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct block_extent extent = {
        .offset = 0x4000,
        .size_bytes = 0x100000,
        .is_read_only = size % 3 == 0,
        .is_final = size % 5 == 0,
    };
    const struct block_geometry geometry = {512, 0x20000};
    const uint64_t memory_bytes[BLOCK_MEMORIES_MAX] = {0x10000, 0x1000};
    static struct block_message message;
    uint64_t disk_offset, total = 0;

    memset(&message, 0, sizeof(message));
    size = size < sizeof(message) ? size : sizeof(message);
    memcpy(&message, data, size);
    if (block_check(&extent, &geometry, memory_bytes, &message, size, size % 2, &disk_offset) !=
        MX_OK)
        return 0;
    const struct block_request *request = &message.request;
    assert(request->operation != BLOCK_OPEN || !extent.is_final);
    if (request->operation != BLOCK_READ && request->operation != BLOCK_WRITE)
        return 0;
    assert(request->operation == BLOCK_READ || !extent.is_read_only);
    assert(disk_offset >= extent.offset && request->size_bytes <= geometry.transfer_bytes);
    assert(disk_offset - extent.offset + request->size_bytes <= extent.size_bytes);
    for (uint32_t i = 0; i < request->segment_count; i++) {
        const struct block_segment *segment = &message.segments[i];
        assert(segment->offset + segment->size_bytes <= memory_bytes[segment->memory]);
        total += segment->size_bytes;
    }
    assert(total == request->size_bytes);
    return 0;
}
