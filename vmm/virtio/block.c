// Virtio block device: see block.h.

#include "vmm/virtio/block.h"

#include <string.h>

#define SECTOR_BYTES VIRTIO_BLOCK_SECTOR_BYTES
#define RANGE_UNMAP  1u

// struct virtio_blk_req's header, 5.2.6.
struct request_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};
_Static_assert(sizeof(struct request_header) == 16, "virtio 1.2, 5.2.6");

// struct virtio_blk_discard_write_zeroes, 5.2.6.
struct request_range {
    uint64_t sector;
    uint32_t sector_count;
    uint32_t flags;
};
_Static_assert(sizeof(struct request_range) == 16, "virtio 1.2, 5.2.6");

// struct virtio_blk_config up to the fields of the features offered, 5.2.4.
struct config_space {
    uint64_t capacity_sectors;
    uint32_t size_max;
    uint32_t seg_max;
    uint32_t geometry;
    uint32_t blk_size;
    uint8_t physical_block_exp;
    uint8_t alignment_offset;
    uint16_t min_io_size;
    uint32_t opt_io_size;
    uint8_t writeback;
    uint8_t unused0;
    uint16_t num_queues;
    uint32_t max_discard_sectors;
    uint32_t max_discard_seg;
    uint32_t discard_sector_alignment;
    uint32_t max_write_zeroes_sectors;
    uint32_t max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap;
    uint8_t unused1[3];
};
_Static_assert(sizeof(struct config_space) == 64, "60 bytes and the padding to eight");
_Static_assert(offsetof(struct config_space, num_queues) == 34, "virtio 1.2, 5.2.4");
_Static_assert(offsetof(struct config_space, write_zeroes_may_unmap) == 56, "virtio 1.2, 5.2.4");
#define CONFIG_BYTES 60u

// One request, checked to have a header and a status byte.
struct request {
    struct virtio_block *block;
    const struct virtqueue_chain *chain;
    struct request_header header;
    uint32_t out_bytes; // readable data behind the header
    uint32_t in_bytes;  // writable room before the status byte
    uint32_t written_bytes;
};

static enum virtio_block_status status_of(mx_status_t status)
{
    switch (status) {
    case MX_OK:
        return VIRTIO_BLOCK_OK;
    case MX_ERR_NOT_SUPPORTED:
        return VIRTIO_BLOCK_UNSUPPORTED;
    default:
        return VIRTIO_BLOCK_IOERR;
    }
}

static bool sectors_in_range(const struct virtio_block *block, uint64_t sector, uint64_t count)
{
    return sector <= block->sector_count && count <= block->sector_count - sector;
}

// Whole blocks, at least one, that lie on the disk.
static bool transfer_is_valid(const struct request *request, uint32_t size_bytes)
{
    const struct virtio_block *block = request->block;
    const uint32_t sectors_per_block = block->block_bytes / SECTOR_BYTES;

    return size_bytes != 0 && size_bytes % block->block_bytes == 0 &&
           size_bytes <= VIRTIO_BLOCK_REQUEST_BYTES_MAX &&
           request->header.sector % sectors_per_block == 0 &&
           sectors_in_range(block, request->header.sector, size_bytes / SECTOR_BYTES);
}

static bool in_is_valid(const struct request *request)
{
    return request->out_bytes == 0 && transfer_is_valid(request, request->in_bytes);
}

static bool out_is_valid(const struct request *request)
{
    return !request->block->backend->is_read_only && request->in_bytes == 0 &&
           transfer_is_valid(request, request->out_bytes);
}

// Of a valid IN or OUT.
static struct block_transfer transfer_of(const struct request *request)
{
    const struct virtqueue_chain *chain = request->chain;
    const bool is_write = request->header.type == VIRTIO_BLOCK_OUT;

    return (struct block_transfer){
        .offset = request->header.sector * SECTOR_BYTES,
        .buffers = is_write ? chain->buffers : chain->buffers + chain->readable_count,
        .skip_bytes = is_write ? sizeof(request->header) : 0,
        .size_bytes = is_write ? request->out_bytes : request->in_bytes,
        .is_write = is_write,
    };
}

static mx_status_t transfer(struct block_backend *backend, const struct block_transfer *transfer)
{
    struct block_transfer left = *transfer;

    if (backend->ops->transfer)
        return backend->ops->transfer(backend, transfer);
    while (left.size_bytes != 0) {
        const uint64_t offset = left.offset;
        const struct virtqueue_buffer piece = block_transfer_take(&left, UINT32_MAX);
        mx_status_t status =
            left.is_write ? backend->ops->write(backend, offset, piece.data, piece.size_bytes)
                          : backend->ops->read(backend, offset, piece.data, piece.size_bytes);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

// Without FLUSH the driver takes every completed write to be on the medium (5.2.6.2).
static enum virtio_block_status finish_write(const struct request *request)
{
    struct block_backend *backend = request->block->backend;

    if (virtio_device_has(&request->block->device, VIRTIO_BLOCK_F_FLUSH))
        return VIRTIO_BLOCK_OK;
    return status_of(backend->ops->flush(backend));
}

static enum virtio_block_status handle_in(struct request *request)
{
    if (!in_is_valid(request))
        return VIRTIO_BLOCK_IOERR;
    const struct block_transfer whole = transfer_of(request);
    mx_status_t status = transfer(request->block->backend, &whole);
    if (status == MX_OK)
        request->written_bytes = request->in_bytes;
    return status_of(status);
}

static enum virtio_block_status handle_out(struct request *request)
{
    if (!out_is_valid(request))
        return VIRTIO_BLOCK_IOERR;
    const struct block_transfer whole = transfer_of(request);
    mx_status_t status = transfer(request->block->backend, &whole);
    return status == MX_OK ? finish_write(request) : status_of(status);
}

static enum virtio_block_status handle_flush(struct request *request)
{
    struct block_backend *backend = request->block->backend;

    if (!virtio_device_has(&request->block->device, VIRTIO_BLOCK_F_FLUSH))
        return VIRTIO_BLOCK_UNSUPPORTED;
    if (request->header.sector != 0)
        return VIRTIO_BLOCK_IOERR;
    return status_of(backend->ops->flush(backend));
}

static enum virtio_block_status handle_get_id(struct request *request)
{
    if (request->out_bytes != 0 || request->in_bytes != VIRTIO_BLOCK_ID_BYTES)
        return VIRTIO_BLOCK_IOERR;
    virtqueue_chain_write(request->chain, 0, request->block->id, VIRTIO_BLOCK_ID_BYTES);
    request->written_bytes = VIRTIO_BLOCK_ID_BYTES;
    return VIRTIO_BLOCK_OK;
}

static enum virtio_block_status check_range(const struct virtio_block *block,
                                            const struct request_range *range, bool is_discard)
{
    const uint32_t sectors_per_block = block->block_bytes / SECTOR_BYTES;

    if ((range->flags & ~RANGE_UNMAP) != 0 || (is_discard && range->flags != 0))
        return VIRTIO_BLOCK_UNSUPPORTED;
    if (range->sector_count > VIRTIO_BLOCK_RANGE_SECTORS_MAX ||
        range->sector % sectors_per_block != 0 || range->sector_count % sectors_per_block != 0 ||
        !sectors_in_range(block, range->sector, range->sector_count))
        return VIRTIO_BLOCK_IOERR;
    return VIRTIO_BLOCK_OK;
}

// Discard and write zeroes: all ranges are checked before the first is applied.
static enum virtio_block_status handle_ranges(struct request *request)
{
    struct virtio_block *block = request->block;
    struct block_backend *backend = block->backend;
    const bool is_discard = request->header.type == VIRTIO_BLOCK_DISCARD;
    struct request_range ranges[VIRTIO_BLOCK_RANGES_MAX];
    const uint32_t count = request->out_bytes / sizeof(ranges[0]);

    if (!virtio_device_has(&block->device,
                           is_discard ? VIRTIO_BLOCK_F_DISCARD : VIRTIO_BLOCK_F_WRITE_ZEROES))
        return VIRTIO_BLOCK_UNSUPPORTED;
    if (backend->is_read_only || request->in_bytes != 0 || count == 0 ||
        request->out_bytes % sizeof(ranges[0]) != 0 || count > VIRTIO_BLOCK_RANGES_MAX)
        return VIRTIO_BLOCK_IOERR;
    virtqueue_chain_read(request->chain, sizeof(request->header), ranges, request->out_bytes);
    for (uint32_t i = 0; i < count; i++) {
        enum virtio_block_status checked = check_range(block, &ranges[i], is_discard);
        if (checked != VIRTIO_BLOCK_OK)
            return checked;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t offset = ranges[i].sector * SECTOR_BYTES;
        const uint64_t size = (uint64_t)ranges[i].sector_count * SECTOR_BYTES;
        mx_status_t status = is_discard ? backend->ops->discard(backend, offset, size)
                                        : backend->ops->write_zeroes(backend, offset, size);
        if (status != MX_OK)
            return status_of(status);
    }
    return finish_write(request);
}

static enum virtio_block_status handle_request(struct request *request)
{
    switch (request->header.type) {
    case VIRTIO_BLOCK_IN:
        return handle_in(request);
    case VIRTIO_BLOCK_OUT:
        return handle_out(request);
    case VIRTIO_BLOCK_FLUSH:
        return handle_flush(request);
    case VIRTIO_BLOCK_GET_ID:
        return handle_get_id(request);
    case VIRTIO_BLOCK_DISCARD:
    case VIRTIO_BLOCK_WRITE_ZEROES:
        return handle_ranges(request);
    default:
        return VIRTIO_BLOCK_UNSUPPORTED;
    }
}

// --- requests under way
// ------------------------------------------------------------------------------

// The count is of bytes from the start of the writable part on, so it covers the status byte only
// when everything before it was written (2.7.8.2).
static uint32_t written_bytes_of(uint32_t in_bytes, uint32_t filled_bytes)
{
    return filled_bytes == in_bytes ? in_bytes + 1 : 0;
}

static void flight_free(struct virtio_block_flight *flight)
{
    flight->block->flight_count--;
    flight->block = NULL;
}

static void flight_completed(struct block_flight *base, mx_status_t status)
{
    struct virtio_block_flight *flight = (struct virtio_block_flight *)base;
    struct virtio_block *block = flight->block;

    *flight->status = (uint8_t)status_of(status);
    virtio_device_complete(
        &block->device, flight->queue_index, flight->head,
        written_bytes_of(flight->in_bytes, status == MX_OK ? flight->in_bytes : 0));
    block->completed_queues |= UINT64_C(1) << flight->queue_index;
    flight_free(flight);
}

// The chain has a byte for the status, its last.
static struct virtio_block_flight *flight_take(const struct request *request, unsigned queue_index)
{
    struct virtio_block *block = request->block;
    const struct virtqueue_chain *chain = request->chain;
    const struct virtqueue_buffer *last =
        &chain->buffers[chain->readable_count + chain->writable_count - 1];
    struct virtio_block_flight *flight = block->flights;

    if (block->flight_count == VIRTIO_BLOCK_FLIGHTS_MAX)
        return NULL;
    while (flight->block)
        flight++;
    *flight = (struct virtio_block_flight){
        .flight.completed = flight_completed,
        .block = block,
        .queue_index = (uint16_t)queue_index,
        .head = chain->head,
        .in_bytes = request->in_bytes,
        .status = last->data + last->size_bytes - 1,
    };
    block->flight_count++;
    return flight;
}

// Without FLUSH a write is done only when it is on the medium, which takes two steps.
static bool can_be_under_way(const struct request *request)
{
    const bool has_flush = virtio_device_has(&request->block->device, VIRTIO_BLOCK_F_FLUSH);

    switch (request->header.type) {
    case VIRTIO_BLOCK_IN:
        return in_is_valid(request);
    case VIRTIO_BLOCK_OUT:
        return has_flush && out_is_valid(request);
    case VIRTIO_BLOCK_FLUSH:
        return has_flush && request->header.sector == 0;
    default:
        return false;
    }
}

// KEPT, or HELD if it has to wait for others; DONE: it was not begun.
static enum virtio_chain_result start(const struct request *request, unsigned queue_index)
{
    struct virtio_block *block = request->block;
    struct block_backend *backend = block->backend;
    struct block_transfer transfer;
    mx_status_t status = MX_ERR_SHOULD_WAIT;

    if (!backend->ops->start || !can_be_under_way(request))
        return VIRTIO_CHAIN_DONE;
    struct virtio_block_flight *flight = flight_take(request, queue_index);
    if (flight && request->header.type == VIRTIO_BLOCK_FLUSH) {
        status = backend->ops->start(backend, NULL, &flight->flight);
    } else if (flight) {
        transfer = transfer_of(request);
        status = backend->ops->start(backend, &transfer, &flight->flight);
    }
    if (status == MX_OK)
        return VIRTIO_CHAIN_KEPT;
    if (flight)
        flight_free(flight);
    if (status != MX_ERR_SHOULD_WAIT || block->flight_count == 0)
        return VIRTIO_CHAIN_DONE;
    block->held_queues |= UINT64_C(1) << queue_index;
    return VIRTIO_CHAIN_HELD;
}

uint64_t virtio_block_publish(struct virtio_block *block)
{
    uint64_t held = block->held_queues;

    for (unsigned i = 0; block->completed_queues != 0; i++) {
        const uint64_t bit = UINT64_C(1) << i;

        if (block->completed_queues & bit)
            virtio_device_publish(&block->device, i);
        block->completed_queues &= ~bit;
    }
    block->held_queues = 0;
    return held;
}

// --- the device
// --------------------------------------------------------------------------------------

static enum virtio_chain_result block_handle(struct virtio_device *device, unsigned queue_index,
                                             const struct virtqueue_chain *chain,
                                             uint32_t *written_bytes)
{
    struct request request = {.block = (struct virtio_block *)device, .chain = chain};
    uint8_t status = VIRTIO_BLOCK_IOERR;

    if (chain->writable_bytes == 0)
        return VIRTIO_CHAIN_DONE;
    request.in_bytes = chain->writable_bytes - 1;
    if (virtqueue_chain_read(chain, 0, &request.header, sizeof(request.header)) ==
        sizeof(request.header)) {
        request.out_bytes = chain->readable_bytes - (uint32_t)sizeof(request.header);
        const enum virtio_chain_result result = start(&request, queue_index);
        if (result != VIRTIO_CHAIN_DONE)
            return result;
        status = (uint8_t)handle_request(&request);
    }
    virtqueue_chain_write(chain, request.in_bytes, &status, sizeof(status));
    *written_bytes = written_bytes_of(request.in_bytes, request.written_bytes);
    return VIRTIO_CHAIN_DONE;
}

static enum virtio_progress block_queue_notify(struct virtio_device *device, unsigned queue_index,
                                               unsigned budget)
{
    return virtio_device_drain(device, queue_index, budget, block_handle);
}

static void block_reset(struct virtio_device *device)
{
    struct virtio_block *block = (struct virtio_block *)device;

    if (block->flight_count != 0)
        block->backend->ops->settle(block->backend);
    memset(block->flights, 0, sizeof(block->flights));
    block->flight_count = 0;
    block->completed_queues = block->held_queues = 0;
}

static uint64_t block_features(const struct virtio_device *device)
{
    const struct virtio_block *block = (const struct virtio_block *)device;
    uint64_t features = VIRTIO_BLOCK_F_SIZE_MAX | VIRTIO_BLOCK_F_SEG_MAX | VIRTIO_BLOCK_F_BLK_SIZE |
                        VIRTIO_BLOCK_F_FLUSH | VIRTIO_BLOCK_F_TOPOLOGY;

    if (device->queue_count > 1)
        features |= VIRTIO_BLOCK_F_MQ;
    if (block->backend->is_read_only)
        return features | VIRTIO_BLOCK_F_RO;
    return features | VIRTIO_BLOCK_F_DISCARD | VIRTIO_BLOCK_F_WRITE_ZEROES;
}

static void block_config_read(const struct virtio_device *device, uint8_t *config)
{
    const struct virtio_block *block = (const struct virtio_block *)device;
    const struct config_space values = {
        .capacity_sectors = block->sector_count,
        .size_max = VIRTIO_BLOCK_SEGMENT_BYTES_MAX,
        .seg_max = VIRTIO_BLOCK_SEGMENTS_MAX,
        .blk_size = block->block_bytes,
        .min_io_size = 1,
        .num_queues = device->queue_count,
        .max_discard_sectors = VIRTIO_BLOCK_RANGE_SECTORS_MAX,
        .max_discard_seg = VIRTIO_BLOCK_RANGES_MAX,
        .discard_sector_alignment = block->block_bytes / SECTOR_BYTES,
        .max_write_zeroes_sectors = VIRTIO_BLOCK_RANGE_SECTORS_MAX,
        .max_write_zeroes_seg = VIRTIO_BLOCK_RANGES_MAX,
        .write_zeroes_may_unmap = 1,
    };
    memcpy(config, &values, CONFIG_BYTES);
}

static const struct virtio_device_ops block_ops = {
    .reset = block_reset,
    .features = block_features,
    .config_read = block_config_read,
    .queue_notify = block_queue_notify,
};

mx_status_t virtio_block_init(struct virtio_block *block, const struct virtio_block_config *config)
{
    const uint32_t block_bytes = config->block_bytes ? config->block_bytes : SECTOR_BYTES;

    if (config->queue_count == 0 || config->queue_count > VIRTIO_QUEUES_MAX ||
        block_bytes < SECTOR_BYTES || block_bytes > 65536 || (block_bytes & (block_bytes - 1)) != 0)
        return MX_ERR_INVALID_ARGS;
    memset(block, 0, sizeof(*block));
    block->device.ops = &block_ops;
    block->device.type = VIRTIO_TYPE_BLOCK;
    block->device.queue_count = config->queue_count;
    block->device.queue_size_max = VIRTIO_BLOCK_QUEUE_SIZE;
    block->device.config_bytes = CONFIG_BYTES;
    block->backend = config->backend;
    block->block_bytes = block_bytes;
    block->sector_count = config->backend->size_bytes / block_bytes * (block_bytes / SECTOR_BYTES);
    for (unsigned i = 0; config->id && i < VIRTIO_BLOCK_ID_BYTES && config->id[i] != '\0'; i++)
        block->id[i] = config->id[i];
    return MX_OK;
}
