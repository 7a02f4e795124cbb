// Virtio entropy device: see rng.h.

#include "vmm/virtio/rng.h"

#include <string.h>

#define RNG_QUEUE_SIZE 64u
#define RNG_PART_BYTES 256u

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static enum virtio_chain_result rng_handle(struct virtio_device *device, unsigned queue_index,
                                           const struct virtqueue_chain *chain,
                                           uint32_t *written_bytes)
{
    const struct virtio_rng *rng = (const struct virtio_rng *)device;
    const uint32_t wanted = smaller(chain->writable_bytes, VIRTIO_RNG_CHAIN_BYTES_MAX);
    uint8_t part[RNG_PART_BYTES];

    (void)queue_index;
    while (*written_bytes < wanted) {
        const uint32_t size = smaller(wanted - *written_bytes, sizeof(part));
        if (!rng->fill(rng->context, part, size))
            return *written_bytes != 0 ? VIRTIO_CHAIN_DONE : VIRTIO_CHAIN_HELD;
        virtqueue_chain_write(chain, *written_bytes, part, size);
        *written_bytes += size;
    }
    return VIRTIO_CHAIN_DONE;
}

static enum virtio_progress rng_queue_notify(struct virtio_device *device, unsigned queue_index,
                                             unsigned budget)
{
    return virtio_device_drain(device, queue_index, budget, rng_handle);
}

static void rng_reset(struct virtio_device *device)
{
    (void)device;
}

static uint64_t rng_features(const struct virtio_device *device)
{
    (void)device;
    return 0;
}

static void rng_config_read(const struct virtio_device *device, uint8_t *config)
{
    (void)device;
    (void)config;
}

static const struct virtio_device_ops rng_ops = {
    .reset = rng_reset,
    .features = rng_features,
    .config_read = rng_config_read,
    .queue_notify = rng_queue_notify,
};

void virtio_rng_init(struct virtio_rng *rng, virtio_rng_fill *fill, void *context)
{
    memset(rng, 0, sizeof(*rng));
    rng->device.ops = &rng_ops;
    rng->device.type = VIRTIO_TYPE_RNG;
    rng->device.queue_count = 1;
    rng->device.queue_size_max = RNG_QUEUE_SIZE;
    rng->fill = fill;
    rng->context = context;
}
