// The virtio entropy device: one queue, whose chains are filled from a callback.
//
// A request may be answered with fewer bytes than it has room for, so the work for each is bounded.
//
// Virtio 1.2: 5.4 "Entropy Device".
#pragma once

#include "vmm/virtio/device.h"

#define VIRTIO_RNG_CHAIN_BYTES_MAX 4096u

// Fills all of `bytes`, which is private memory, with random bytes. False: there are none now; the
// request then waits until the queue is notified again.
typedef bool virtio_rng_fill(void *context, void *bytes, size_t size_bytes);

struct virtio_rng {
    struct virtio_device device;
    virtio_rng_fill *fill;
    void *context;
};

void virtio_rng_init(struct virtio_rng *rng, virtio_rng_fill *fill, void *context);
