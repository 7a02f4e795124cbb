// The driver's side of a virtqueue; see virtio_queue.h.
#include "user/drivers/portable/virtio_queue.h"

#include <string.h>

#include <dma_fence.h>

#define DESCRIPTOR_NEXT  1u
#define DESCRIPTOR_WRITE 2u
#define USED_NO_NOTIFY   1u

#define RING_FLAGS 0
#define RING_INDEX 1
#define RING_START 2

struct virtio_descriptor {
    uint64_t address;
    uint32_t size_bytes;
    uint16_t flags;
    uint16_t next;
};
_Static_assert(sizeof(struct virtio_descriptor) == 16, "virtio 1.2, 2.7.5");

struct used_element {
    uint32_t id, written_bytes;
};

static uint16_t load16(const uint16_t *at)
{
    return *(const volatile uint16_t *)at;
}

static void store16(uint16_t *at, uint16_t value)
{
    *(volatile uint16_t *)at = value;
}

size_t virtio_queue_available_offset(uint16_t size)
{
    return (size_t)size * sizeof(struct virtio_descriptor);
}

// The ring of used elements is aligned to 4; here to a cache line of its own.
size_t virtio_queue_used_offset(uint16_t size)
{
    size_t end =
        virtio_queue_available_offset(size) + (RING_START + (size_t)size + 1) * sizeof(uint16_t);

    return (end + 63) & ~(size_t)63;
}

size_t virtio_queue_bytes(uint16_t size)
{
    return virtio_queue_used_offset(size) + 3 * sizeof(uint16_t) +
           (size_t)size * sizeof(struct used_element);
}

void virtio_queue_init(struct virtio_queue *queue, void *memory, uint16_t size)
{
    uint8_t *bytes = memory;

    memset(queue, 0, sizeof(*queue));
    queue->size = queue->free_count = size;
    queue->descriptors = memory;
    queue->available = (uint16_t *)(void *)(bytes + virtio_queue_available_offset(size));
    queue->used = (uint16_t *)(void *)(bytes + virtio_queue_used_offset(size));
    for (uint16_t i = 0; i < size; i++)
        queue->next[i] = (uint16_t)(i + 1);
}

mx_status_t virtio_queue_add(struct virtio_queue *queue, const struct virtio_piece *pieces,
                             uint32_t read_count, uint32_t write_count, uint32_t token)
{
    uint32_t count = read_count + write_count;
    uint16_t head = queue->free_head, at = head;

    if (queue->is_broken || count == 0)
        return MX_ERR_BAD_STATE;
    if (count > queue->size)
        return MX_ERR_OUT_OF_RANGE;
    if (count > queue->free_count)
        return MX_ERR_SHOULD_WAIT;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t flags = (uint16_t)((i >= read_count ? DESCRIPTOR_WRITE : 0) |
                                    (i + 1 < count ? DESCRIPTOR_NEXT : 0));

        queue->descriptors[at] = (struct virtio_descriptor){pieces[i].address, pieces[i].size_bytes,
                                                            flags, queue->next[at]};
        if (i + 1 < count)
            at = queue->next[at];
    }
    queue->free_head = queue->next[at];
    queue->free_count = (uint16_t)(queue->free_count - count);
    queue->chain_lengths[head] = (uint16_t)count;
    queue->tokens[head] = token;
    queue->available[RING_START + queue->next_available++ % queue->size] = head;
    return MX_OK;
}

bool virtio_queue_publish(struct virtio_queue *queue)
{
    // The chain is there before the index says so.
    dma_fence_write();
    store16(&queue->available[RING_INDEX], queue->next_available);
    // The device looks at the index after it allowed notifications.
    dma_fence_full();
    return !(load16(&queue->used[RING_FLAGS]) & USED_NO_NOTIFY);
}

static void free_chain(struct virtio_queue *queue, uint16_t head)
{
    uint16_t last = head;

    for (uint32_t i = 1; i < queue->chain_lengths[head]; i++)
        last = queue->next[last];
    queue->next[last] = queue->free_head;
    queue->free_head = head;
    queue->free_count = (uint16_t)(queue->free_count + queue->chain_lengths[head]);
    queue->chain_lengths[head] = 0;
}

bool virtio_queue_take(struct virtio_queue *queue, uint32_t *token, uint32_t *written_bytes)
{
    const volatile struct used_element *elements = (const void *)&queue->used[RING_START];
    uint16_t waiting = (uint16_t)(load16(&queue->used[RING_INDEX]) - queue->next_used);

    if (queue->is_broken || waiting == 0)
        return false;
    // The element was there before the index.
    dma_fence_read();
    const volatile struct used_element *element = &elements[queue->next_used % queue->size];
    uint32_t id = element->id;
    if (waiting > queue->size || id >= queue->size || queue->chain_lengths[id] == 0) {
        queue->is_broken = true;
        return false;
    }
    *written_bytes = element->written_bytes;
    *token = queue->tokens[id];
    queue->next_used++;
    free_chain(queue, (uint16_t)id);
    return true;
}
