// An extent of a host's disk as a guest's disk; see extent_backend.h.
#include "vmm/device/extent_backend.h"

#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/startup.h>

#define BOUNCE_BYTES 65536u

static struct extent_backend *extent_of(struct block_backend *backend)
{
    return (struct extent_backend *)backend;
}

// What is left of a transfer.
struct cursor {
    const struct virtqueue_buffer *buffer;
    uint32_t skip;
    uint32_t left;
};

// The next piece, at most `limit` bytes; moves on.
static struct virtqueue_buffer take_piece(struct cursor *cursor, uint32_t limit)
{
    while (cursor->skip >= cursor->buffer->size_bytes)
        cursor->skip -= cursor->buffer++->size_bytes;
    struct virtqueue_buffer piece = {cursor->buffer->data + cursor->skip,
                                     cursor->buffer->size_bytes - cursor->skip};
    if (piece.size_bytes > cursor->left)
        piece.size_bytes = cursor->left;
    if (piece.size_bytes > limit)
        piece.size_bytes = limit;
    cursor->skip += piece.size_bytes;
    cursor->left -= piece.size_bytes;
    return piece;
}

static bool is_ram(const struct extent_backend *extent, const struct virtqueue_buffer *piece)
{
    uintptr_t start = (uintptr_t)extent->ram, at = (uintptr_t)piece->data;

    return at >= start && at - start <= extent->ram_bytes &&
           piece->size_bytes <= extent->ram_bytes - (at - start);
}

// As many whole blocks as one request takes, straight between device and RAM; 0 if the pieces are
// too small for that, or elsewhere. *cursor moves on by what is in the message.
static uint32_t gather(const struct extent_backend *extent, struct cursor *cursor,
                       struct block_message *message, uint32_t *segment_count)
{
    const uint32_t block = extent->client.block_bytes;
    struct cursor at = *cursor;
    uint32_t total = 0, count = 0;

    *segment_count = 0;
    while (at.left != 0 && count < BLOCK_SEGMENTS_MAX && total < extent->client.transfer_bytes) {
        struct virtqueue_buffer piece = take_piece(&at, extent->client.transfer_bytes - total);
        if (!is_ram(extent, &piece))
            break;
        message->segments[count++] = (struct block_segment){(uint64_t)(piece.data - extent->ram),
                                                            piece.size_bytes, extent->ram_memory};
        total += piece.size_bytes;
        if (total % block == 0) {
            *segment_count = count;
            *cursor = at;
        }
    }
    uint32_t whole = 0;
    for (uint32_t i = 0; i < *segment_count; i++)
        whole += message->segments[i].size_bytes;
    return whole;
}

// Whole blocks by way of the bounce buffer.
static mx_status_t bounce(struct extent_backend *extent, uint64_t offset, struct cursor *cursor,
                          bool is_write, uint32_t *done)
{
    uint32_t size = cursor->left < BOUNCE_BYTES ? cursor->left : BOUNCE_BYTES;
    struct cursor at = *cursor;
    mx_status_t status;

    if (!is_write) {
        status =
            block_client_copy(&extent->client, BLOCK_READ, offset, size, extent->bounce_memory, 0);
        if (status != MX_OK)
            return status;
    }
    for (uint32_t copied = 0; copied < size;) {
        struct virtqueue_buffer piece = take_piece(&at, size - copied);
        if (is_write)
            memcpy(extent->bounce + copied, piece.data, piece.size_bytes);
        else
            memcpy(piece.data, extent->bounce + copied, piece.size_bytes);
        copied += piece.size_bytes;
    }
    *cursor = at;
    *done = size;
    return is_write ? block_client_copy(&extent->client, BLOCK_WRITE, offset, size,
                                        extent->bounce_memory, 0)
                    : MX_OK;
}

static mx_status_t extent_transfer(struct block_backend *backend, uint64_t offset,
                                   const struct virtqueue_buffer *buffers, uint32_t skip,
                                   uint32_t size, bool is_write)
{
    struct extent_backend *extent = extent_of(backend);
    struct cursor cursor = {buffers, skip, size};
    struct block_message message;

    if (is_write && backend->is_read_only)
        return MX_ERR_ACCESS_DENIED;
    while (cursor.left != 0) {
        uint32_t segment_count, done = gather(extent, &cursor, &message, &segment_count);
        mx_status_t status;

        if (done != 0)
            status =
                block_client_transfer(&extent->client, &message,
                                      is_write ? BLOCK_WRITE : BLOCK_READ, offset, segment_count);
        else
            status = bounce(extent, offset, &cursor, is_write, &done);
        if (status != MX_OK)
            return status;
        offset += done;
    }
    return MX_OK;
}

static mx_status_t extent_read(struct block_backend *backend, uint64_t offset, void *bytes,
                               size_t size)
{
    const struct virtqueue_buffer buffer = {bytes, (uint32_t)size};

    return extent_transfer(backend, offset, &buffer, 0, (uint32_t)size, false);
}

static mx_status_t extent_write(struct block_backend *backend, uint64_t offset, const void *bytes,
                                size_t size)
{
    const struct virtqueue_buffer buffer = {(uint8_t *)(uintptr_t)bytes, (uint32_t)size};

    return extent_transfer(backend, offset, &buffer, 0, (uint32_t)size, true);
}

// A device without a cache of its own has nothing to flush.
static mx_status_t extent_flush(struct block_backend *backend)
{
    mx_status_t status = block_client_flush(&extent_of(backend)->client);

    return status == MX_ERR_NOT_SUPPORTED ? MX_OK : status;
}

static mx_status_t extent_discard(struct block_backend *backend, uint64_t offset, uint64_t size)
{
    (void)backend, (void)offset, (void)size;
    return MX_OK;
}

static mx_status_t extent_write_zeroes(struct block_backend *backend, uint64_t offset,
                                       uint64_t size)
{
    struct extent_backend *extent = extent_of(backend);

    if (backend->is_read_only)
        return MX_ERR_ACCESS_DENIED;
    memset(extent->bounce, 0, BOUNCE_BYTES);
    while (size != 0) {
        uint64_t part = size < BOUNCE_BYTES ? size : BOUNCE_BYTES;
        mx_status_t status =
            block_client_copy(&extent->client, BLOCK_WRITE, offset, part, extent->bounce_memory, 0);
        if (status != MX_OK)
            return status;
        offset += part;
        size -= part;
    }
    return MX_OK;
}

static const struct block_backend_ops extent_ops = {
    .read = extent_read,
    .write = extent_write,
    .flush = extent_flush,
    .discard = extent_discard,
    .write_zeroes = extent_write_zeroes,
    .transfer = extent_transfer,
};

static mx_status_t make_bounce(struct extent_backend *extent)
{
    uint64_t address = 0;
    mx_status_t status = mx_vmo_create(BOUNCE_BYTES, &extent->bounce_vmo);

    if (status == MX_OK)
        status = mx_aspace_map(startup_handle_look(MX_STARTUP_SELF_ASPACE, 0),
                               MX_MAP_READ | MX_MAP_WRITE, extent->bounce_vmo, 0, BOUNCE_BYTES,
                               &address);
    extent->bounce = (uint8_t *)(uintptr_t)address;
    return status == MX_OK
               ? block_client_attach(&extent->client, extent->bounce_vmo, &extent->bounce_memory)
               : status;
}

mx_status_t extent_backend_init(struct extent_backend *extent, mx_handle_t channel,
                                uint64_t size_bytes, bool is_read_only, mx_handle_t ram,
                                void *ram_address, uint64_t ram_bytes)
{
    mx_status_t status = block_client_open(&extent->client, channel);

    if (status != MX_OK)
        return status;
    if (extent->client.block_bytes > BOUNCE_BYTES || extent->client.size_bytes < size_bytes)
        return MX_ERR_IO_DATA_INTEGRITY;
    // What a file has beyond its last whole block cannot be written alone.
    extent->backend = (struct block_backend){
        &extent_ops, size_bytes & ~(uint64_t)(extent->client.block_bytes - 1),
        is_read_only || extent->client.is_read_only};
    extent->ram = ram_address;
    extent->ram_bytes = ram_bytes;
    status = block_client_attach(&extent->client, ram, &extent->ram_memory);
    return status == MX_OK ? make_bounce(extent) : status;
}
