// A split virtqueue as its driver sees it (Virtio 1.2, section 2.7), for one thread. What the
// device writes into the used ring is checked: a queue whose device breaks the rules is broken for
// good.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#define VIRTIO_QUEUE_SIZE_MAX 256u

struct virtio_descriptor;

// A piece of memory at the device's address.
struct virtio_piece {
    uint64_t address;
    uint32_t size_bytes;
};

struct virtio_queue {
    uint16_t size;
    bool is_broken;
    struct virtio_descriptor *descriptors;
    uint16_t *available, *used;
    uint16_t free_head, free_count;
    uint16_t next_available, next_used;
    // By the first descriptor of each chain that the device has: its length (0: none) and what take
    // gives back.
    uint16_t chain_lengths[VIRTIO_QUEUE_SIZE_MAX];
    uint32_t tokens[VIRTIO_QUEUE_SIZE_MAX];
    uint16_t next[VIRTIO_QUEUE_SIZE_MAX]; // the driver's own copy: the device can write to the
                                          // descriptors
};

// Bytes of memory that a queue of `size` entries needs, and where its parts are in it.
size_t virtio_queue_bytes(uint16_t size);
size_t virtio_queue_available_offset(uint16_t size);
size_t virtio_queue_used_offset(uint16_t size);

// `memory` is zero and aligned to a page; `size` is a power of two up to VIRTIO_QUEUE_SIZE_MAX.
void virtio_queue_init(struct virtio_queue *queue, void *memory, uint16_t size);
// Puts a chain into the ring: first what the device reads, then what it writes. SHOULD_WAIT: no
// room now. The device sees it after virtio_queue_publish.
MX_MUST_CHECK mx_status_t virtio_queue_add(struct virtio_queue *queue,
                                           const struct virtio_piece *pieces, uint32_t read_count,
                                           uint32_t write_count, uint32_t token);
// Shows the device what was added. True: it wants to be notified.
MX_MUST_CHECK bool virtio_queue_publish(struct virtio_queue *queue);
// Takes the next chain that the device is done with; *written_bytes is what it says it wrote.
// False: there is none, or the queue is broken.
bool virtio_queue_take(struct virtio_queue *queue, uint32_t *token, uint32_t *written_bytes);
