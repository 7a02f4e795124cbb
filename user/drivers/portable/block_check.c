// Checks of block requests; see block_check.h.
#include "user/drivers/portable/block_check.h"

static bool is_within(uint64_t offset, uint64_t size, uint64_t limit)
{
    return offset <= limit && size <= limit - offset;
}

static mx_status_t check_segments(const struct block_message *message,
                                  const uint64_t memory_bytes[BLOCK_MEMORIES_MAX])
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < message->request.segment_count; i++) {
        const struct block_segment *segment = &message->segments[i];

        if (segment->memory >= BLOCK_MEMORIES_MAX || memory_bytes[segment->memory] == 0)
            return MX_ERR_NOT_FOUND;
        if (segment->size_bytes == 0)
            return MX_ERR_INVALID_ARGS;
        if (!is_within(segment->offset, segment->size_bytes, memory_bytes[segment->memory]))
            return MX_ERR_OUT_OF_RANGE;
        total += segment->size_bytes;
    }
    return total == message->request.size_bytes ? MX_OK : MX_ERR_INVALID_ARGS;
}

static mx_status_t check_range(const struct block_extent *extent,
                               const struct block_geometry *geometry,
                               const struct block_request *request)
{
    if (request->size_bytes == 0 ||
        ((request->offset | request->size_bytes) & (geometry->block_bytes - 1)) != 0)
        return MX_ERR_INVALID_ARGS;
    return is_within(request->offset, request->size_bytes, extent->size_bytes)
               ? MX_OK
               : MX_ERR_OUT_OF_RANGE;
}

static mx_status_t check_transfer(const struct block_extent *extent,
                                  const struct block_geometry *geometry,
                                  const uint64_t memory_bytes[BLOCK_MEMORIES_MAX],
                                  const struct block_message *message)
{
    const struct block_request *request = &message->request;
    mx_status_t status = check_range(extent, geometry, request);

    if (status != MX_OK)
        return status;
    if (request->size_bytes > geometry->transfer_bytes)
        return MX_ERR_OUT_OF_RANGE;
    if (request->operation == BLOCK_WRITE && extent->is_read_only)
        return MX_ERR_ACCESS_DENIED;
    return check_segments(message, memory_bytes);
}

mx_status_t block_check(const struct block_extent *extent, const struct block_geometry *geometry,
                        const uint64_t memory_bytes[BLOCK_MEMORIES_MAX],
                        const struct block_message *message, size_t message_bytes,
                        size_t handle_count, uint64_t *disk_offset)
{
    const struct block_request *request = &message->request;
    mx_status_t status = MX_OK;
    bool takes_handle, has_segments;

    if (message_bytes < sizeof(*request))
        return MX_ERR_INVALID_ARGS;
    takes_handle = request->operation == BLOCK_OPEN || request->operation == BLOCK_ATTACH;
    has_segments = request->operation == BLOCK_READ || request->operation == BLOCK_WRITE;
    if ((request->flags & ~(BLOCK_OPEN_READ_ONLY | BLOCK_OPEN_FINAL)) != 0 ||
        handle_count != takes_handle || request->segment_count > BLOCK_SEGMENTS_MAX ||
        (request->segment_count != 0) != has_segments ||
        message_bytes != sizeof(*request) + request->segment_count * sizeof(struct block_segment))
        return MX_ERR_INVALID_ARGS;
    if (has_segments)
        status = check_transfer(extent, geometry, memory_bytes, message);
    else if (request->operation == BLOCK_OPEN && extent->is_final)
        status = MX_ERR_ACCESS_DENIED;
    else if (request->operation == BLOCK_OPEN)
        status = check_range(extent, geometry, request);
    else if (request->operation < BLOCK_INFO || request->operation > BLOCK_FLUSH)
        status = MX_ERR_INVALID_ARGS;
    if (status == MX_OK)
        *disk_offset = extent->offset + request->offset;
    return status;
}
