// The driver of virtio block devices (Virtio 1.2, section 5.2), one queue.
#include <stdio.h>
#include <stdlib.h>

#include "user/drivers/lib/disk.h"
#include "user/drivers/lib/virtio_device.h"

#define FEATURE_RO       (UINT64_C(1) << 5)
#define FEATURE_BLK_SIZE (UINT64_C(1) << 6)
#define FEATURE_FLUSH    (UINT64_C(1) << 9)

#define CONFIG_CAPACITY 0
#define CONFIG_BLK_SIZE 20

#define SECTOR_SHIFT    9
#define SECTOR_BYTES    512u
#define BLOCK_BYTES_MAX 4096u

enum request_type {
    TYPE_IN = 0,
    TYPE_OUT = 1,
    TYPE_FLUSH = 4,
};

// What device and driver share for each tag.
struct request {
    uint32_t type, reserved;
    uint64_t sector;
    uint8_t status;
    uint8_t padding[15];
};
_Static_assert(sizeof(struct request) == 32, "in one table");
#define REQUEST_HEADER_BYTES  16
#define REQUEST_STATUS_OFFSET 16
// Header and status; the others are data.
#define DESCRIPTORS_OF_REQUEST 2
#define STATUS_OK              0
#define STATUS_UNSUPPORTED     2
#define STATUS_NONE            0xff

struct virtio_block {
    struct disk disk;
    struct virtio_device virtio;
    struct virtio_device_queue queue;
    struct driver_memory memory;
    struct request *requests; // by tag, in `memory`
    uint64_t features;
    bool is_in[DISK_TAGS_MAX];
    uint32_t size_bytes[DISK_TAGS_MAX];
};

static mx_status_t start(struct disk *disk, const struct disk_transfer *transfer)
{
    struct virtio_block *block = (struct virtio_block *)disk;
    struct request *request = &block->requests[transfer->tag];
    uint64_t address = block->memory.address + transfer->tag * sizeof(*request);
    struct virtio_piece pieces[DISK_RUNS_MAX + DESCRIPTORS_OF_REQUEST];
    uint32_t count = 0;

    block->is_in[transfer->tag] = transfer->operation == BLOCK_READ;
    block->size_bytes[transfer->tag] = transfer->size_bytes;
    request->type = transfer->operation == BLOCK_READ    ? TYPE_IN
                    : transfer->operation == BLOCK_WRITE ? TYPE_OUT
                                                         : TYPE_FLUSH;
    request->reserved = 0;
    request->sector = transfer->operation == BLOCK_FLUSH ? 0 : transfer->offset >> SECTOR_SHIFT;
    request->status = STATUS_NONE;
    pieces[count++] = (struct virtio_piece){address, REQUEST_HEADER_BYTES};
    for (uint32_t i = 0; i < transfer->run_count; i++)
        pieces[count++] =
            (struct virtio_piece){transfer->runs[i].address, transfer->runs[i].size_bytes};
    pieces[count++] = (struct virtio_piece){address + REQUEST_STATUS_OFFSET, 1};
    uint32_t write_count = block->is_in[transfer->tag] ? transfer->run_count + 1 : 1;
    mx_status_t status = virtio_queue_add(&block->queue.ring, pieces, count - write_count,
                                          write_count, transfer->tag);
    if (status == MX_OK && virtio_queue_publish(&block->queue.ring))
        virtio_device_notify(&block->queue);
    return status;
}

static mx_status_t result_of(const struct virtio_block *block, uint32_t tag, uint32_t written_bytes)
{
    uint8_t status = *(const volatile uint8_t *)&block->requests[tag].status;

    if (status == STATUS_UNSUPPORTED)
        return MX_ERR_NOT_SUPPORTED;
    // A device that wrote less than it was asked for did not read all.
    if (status != STATUS_OK || (block->is_in[tag] && written_bytes < block->size_bytes[tag]))
        return MX_ERR_IO;
    return MX_OK;
}

static void interrupt(struct disk *disk)
{
    struct virtio_block *block = (struct virtio_block *)disk;
    uint32_t tag, written_bytes;

    while (!disk->is_failed && virtio_queue_take(&block->queue.ring, &tag, &written_bytes))
        disk_complete(disk, tag, result_of(block, tag, written_bytes));
    if (block->queue.ring.is_broken)
        disk_fail(disk, "it broke the rules of its queue");
}

static bool stop(struct disk *disk)
{
    return virtio_device_stop(&((struct virtio_block *)disk)->virtio);
}

static bool is_alive(struct disk *disk)
{
    return !virtio_device_is_broken(&((struct virtio_block *)disk)->virtio);
}

static const struct disk_ops ops = {
    .start = start, .interrupt = interrupt, .is_alive = is_alive, .stop = stop};

static mx_status_t open_queue(struct virtio_block *block, const char **why)
{
    *why = "no memory for its queue";
    mx_status_t status = driver_allocate(&block->disk.device,
                                         DISK_TAGS_MAX * sizeof(struct request), &block->memory);
    if (status != MX_OK)
        return status;
    block->requests = block->memory.bytes;
    status = virtio_device_add_queue(&block->virtio, 0, VIRTIO_QUEUE_SIZE_MAX, &block->queue);
    *why = "it has no queue that is large enough";
    if (status == MX_OK && block->queue.ring.size < DESCRIPTORS_OF_REQUEST + 1)
        return MX_ERR_NOT_SUPPORTED;
    block->disk.runs_max = block->queue.ring.size - DESCRIPTORS_OF_REQUEST;
    return status;
}

static mx_status_t open_disk(struct virtio_block *block, const char **why)
{
    struct disk *disk = &block->disk;
    mx_status_t status =
        virtio_device_open(&block->virtio, &disk->device,
                           FEATURE_RO | FEATURE_BLK_SIZE | FEATURE_FLUSH, &block->features, why);

    if (status == MX_OK)
        status = open_queue(block, why);
    if (status != MX_OK)
        return status;
    uint64_t sectors = virtio_device_config(&block->virtio, CONFIG_CAPACITY, 8),
             size = SECTOR_BYTES;
    if (block->features & FEATURE_BLK_SIZE)
        size = virtio_device_config(&block->virtio, CONFIG_BLK_SIZE, 4);
    *why = "its size makes no sense";
    if (sectors > UINT64_MAX >> (SECTOR_SHIFT + 1) || size < SECTOR_BYTES ||
        size > BLOCK_BYTES_MAX || (size & (size - 1)))
        return MX_ERR_IO;
    disk->ops = &ops;
    disk->geometry = (struct block_geometry){(uint32_t)size, DISK_TRANSFER_BYTES};
    disk->size_bytes = (sectors << SECTOR_SHIFT) & ~(size - 1);
    disk->is_read_only = (block->features & FEATURE_RO) != 0;
    disk->has_no_cache = (block->features & FEATURE_FLUSH) == 0;
    virtio_device_start(&block->virtio);
    return MX_OK;
}

int main(int argc, char **argv)
{
    static struct virtio_block block;
    const char *why = "";

    if (driver_start(&block.disk.device, argc, argv) != MX_OK)
        return EXIT_FAILURE;
    mx_status_t status = open_disk(&block, &why);
    if (status == MX_OK)
        return disk_run(&block.disk);
    printf("disk %s: %s: %s\n", block.disk.device.name, why, mx_status_string(status));
    return EXIT_FAILURE;
}
