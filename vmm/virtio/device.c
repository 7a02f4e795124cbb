// The queue loop of all virtio device models: see device.h.

#include "vmm/virtio/device.h"

// Handles what is available now. VIRTIO_IDLE: the queue looked empty, or is broken.
static enum virtio_progress handle_available(struct virtio_device *device, unsigned queue_index,
                                             unsigned *budget, virtio_chain_handler *handler)
{
    struct virtqueue *queue = &device->queues[queue_index];
    struct virtqueue_chain *chain = &device->chain;

    while (*budget > 0) {
        uint32_t written_bytes = 0;
        if (virtqueue_pop(queue, chain) != MX_OK)
            return VIRTIO_IDLE;
        const enum virtio_chain_result result = handler(device, queue_index, chain, &written_bytes);
        if (result == VIRTIO_CHAIN_MORE || result == VIRTIO_CHAIN_HELD) {
            virtqueue_unpop(queue);
            return result == VIRTIO_CHAIN_HELD ? VIRTIO_HELD : VIRTIO_MORE;
        }
        if (result == VIRTIO_CHAIN_DONE)
            virtqueue_push(queue, chain->head, written_bytes);
        (*budget)--;
    }
    return VIRTIO_MORE;
}

enum virtio_progress virtio_device_drain(struct virtio_device *device, unsigned queue_index,
                                         unsigned budget, virtio_chain_handler *handler)
{
    struct virtqueue *queue = &device->queues[queue_index];
    enum virtio_progress progress;

    virtqueue_disable_doorbell(queue);
    progress = handle_available(device, queue_index, &budget, handler);
    while (progress == VIRTIO_IDLE && virtqueue_enable_doorbell(queue)) {
        // Another look costs as much as a chain: the driver may move its index back and forth.
        budget -= budget > 0;
        virtqueue_disable_doorbell(queue);
        progress = handle_available(device, queue_index, &budget, handler);
    }
    virtio_device_publish(device, queue_index);
    return progress;
}

void virtio_device_complete(struct virtio_device *device, unsigned queue_index, uint16_t head,
                            uint32_t written_bytes)
{
    if (virtqueue_is_running(&device->queues[queue_index]))
        virtqueue_push(&device->queues[queue_index], head, written_bytes);
}

void virtio_device_publish(struct virtio_device *device, unsigned queue_index)
{
    if (virtqueue_publish(&device->queues[queue_index]))
        device->raise_interrupt(device->context, (uint16_t)queue_index);
}
