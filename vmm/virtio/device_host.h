// The device process' side of a virtio device: its queues, its state, and the answers to the VMM's
// messages.
//
// A device process' main function only waits on its port: a message from the VMM goes to
// device_host_handle_message, a doorbell to device_host_doorbell, and while there is work left it
// calls device_host_continue instead of sleeping. One thread does all of it.
//
// Work for one call is bounded by a budget of chains per queue. A queue that the driver broke stops
// the whole device, until the driver resets it, and is reported once.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/memory/guest_memory.h"
#include "vmm/virtio/device.h"
#include "vmm/virtio/protocol.h"

#define DEVICE_HOST_BUDGET 64u // chains of one queue in one call

// What the process supplies.
struct device_host_ops {
    // Raises the interrupt of a queue, or VIRTIO_SOURCE_CONFIG.
    void (*raise_interrupt)(void *context, uint16_t source);
    // Sends an event to the VMM.
    void (*send_event)(void *context, const void *message, size_t size_bytes);
};

struct device_host {
    struct virtio_device *device;
    const struct guest_memory *memory;
    const struct device_host_ops *ops;
    void *context;
    bool is_started; // by START
    bool is_ready;   // by READY; doorbells count
    bool is_broken;
    uint64_t pending_queues; // bit q: queue q has chains left without a doorbell to come
    struct virtqueue queues[VIRTIO_QUEUES_MAX];
};
_Static_assert(VIRTIO_QUEUES_MAX <= 64, "pending_queues has a bit for each");

// `device`, `memory` and `ops` must outlive the host. The device is reset.
void device_host_init(struct device_host *host, struct virtio_device *device,
                      const struct guest_memory *memory, const struct device_host_ops *ops,
                      void *context);

// Does what a message asks and fills the answer to send back. The message may have made work: call
// device_host_continue once the answer is sent. The answer tells of any error:
// INVALID_ARGS, OUT_OF_RANGE: a malformed message, queue or feature set; BAD_STATE: not now;
// NOT_SUPPORTED: another protocol version, or a message that is not a request.
void device_host_handle_message(struct device_host *host, const void *message, size_t size_bytes,
                                struct virtio_reply *reply);

// Answers a doorbell, or the back end's sign that it can go on. True: work is left for
// device_host_continue. A queue that does not exist or a device that is not ready ignores it.
bool device_host_doorbell(struct device_host *host, unsigned queue_index);

// Goes on with what an earlier call left. True: work is left again.
bool device_host_continue(struct device_host *host);

// Tells the VMM that the configuration space has changed, and the driver by its interrupt.
void device_host_config_changed(struct device_host *host);

// All features that the device offers to the driver, the ring's included.
uint64_t device_host_features(const struct device_host *host);
