// A back end over another one whose transfers end when the test says so, in any order.
#pragma once

#include <string.h>

#include "vmm/virtio/block_backend.h"
#include "vmm/virtio/virtqueue.h"

#define LATER_MAX 4u

struct later_backend {
    struct block_backend backend;
    struct block_backend *base;
    struct later {
        struct block_flight *flight; // NULL: free
        struct block_transfer transfer;
        bool is_flush;
        struct virtqueue_buffer buffers[VIRTQUEUE_SEGMENTS_MAX];
    } pending[LATER_MAX];
    uint32_t count;
    unsigned settle_count;
    bool is_unable; // of anything but the base's functions
};

static inline mx_status_t later_start(struct block_backend *backend,
                                      const struct block_transfer *transfer,
                                      struct block_flight *flight)
{
    struct later_backend *later = (struct later_backend *)backend;
    struct later *slot = later->pending;

    if (later->is_unable)
        return MX_ERR_NOT_SUPPORTED;
    if (later->count == LATER_MAX)
        return MX_ERR_SHOULD_WAIT;
    while (slot->flight)
        slot++;
    *slot = (struct later){.flight = flight, .is_flush = !transfer};
    if (transfer) {
        uint32_t covered = 0;

        slot->transfer = *transfer;
        for (unsigned i = 0; covered < transfer->skip_bytes + transfer->size_bytes; i++) {
            slot->buffers[i] = transfer->buffers[i];
            covered += slot->buffers[i].size_bytes;
        }
        slot->transfer.buffers = slot->buffers;
    }
    later->count++;
    return MX_OK;
}

static inline mx_status_t later_transfer(struct block_backend *base,
                                         const struct block_transfer *transfer)
{
    struct block_transfer left = *transfer;
    mx_status_t status = MX_OK;

    while (left.size_bytes != 0 && status == MX_OK) {
        const uint64_t offset = left.offset;
        const struct virtqueue_buffer piece = block_transfer_take(&left, UINT32_MAX);

        status = left.is_write ? base->ops->write(base, offset, piece.data, piece.size_bytes)
                               : base->ops->read(base, offset, piece.data, piece.size_bytes);
    }
    return status;
}

// Ends one of those under way, unless `index` is not.
static inline void later_end(struct later_backend *later, unsigned index)
{
    struct later *slot = &later->pending[index % LATER_MAX];
    struct block_flight *flight = slot->flight;

    if (!flight)
        return;
    mx_status_t status = slot->is_flush ? later->base->ops->flush(later->base)
                                        : later_transfer(later->base, &slot->transfer);
    slot->flight = NULL;
    later->count--;
    flight->completed(flight, status);
}

static inline void later_settle(struct block_backend *backend)
{
    struct later_backend *later = (struct later_backend *)backend;

    later->settle_count++;
    for (unsigned i = 0; i < LATER_MAX; i++)
        later->pending[i].flight = NULL;
    later->count = 0;
}

static inline mx_status_t later_read(struct block_backend *backend, uint64_t offset, void *bytes,
                                     size_t size)
{
    struct block_backend *base = ((struct later_backend *)backend)->base;

    return base->ops->read(base, offset, bytes, size);
}

static inline mx_status_t later_write(struct block_backend *backend, uint64_t offset,
                                      const void *bytes, size_t size)
{
    struct block_backend *base = ((struct later_backend *)backend)->base;

    return base->ops->write(base, offset, bytes, size);
}

static inline mx_status_t later_flush(struct block_backend *backend)
{
    struct block_backend *base = ((struct later_backend *)backend)->base;

    return base->ops->flush(base);
}

static inline mx_status_t later_discard(struct block_backend *backend, uint64_t offset,
                                        uint64_t size)
{
    struct block_backend *base = ((struct later_backend *)backend)->base;

    return base->ops->discard(base, offset, size);
}

static inline mx_status_t later_write_zeroes(struct block_backend *backend, uint64_t offset,
                                             uint64_t size)
{
    struct block_backend *base = ((struct later_backend *)backend)->base;

    return base->ops->write_zeroes(base, offset, size);
}

static inline void later_backend_init(struct later_backend *later, struct block_backend *base)
{
    static const struct block_backend_ops ops = {
        .read = later_read,
        .write = later_write,
        .flush = later_flush,
        .discard = later_discard,
        .write_zeroes = later_write_zeroes,
        .start = later_start,
        .settle = later_settle,
    };

    memset(later, 0, sizeof(*later));
    later->base = base;
    later->backend = (struct block_backend){&ops, base->size_bytes, base->is_read_only};
}
