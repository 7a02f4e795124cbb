// Block back ends in memory: see block_backend.h.

#include "vmm/virtio/block_backend.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/virtio/virtqueue.h"

struct virtqueue_buffer block_transfer_take(struct block_transfer *left, uint32_t limit)
{
    while (left->skip_bytes >= left->buffers->size_bytes)
        left->skip_bytes -= left->buffers++->size_bytes;
    struct virtqueue_buffer piece = {left->buffers->data + left->skip_bytes,
                                     left->buffers->size_bytes - left->skip_bytes};
    if (piece.size_bytes > left->size_bytes)
        piece.size_bytes = left->size_bytes;
    if (piece.size_bytes > limit)
        piece.size_bytes = limit;
    left->skip_bytes += piece.size_bytes;
    left->offset += piece.size_bytes;
    left->size_bytes -= piece.size_bytes;
    return piece;
}

// --- memory
// -----------------------------------------------------------------------------------------

static struct block_backend_memory *memory_of(struct block_backend *backend)
{
    return (struct block_backend_memory *)backend;
}

static mx_status_t memory_read(struct block_backend *backend, uint64_t offset, void *bytes,
                               size_t size)
{
    memcpy(bytes, memory_of(backend)->bytes + offset, size);
    return MX_OK;
}

static mx_status_t memory_write(struct block_backend *backend, uint64_t offset, const void *bytes,
                                size_t size)
{
    if (backend->is_read_only)
        return MX_ERR_ACCESS_DENIED;
    memcpy(memory_of(backend)->bytes + offset, bytes, size);
    return MX_OK;
}

static mx_status_t memory_flush(struct block_backend *backend)
{
    (void)backend;
    return MX_OK;
}

static mx_status_t memory_write_zeroes(struct block_backend *backend, uint64_t offset,
                                       uint64_t size)
{
    if (backend->is_read_only)
        return MX_ERR_ACCESS_DENIED;
    memset(memory_of(backend)->bytes + offset, 0, size);
    return MX_OK;
}

static const struct block_backend_ops memory_ops = {
    .read = memory_read,
    .write = memory_write,
    .flush = memory_flush,
    .discard = memory_write_zeroes,
    .write_zeroes = memory_write_zeroes,
};

void block_backend_memory_init(struct block_backend_memory *memory, void *bytes,
                               uint64_t size_bytes, bool is_read_only)
{
    memory->backend = (struct block_backend){&memory_ops, size_bytes, is_read_only};
    memory->bytes = bytes;
}

// --- volatile
// ---------------------------------------------------------------------------------------

static struct block_backend_volatile *volatile_of(struct block_backend *backend)
{
    return (struct block_backend_volatile *)backend;
}

// How much of [offset, offset + size) lies in the cluster of its first byte.
static size_t part_in_cluster(uint64_t offset, uint64_t size)
{
    const uint64_t left = BLOCK_BACKEND_CLUSTER_BYTES - offset % BLOCK_BACKEND_CLUSTER_BYTES;
    return (size_t)(size < left ? size : left);
}

// How many bytes of a cluster the disk has; the last one may be cut short.
static size_t cluster_size(const struct block_backend_volatile *overlay, uint64_t index)
{
    return part_in_cluster(0, overlay->backend.size_bytes - index * BLOCK_BACKEND_CLUSTER_BYTES);
}

static mx_status_t volatile_read(struct block_backend *backend, uint64_t offset, void *bytes,
                                 size_t size)
{
    const struct block_backend_volatile *overlay = volatile_of(backend);

    for (size_t done = 0, part; done < size; done += part) {
        const uint64_t at = offset + done;
        const uint8_t *cluster = overlay->clusters[at / BLOCK_BACKEND_CLUSTER_BYTES];
        uint8_t *to = (uint8_t *)bytes + done;
        part = part_in_cluster(at, size - done);
        if (cluster) {
            memcpy(to, cluster + at % BLOCK_BACKEND_CLUSTER_BYTES, part);
            continue;
        }
        mx_status_t status = overlay->base->ops->read(overlay->base, at, to, part);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

// The private copy of a cluster, made now if there is none. `is_filled` says that the caller
// overwrites all of it, so nothing need be read.
static mx_status_t own_cluster(struct block_backend_volatile *overlay, uint64_t index,
                               bool is_filled, uint8_t **cluster)
{
    const size_t size = cluster_size(overlay, index);

    *cluster = overlay->clusters[index];
    if (*cluster)
        return MX_OK;
    if (overlay->clusters_left == 0)
        return MX_ERR_NO_SPACE;
    uint8_t *copy = malloc(BLOCK_BACKEND_CLUSTER_BYTES);
    if (!copy)
        return MX_ERR_NO_MEMORY;
    mx_status_t status = MX_OK;
    if (!is_filled)
        status = overlay->base->ops->read(overlay->base, index * BLOCK_BACKEND_CLUSTER_BYTES, copy,
                                          size);
    if (status != MX_OK) {
        free(copy);
        return status;
    }
    overlay->clusters_left--;
    overlay->clusters[index] = *cluster = copy;
    return MX_OK;
}

// Writes `bytes`, or zeroes if it is NULL.
static mx_status_t volatile_store(struct block_backend_volatile *overlay, uint64_t offset,
                                  const uint8_t *bytes, uint64_t size)
{
    size_t part;

    for (uint64_t done = 0; done < size; done += part) {
        const uint64_t at = offset + done, index = at / BLOCK_BACKEND_CLUSTER_BYTES;
        uint8_t *cluster;
        part = part_in_cluster(at, size - done);
        mx_status_t status =
            own_cluster(overlay, index, part == cluster_size(overlay, index), &cluster);
        if (status != MX_OK)
            return status;
        if (bytes)
            memcpy(cluster + at % BLOCK_BACKEND_CLUSTER_BYTES, bytes + done, part);
        else
            memset(cluster + at % BLOCK_BACKEND_CLUSTER_BYTES, 0, part);
    }
    return MX_OK;
}

static mx_status_t volatile_write(struct block_backend *backend, uint64_t offset, const void *bytes,
                                  size_t size)
{
    return volatile_store(volatile_of(backend), offset, bytes, size);
}

static mx_status_t volatile_flush(struct block_backend *backend)
{
    (void)backend;
    return MX_OK;
}

// Gives back the memory of the clusters that lie wholly in the range. They then show the base
// again, which a discard allows.
static mx_status_t volatile_discard(struct block_backend *backend, uint64_t offset, uint64_t size)
{
    struct block_backend_volatile *overlay = volatile_of(backend);
    size_t part;

    for (uint64_t done = 0; done < size; done += part) {
        const uint64_t at = offset + done, index = at / BLOCK_BACKEND_CLUSTER_BYTES;
        part = part_in_cluster(at, size - done);
        if (part != cluster_size(overlay, index) || !overlay->clusters[index])
            continue;
        free(overlay->clusters[index]);
        overlay->clusters[index] = NULL;
        overlay->clusters_left++;
    }
    return MX_OK;
}

static mx_status_t volatile_write_zeroes(struct block_backend *backend, uint64_t offset,
                                         uint64_t size)
{
    return volatile_store(volatile_of(backend), offset, NULL, size);
}

// What was never written can be read from the base, if that works while others wait.
static mx_status_t volatile_start(struct block_backend *backend,
                                  const struct block_transfer *transfer,
                                  struct block_flight *flight)
{
    const struct block_backend_volatile *overlay = volatile_of(backend);

    if (!overlay->base->ops->start || !transfer || transfer->is_write)
        return MX_ERR_NOT_SUPPORTED;
    const uint64_t last = transfer->offset + transfer->size_bytes - 1;
    for (uint64_t i = transfer->offset / BLOCK_BACKEND_CLUSTER_BYTES;
         i <= last / BLOCK_BACKEND_CLUSTER_BYTES; i++) {
        if (overlay->clusters[i])
            return MX_ERR_NOT_SUPPORTED;
    }
    return overlay->base->ops->start(overlay->base, transfer, flight);
}

static void volatile_settle(struct block_backend *backend)
{
    struct block_backend *base = volatile_of(backend)->base;

    if (base->ops->settle)
        base->ops->settle(base);
}

static const struct block_backend_ops volatile_ops = {
    .start = volatile_start,
    .settle = volatile_settle,
    .read = volatile_read,
    .write = volatile_write,
    .flush = volatile_flush,
    .discard = volatile_discard,
    .write_zeroes = volatile_write_zeroes,
};

mx_status_t block_backend_volatile_init(struct block_backend_volatile *overlay,
                                        struct block_backend *base, uint64_t memory_bytes_max)
{
    const uint64_t whole = base->size_bytes / BLOCK_BACKEND_CLUSTER_BYTES;
    const bool has_tail = base->size_bytes % BLOCK_BACKEND_CLUSTER_BYTES != 0;

    overlay->backend = (struct block_backend){&volatile_ops, base->size_bytes, false};
    overlay->base = base;
    overlay->cluster_count = whole + has_tail;
    overlay->clusters_left = memory_bytes_max / BLOCK_BACKEND_CLUSTER_BYTES;
    overlay->clusters = calloc(overlay->cluster_count + 1, sizeof(*overlay->clusters));
    return overlay->clusters ? MX_OK : MX_ERR_NO_MEMORY;
}

void block_backend_volatile_destroy(struct block_backend_volatile *overlay)
{
    for (uint64_t i = 0; i < overlay->cluster_count; i++)
        free(overlay->clusters[i]);
    free(overlay->clusters);
    overlay->clusters = NULL;
    overlay->cluster_count = 0;
}

// --- fault
// ------------------------------------------------------------------------------------------

static struct block_backend_fault *fault_of(struct block_backend *backend)
{
    return (struct block_backend_fault *)backend;
}

static bool fault_touches(const struct block_backend_fault *fault, uint64_t offset, uint64_t size)
{
    return offset < fault->bad_offset + fault->bad_size_bytes && fault->bad_offset < offset + size;
}

static mx_status_t fault_read(struct block_backend *backend, uint64_t offset, void *bytes,
                              size_t size)
{
    struct block_backend_fault *fault = fault_of(backend);
    if (fault_touches(fault, offset, size))
        return fault->status;
    return fault->base->ops->read(fault->base, offset, bytes, size);
}

static mx_status_t fault_write(struct block_backend *backend, uint64_t offset, const void *bytes,
                               size_t size)
{
    struct block_backend_fault *fault = fault_of(backend);
    if (fault_touches(fault, offset, size))
        return fault->status;
    return fault->base->ops->write(fault->base, offset, bytes, size);
}

static mx_status_t fault_flush(struct block_backend *backend)
{
    struct block_backend_fault *fault = fault_of(backend);
    fault->flush_count++;
    if (fault->bad_size_bytes != 0)
        return fault->status;
    return fault->base->ops->flush(fault->base);
}

static mx_status_t fault_discard(struct block_backend *backend, uint64_t offset, uint64_t size)
{
    struct block_backend_fault *fault = fault_of(backend);
    if (fault_touches(fault, offset, size))
        return fault->status;
    return fault->base->ops->discard(fault->base, offset, size);
}

static mx_status_t fault_write_zeroes(struct block_backend *backend, uint64_t offset, uint64_t size)
{
    struct block_backend_fault *fault = fault_of(backend);
    if (fault_touches(fault, offset, size))
        return fault->status;
    return fault->base->ops->write_zeroes(fault->base, offset, size);
}

static const struct block_backend_ops fault_ops = {
    .read = fault_read,
    .write = fault_write,
    .flush = fault_flush,
    .discard = fault_discard,
    .write_zeroes = fault_write_zeroes,
};

void block_backend_fault_init(struct block_backend_fault *fault, struct block_backend *base)
{
    memset(fault, 0, sizeof(*fault));
    fault->backend = (struct block_backend){&fault_ops, base->size_bytes, base->is_read_only};
    fault->base = base;
    fault->status = MX_ERR_IO;
}
