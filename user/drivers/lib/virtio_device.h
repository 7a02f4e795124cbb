// A virtio device on PCI as its driver sees it (Virtio 1.2, section 4.1 "Virtio Over PCI Bus"): the
// modern interface, one interrupt for everything (entry 0 of the MSI-X table).
//
//     virtio_device_open(&virtio, &device, wanted, &features)    resets it and negotiates
//     virtio_device_add_queue(&virtio, 0, 256, &queue)           for each queue
//     virtio_device_start(&virtio)
#pragma once

#include "user/drivers/lib/driver.h"
#include "user/drivers/portable/virtio_queue.h"

#define VIRTIO_F_VERSION_1 (UINT64_C(1) << 32)

struct virtio_device {
    struct driver_device *device;
    volatile uint8_t *common, *notify, *config;
    uint32_t config_bytes;
    uint32_t notify_bytes, notify_multiplier;
};

struct virtio_device_queue {
    struct virtio_queue ring;
    struct driver_memory memory;
    volatile uint16_t *notify;
    uint16_t index;
};

// NOT_SUPPORTED, and *why: it has no such interface. IO: it does not answer or does not accept the
// features. *features is what was negotiated; `wanted` without VIRTIO_F_VERSION_1, which is always.
MX_MUST_CHECK mx_status_t virtio_device_open(struct virtio_device *virtio,
                                             struct driver_device *device, uint64_t wanted,
                                             uint64_t *features, const char **why);
// With at most `size_max` entries. NOT_FOUND: there is no such queue.
MX_MUST_CHECK mx_status_t virtio_device_add_queue(struct virtio_device *virtio, uint16_t index,
                                                  uint16_t size_max,
                                                  struct virtio_device_queue *queue);
void virtio_device_start(struct virtio_device *virtio);
// Tells the device of what was added.
void virtio_device_notify(struct virtio_device_queue *queue);
// Stops it: it does not touch memory any more. Bounded; one that is gone has stopped. False: it does
// not stop.
bool virtio_device_stop(struct virtio_device *virtio);
// Whether it says that it needs a reset, or is gone.
bool virtio_device_is_broken(const struct virtio_device *virtio);
// Little-endian number of 1, 2, 4 or 8 bytes in the configuration; 0 beyond its end.
uint64_t virtio_device_config(const struct virtio_device *virtio, uint32_t offset,
                              uint32_t size_bytes);
