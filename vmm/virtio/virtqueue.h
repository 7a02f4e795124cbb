// A split virtqueue as its device sees it: the only file that reads or writes a ring.
//
// A pop returns one descriptor chain as checked host buffers: device-readable ones first, then
// device-writable ones, none empty, all inside guest RAM, in a bounded number of steps. Whatever a
// driver may get wrong (loops, overlong or nested indirect chains, addresses outside RAM, an index
// that jumps) is judged here once and breaks the queue; a broken queue yields nothing until it is
// started again, and its device asks the driver for a reset.
//
// The buffers that a chain names are shared with the guest and may change at any time; the chain
// itself is a copy. A queue belongs to one thread of its device process.
//
// Virtio 1.2: 2.7 "Split Virtqueues", 2.7.5 "The Virtqueue Descriptor Table", 2.7.7 "Used Buffer
// Notification Suppression", 2.7.10 "Available Buffer Notification Suppression".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#include "vmm/memory/guest_memory.h"

#define VIRTQUEUE_SIZE_MAX             1024u
#define VIRTQUEUE_SEGMENTS_MAX         260u // buffers of one chain, the rest of it refused
#define VIRTQUEUE_INDIRECT_ENTRIES_MAX 1024u

// A piece of guest RAM that lies wholly inside one region; `size_bytes` is never zero.
struct virtqueue_buffer {
    uint8_t *data;
    uint32_t size_bytes;
};

// One popped chain. The first `readable_count` buffers are the driver's data, the others are for
// the device to fill. The sums fit in 32 bits each, as the chain's total does (2.7.4).
struct virtqueue_chain {
    uint16_t head;
    uint16_t readable_count;
    uint16_t writable_count;
    uint32_t readable_bytes;
    uint32_t writable_bytes;
    struct virtqueue_buffer buffers[VIRTQUEUE_SEGMENTS_MAX];
};

// Where the driver put the three parts of a queue, and how many entries they have.
struct virtqueue_layout {
    uint16_t size;
    uint64_t descriptors;
    uint64_t available;
    uint64_t used;
};

struct virtqueue {
    const struct guest_memory *memory;
    uint16_t size; // zero: not started
    bool is_broken;
    bool uses_indirect;
    bool uses_event_index;
    bool wants_doorbell;
    uint16_t next_available; // the entry of the available ring that the next pop takes
    uint16_t next_used;      // the entry of the used ring that the next push fills
    uint16_t published_used; // the used index that the driver can see
    const uint8_t *descriptors;
    const uint8_t *available;
    uint8_t *used;
};

// Starts an empty queue. `memory` must outlive it. OUT_OF_RANGE: a size that is zero, too large or
// no power of two; INVALID_ARGS: a part that is misaligned (16, 2, 4 bytes) or not in guest RAM.
// The queue is then stopped.
MX_MUST_CHECK mx_status_t virtqueue_start(struct virtqueue *queue,
                                          const struct guest_memory *memory,
                                          const struct virtqueue_layout *layout);

// Which ring features were negotiated; before the first pop.
void virtqueue_set_features(struct virtqueue *queue, bool uses_indirect, bool uses_event_index);

// Forgets the rings; nothing of guest memory is touched afterwards.
void virtqueue_stop(struct virtqueue *queue);

bool virtqueue_is_running(const struct virtqueue *queue);

// Takes the next chain. SHOULD_WAIT: none is available, or the queue is stopped. IO_DATA_INTEGRITY:
// the queue is broken. At most size + VIRTQUEUE_INDIRECT_ENTRIES_MAX descriptors are read.
MX_MUST_CHECK mx_status_t virtqueue_pop(struct virtqueue *queue, struct virtqueue_chain *chain);

// Gives back the chain of the latest pop, which becomes the next to pop. Only before any later pop
// or push.
void virtqueue_unpop(struct virtqueue *queue);

// Puts a chain into the used ring, with the number of bytes the device wrote from the first
// writable one on. The driver does not see it before virtqueue_publish, so several can be published
// at once.
void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written_bytes);

// Shows the driver what was pushed. True: it wants an interrupt for that.
MX_MUST_CHECK bool virtqueue_publish(struct virtqueue *queue);

// Asks the driver not to ring the doorbell. A hint: it may ring all the same.
void virtqueue_disable_doorbell(struct virtqueue *queue);

// Asks for a doorbell with the next chain. True: chains arrived meanwhile for which none may come,
// so the caller must pop again.
MX_MUST_CHECK bool virtqueue_enable_doorbell(struct virtqueue *queue);

// Whether moving a ring index from `old_index` to `new_index` passes `event` (2.7.7.1); all wrap at
// 2^16.
bool virtqueue_need_event(uint16_t event, uint16_t new_index, uint16_t old_index);

// Copies from the readable or to the writable part of a chain, from `offset` bytes into that part
// on. Both stop at its end and return how many bytes they copied.
size_t virtqueue_chain_read(const struct virtqueue_chain *chain, uint32_t offset, void *bytes,
                            size_t size_bytes);
size_t virtqueue_chain_write(const struct virtqueue_chain *chain, uint32_t offset,
                             const void *bytes, size_t size_bytes);
