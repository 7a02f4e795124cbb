// An extent of a host's disk as a guest's disk; see extent_backend.h.
#include "vmm/device/extent_backend.h"

#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>

#define BOUNCE_BYTES 65536u
// Longer than a driver waits for its device.
#define SETTLE_TIMEOUT MX_SEC(60)

static struct extent_backend *extent_of(struct block_backend *backend)
{
    return (struct extent_backend *)backend;
}

static bool is_ram(const struct extent_backend *extent, const struct virtqueue_buffer *piece)
{
    uintptr_t start = (uintptr_t)extent->ram, at = (uintptr_t)piece->data;

    return at >= start && at - start <= extent->ram_bytes &&
           piece->size_bytes <= extent->ram_bytes - (at - start);
}

// As many whole blocks as one request takes, straight between device and RAM: the number of its
// segments, which are taken off *left. 0: the pieces are too small for that, or elsewhere.
static uint32_t gather(const struct extent_backend *extent, struct block_transfer *left,
                       struct block_message *message)
{
    const uint32_t block = extent->client.block_bytes;
    struct block_transfer at = *left;
    uint32_t total = 0, count = 0, whole = 0;

    while (at.size_bytes != 0 && count < BLOCK_SEGMENTS_MAX &&
           total < extent->client.transfer_bytes) {
        struct virtqueue_buffer piece =
            block_transfer_take(&at, extent->client.transfer_bytes - total);
        if (!is_ram(extent, &piece))
            break;
        message->segments[count++] = (struct block_segment){(uint64_t)(piece.data - extent->ram),
                                                            piece.size_bytes, extent->ram_memory};
        total += piece.size_bytes;
        if (total % block == 0) {
            whole = count;
            *left = at;
        }
    }
    return whole;
}

// Whole blocks by way of the bounce buffer.
static mx_status_t bounce(struct extent_backend *extent, struct block_transfer *left)
{
    const uint32_t size = left->size_bytes < BOUNCE_BYTES ? left->size_bytes : BOUNCE_BYTES;
    const uint64_t offset = left->offset;
    mx_status_t status = MX_OK;

    if (!left->is_write)
        status =
            block_client_copy(&extent->client, BLOCK_READ, offset, size, extent->bounce_memory, 0);
    if (status != MX_OK)
        return status;
    for (uint32_t copied = 0; copied < size;) {
        struct virtqueue_buffer piece = block_transfer_take(left, size - copied);
        if (left->is_write)
            memcpy(extent->bounce + copied, piece.data, piece.size_bytes);
        else
            memcpy(piece.data, extent->bounce + copied, piece.size_bytes);
        copied += piece.size_bytes;
    }
    return left->is_write ? block_client_copy(&extent->client, BLOCK_WRITE, offset, size,
                                              extent->bounce_memory, 0)
                          : MX_OK;
}

static mx_status_t extent_transfer(struct block_backend *backend,
                                   const struct block_transfer *transfer)
{
    struct extent_backend *extent = extent_of(backend);
    const enum block_operation operation = transfer->is_write ? BLOCK_WRITE : BLOCK_READ;
    struct block_transfer left = *transfer;
    struct block_message message;
    mx_status_t status = MX_OK;

    if (transfer->is_write && backend->is_read_only)
        return MX_ERR_ACCESS_DENIED;
    while (left.size_bytes != 0 && status == MX_OK) {
        const uint64_t offset = left.offset;
        const uint32_t segment_count = gather(extent, &left, &message);

        status = segment_count != 0 ? block_client_transfer(&extent->client, &message, operation,
                                                            offset, segment_count)
                                    : bounce(extent, &left);
    }
    return status;
}

static mx_status_t extent_read(struct block_backend *backend, uint64_t offset, void *bytes,
                               size_t size)
{
    const struct virtqueue_buffer buffer = {bytes, (uint32_t)size};

    return extent_transfer(backend,
                           &(struct block_transfer){offset, &buffer, 0, (uint32_t)size, false});
}

static mx_status_t extent_write(struct block_backend *backend, uint64_t offset, const void *bytes,
                                size_t size)
{
    const struct virtqueue_buffer buffer = {(uint8_t *)(uintptr_t)bytes, (uint32_t)size};

    return extent_transfer(backend,
                           &(struct block_transfer){offset, &buffer, 0, (uint32_t)size, true});
}

static mx_status_t extent_flush(struct block_backend *backend)
{
    return block_client_flush(&extent_of(backend)->client);
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

// --- under way
// ----------------------------------------------------------------------------------------

static mx_status_t await_answer(struct extent_backend *extent)
{
    if (extent->is_awaited)
        return MX_OK;
    mx_status_t status = mx_object_wait_async(extent->client.channel, extent->port, extent->key,
                                              MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0);
    extent->is_awaited = status == MX_OK;
    return status;
}

// Sends one request for the flight.
static mx_status_t begin(struct extent_backend *extent, struct block_message *message,
                         enum block_operation operation, uint64_t offset, uint32_t segment_count,
                         struct block_flight *flight)
{
    uint32_t slot = 0;

    while (extent->requests[slot])
        slot++;
    mx_status_t status = await_answer(extent);
    if (status == MX_OK)
        status =
            block_client_send(&extent->client, message, operation, slot, offset, segment_count);
    if (status != MX_OK)
        return status;
    extent->requests[slot] = flight;
    extent->request_count++;
    flight->pending++;
    return MX_OK;
}

// How many requests what is left takes. False: some of it cannot go straight.
static bool count_requests(const struct extent_backend *extent, struct block_transfer left,
                           uint32_t *count)
{
    struct block_message message;

    for (*count = 0; left.size_bytes != 0; ++*count) {
        if (gather(extent, &left, &message) == 0)
            return false;
    }
    return true;
}

static mx_status_t begin_transfer(struct extent_backend *extent,
                                  const struct block_transfer *transfer,
                                  struct block_flight *flight)
{
    const enum block_operation operation = transfer->is_write ? BLOCK_WRITE : BLOCK_READ;
    struct block_transfer left = *transfer;
    uint64_t offset = left.offset;
    struct block_message message;
    mx_status_t status = MX_OK;
    uint32_t segment_count = gather(extent, &left, &message), more;

    // Most transfers are this one request. Of several, none is begun unless all can be.
    if (segment_count == 0 || !count_requests(extent, left, &more) || more >= EXTENT_REQUESTS_MAX)
        return MX_ERR_NOT_SUPPORTED;
    if (more >= EXTENT_REQUESTS_MAX - extent->request_count)
        return MX_ERR_SHOULD_WAIT;
    while (segment_count != 0 && status == MX_OK) {
        status = begin(extent, &message, operation, offset, segment_count, flight);
        offset = left.offset;
        segment_count = gather(extent, &left, &message);
    }
    // What was begun has to end first.
    flight->status = status;
    return flight->pending != 0 ? MX_OK : status;
}

static mx_status_t extent_start(struct block_backend *backend,
                                const struct block_transfer *transfer, struct block_flight *flight)
{
    struct extent_backend *extent = extent_of(backend);
    struct block_message message;

    if (extent->port == MX_HANDLE_INVALID)
        return MX_ERR_NOT_SUPPORTED;
    flight->pending = 0;
    flight->status = MX_OK;
    if (transfer && transfer->is_write && backend->is_read_only)
        return MX_ERR_ACCESS_DENIED;
    if (transfer)
        return begin_transfer(extent, transfer, flight);
    if (extent->request_count == EXTENT_REQUESTS_MAX)
        return MX_ERR_SHOULD_WAIT;
    return begin(extent, &message, BLOCK_FLUSH, 0, 0, flight);
}

// NULL unless it was the flight's last request.
static struct block_flight *end_request(struct extent_backend *extent, uint32_t slot,
                                        mx_status_t status)
{
    struct block_flight *flight = slot < EXTENT_REQUESTS_MAX ? extent->requests[slot] : NULL;

    if (!flight)
        return NULL;
    extent->requests[slot] = NULL;
    extent->request_count--;
    if (flight->status == MX_OK)
        flight->status = status;
    return --flight->pending == 0 ? flight : NULL;
}

static void complete(struct block_flight *flight)
{
    if (flight)
        flight->completed(flight, flight->status);
}

// Whose answers cannot be told apart any more, or do not come: it may still write to the guest's
// memory, but to nobody else's.
static void give_up_disk(struct extent_backend *extent)
{
    handle_close(extent->client.channel);
    extent->client.channel = MX_HANDLE_INVALID;
}

void extent_backend_receive(struct extent_backend *extent)
{
    mx_status_t status = MX_OK, result;
    uint32_t slot;

    extent->is_awaited = false;
    for (uint32_t i = 0; i < EXTENT_REQUESTS_MAX && status == MX_OK && extent->request_count != 0;
         i++) {
        status = block_client_receive(&extent->client, &slot, &result);
        if (status == MX_OK)
            complete(end_request(extent, slot, result));
    }
    // More may be there if the disk answers what it was not asked; doorbells have their turn first.
    if (status == MX_ERR_SHOULD_WAIT || (status == MX_OK && extent->request_count != 0))
        status = await_answer(extent);
    if (status != MX_OK)
        give_up_disk(extent);
    for (slot = 0; status != MX_OK && slot < EXTENT_REQUESTS_MAX; slot++)
        complete(end_request(extent, slot, status));
}

void extent_backend_use_port(struct extent_backend *extent, mx_handle_t port, uint64_t key)
{
    extent->port = port;
    extent->key = key;
}

// A disk that does not answer even after that, or anything but what it was asked, is none any more.
static void extent_settle(struct block_backend *backend)
{
    struct extent_backend *extent = extent_of(backend);
    const mx_time_t deadline = mx_clock_get_monotonic() + SETTLE_TIMEOUT;
    mx_status_t status = MX_OK, result;
    uint32_t slot;

    while (status == MX_OK && extent->request_count != 0) {
        status = mx_object_wait_one(extent->client.channel,
                                    MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, deadline, NULL);
        if (status == MX_OK)
            status = block_client_receive(&extent->client, &slot, &result);
        if (status == MX_OK)
            (void)end_request(extent, slot, result);
        if (status == MX_OK && mx_clock_get_monotonic() >= deadline)
            status = MX_ERR_TIMED_OUT;
    }
    if (status != MX_OK)
        give_up_disk(extent);
    memset(extent->requests, 0, sizeof(extent->requests));
    extent->request_count = 0;
}

// --- the table
// ----------------------------------------------------------------------------------------

static const struct block_backend_ops extent_ops = {
    .start = extent_start,
    .settle = extent_settle,
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
