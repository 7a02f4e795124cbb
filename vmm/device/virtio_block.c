// The block device's process: a disk on a memory object, which is a file of the boot image's
// package or a RAM disk, or on an extent of one of the host's disks.
#include "vmm/virtio/block.h"

#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "vmm/device/device_process.h"
#include "vmm/device/extent_backend.h"

static struct block_backend_memory disk;
static struct block_backend_volatile overlay;
static struct extent_backend extent;
static struct virtio_block block;

#define KEY_EXTENT DEVICE_PROCESS_OWN_KEY

static mx_status_t map_disk(uint64_t size_bytes, bool is_writable)
{
    const mx_handle_t vmo = startup_handle_take(DEVICE_STARTUP_BACKEND, 0);
    const uint64_t mapped_bytes = (size_bytes + MX_PAGE_SIZE - 1) & ~(uint64_t)(MX_PAGE_SIZE - 1);
    uint64_t address = 0;

    if (vmo == MX_HANDLE_INVALID || size_bytes == 0 || mapped_bytes < size_bytes)
        return MX_ERR_INVALID_ARGS;
    const mx_status_t status = mx_aspace_map(startup_handle_look(MX_STARTUP_SELF_ASPACE, 0),
                                             is_writable ? MX_MAP_READ | MX_MAP_WRITE : MX_MAP_READ,
                                             vmo, 0, mapped_bytes, &address);
    handle_close(vmo);
    if (status == MX_OK)
        block_backend_memory_init(&disk, (void *)(uintptr_t)address, size_bytes, !is_writable);
    return status;
}

static mx_status_t open_extent(const struct device_process *process, uint64_t size_bytes,
                               bool is_writable)
{
    const struct guest_memory *memory = &process->memory;
    uint64_t ram_bytes = 0;

    for (size_t i = 0; i < memory->region_count; i++)
        ram_bytes += memory->regions[i].size_bytes;
    return extent_backend_init(&extent, startup_handle_take(DEVICE_STARTUP_BACKEND, 0), size_bytes,
                               !is_writable, process->ram, memory->regions[0].host, ram_bytes);
}

static mx_status_t open_backend(const struct device_process *process, const char *mode,
                                const char *kind, uint64_t size_bytes,
                                struct virtio_block_config *config)
{
    const bool is_volatile = strcmp(mode, BLOCK_MODE_VOLATILE) == 0;
    const bool is_writable = strcmp(mode, BLOCK_MODE_READ_WRITE) == 0;
    const bool is_extent = strcmp(kind, BLOCK_KIND_EXTENT) == 0;
    struct block_backend *base = is_extent ? &extent.backend : &disk.backend;
    const mx_status_t status = is_extent ? open_extent(process, size_bytes, is_writable)
                                         : map_disk(size_bytes, is_writable);

    if (is_extent)
        config->block_bytes = extent.client.block_bytes;
    config->backend = is_volatile ? &overlay.backend : base;
    if (status != MX_OK || !is_volatile)
        return status;
    // The guest's job limits the memory; a disk cannot need more than its own size, in whole
    // clusters.
    return block_backend_volatile_init(&overlay, base, size_bytes + BLOCK_BACKEND_CLUSTER_BYTES);
}

static mx_status_t open_disk(const struct device_process *process, int argc, char **argv)
{
    struct virtio_block_config config = {.block_bytes = VIRTIO_BLOCK_SECTOR_BYTES};
    uint64_t size_bytes, queue_count;
    mx_status_t status = device_process_number(argc, argv, DEVICE_ARGUMENT_OWN + 1, &size_bytes);

    if (status == MX_OK)
        status = device_process_number(argc, argv, DEVICE_ARGUMENT_OWN + 2, &queue_count);
    if (status == MX_OK && (queue_count > VIRTIO_QUEUES_MAX || argc <= DEVICE_ARGUMENT_OWN + 4))
        status = MX_ERR_INVALID_ARGS;
    if (status == MX_OK)
        status = open_backend(process, argv[DEVICE_ARGUMENT_OWN], argv[DEVICE_ARGUMENT_OWN + 4],
                              size_bytes, &config);
    if (status != MX_OK)
        return status;
    config.queue_count = (uint16_t)queue_count;
    config.id = argv[DEVICE_ARGUMENT_OWN + 3];
    return virtio_block_init(&block, &config);
}

// The disk has answered, or is gone.
static void packet(struct device_process *process, uint64_t key)
{
    if (key != KEY_EXTENT)
        return;
    extent_backend_receive(&extent);
    const uint64_t queues = virtio_block_publish(&block);
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX && queues >> i != 0; i++) {
        if (queues >> i & 1)
            device_process_wake_queue(process, i);
    }
}

static const struct device_process_ops ops = {.packet = packet};

int main(int argc, char **argv)
{
    static struct device_process process;
    mx_status_t status = device_process_init(&process, argc, argv);

    if (status == MX_OK)
        status = open_disk(&process, argc, argv);
    if (status != MX_OK)
        return device_process_fail(&process, "virtio-block: cannot start", status);
    extent_backend_use_port(&extent, process.port, KEY_EXTENT);
    return device_process_run(&process, &block.device, &ops);
}
