// What a virtio device model is written against, and the loop that all of them share.
//
// A model supplies a const table of functions and embeds struct virtio_device as its first member.
// It never touches a ring: it is handed popped, bounded, translated chains and says how many bytes
// it wrote. Its host (device_host.h) owns the queues, negotiates and raises interrupts. One thread
// runs it all.
//
// Virtio 1.2: 2.2 "Feature Bits", 2.5 "Device Configuration Space", 5 "Device Types".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/virtio/virtqueue.h"

#define VIRTIO_F_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTIO_F_EVENT_IDX     (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1     (UINT64_C(1) << 32)

#define VIRTIO_QUEUES_MAX       64u
#define VIRTIO_CONFIG_BYTES_MAX 256u

// The source of an interrupt: a queue index, or this for a change of the configuration.
#define VIRTIO_SOURCE_CONFIG UINT16_MAX

enum virtio_device_type {
    VIRTIO_TYPE_NET = 1,
    VIRTIO_TYPE_BLOCK = 2,
    VIRTIO_TYPE_CONSOLE = 3,
    VIRTIO_TYPE_RNG = 4,
};

// What became of a doorbell.
enum virtio_progress {
    VIRTIO_IDLE, // every chain is done; a doorbell will tell of the next
    VIRTIO_MORE, // the budget is used up: call again, no doorbell will come
    VIRTIO_HELD, // the back end can take or give no more: call again when it can
};

struct virtio_device;

struct virtio_device_ops {
    // To the state after creation; the queues are stopped already. Kept chains are no longer under
    // way when it returns: their buffers are the driver's again.
    void (*reset)(struct virtio_device *device);
    // The device's own feature bits (0 to 23 and from 50) that it offers.
    uint64_t (*features)(const struct virtio_device *device);
    // Fills the configuration space; `config` has config_bytes.
    void (*config_read)(const struct virtio_device *device, uint8_t *config);
    // The driver wrote inside config_bytes; NULL if nothing in it is writable.
    void (*config_write)(struct virtio_device *device, uint32_t offset, const void *bytes,
                         size_t size_bytes);
    // Works on a running queue, at most `budget` chains.
    enum virtio_progress (*queue_notify)(struct virtio_device *device, unsigned queue_index,
                                         unsigned budget);
};

struct virtio_device {
    const struct virtio_device_ops *ops;
    uint16_t type;
    uint16_t queue_count;
    uint16_t queue_size_max;
    uint16_t config_bytes;
    // Set by the host:
    uint64_t driver_features; // negotiated; zero until the driver is ready
    struct virtqueue *queues; // queue_count of them
    void (*raise_interrupt)(void *context, uint16_t source);
    void *context;
    struct virtqueue_chain chain; // the one in work
};

// What a model did with one chain. One that it could not begin goes back: it is popped again,
// before any other.
enum virtio_chain_result {
    VIRTIO_CHAIN_DONE, // and `written_bytes` were written to its writable part
    VIRTIO_CHAIN_KEPT, // under way; virtio_device_complete gives it back
    VIRTIO_CHAIN_MORE, // as much as one doorbell may cost was done
    VIRTIO_CHAIN_HELD, // the back end can take or give no more
};
typedef enum virtio_chain_result virtio_chain_handler(struct virtio_device *device,
                                                      unsigned queue_index,
                                                      const struct virtqueue_chain *chain,
                                                      uint32_t *written_bytes);

// Pops and handles chains of one queue until it is empty, `budget` chains are done or one goes
// back; then publishes them together and raises the queue's interrupt if the driver wants it. The
// doorbell is off unless the result is VIRTIO_IDLE. A broken or stopped queue is idle.
enum virtio_progress virtio_device_drain(struct virtio_device *device, unsigned queue_index,
                                         unsigned budget, virtio_chain_handler *handler);

// Gives back a kept chain; the driver sees it after virtio_device_publish. Of a queue that was
// stopped meanwhile nothing is touched.
void virtio_device_complete(struct virtio_device *device, unsigned queue_index, uint16_t head,
                            uint32_t written_bytes);

// Shows the driver what was completed, and raises the queue's interrupt if it wants it.
void virtio_device_publish(struct virtio_device *device, unsigned queue_index);

// Whether a feature was negotiated.
static inline bool virtio_device_has(const struct virtio_device *device, uint64_t feature)
{
    return (device->driver_features & feature) != 0;
}
