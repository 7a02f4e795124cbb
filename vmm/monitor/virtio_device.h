// The VMM's side of a virtio device: its process, the PCI transport in front of it, and the kernel
// objects that let the two do without the VMM: doorbell traps and interrupt lines.
#pragma once

#include "vmm/device/device_protocol.h"
#include "vmm/monitor/guest.h"
#include "vmm/virtio/virtio_pci.h"

// Of one device here; the handles of all its queues have to fit in one start-up message.
#define VIRTIO_DEVICE_QUEUES_MAX 8

struct virtio_device_spec {
    const char *program;     // VMM_FILE_DEVICE
    unsigned queue_count;    // at most VIRTIO_DEVICE_QUEUES_MAX
    mx_handle_t backend;     // taken, or MX_HANDLE_INVALID
    bool hands_ram_on;       // to the driver of the host's disk, which reads and writes it itself
    const char *const *argv; // the device's own arguments (device_protocol.h)
    size_t argc;
};

// Starts the process, asks what it is, and puts it on the bus. On failure the guest cannot start.
MX_MUST_CHECK mx_status_t virtio_device_start(struct guest *guest,
                                              const struct virtio_device_spec *spec);

// Packets of the event port, by device index. Main thread, lock not held.
void virtio_device_message_event(struct guest *guest, uint32_t index);
void virtio_device_intx_event(struct guest *guest, uint32_t index_and_source);

// Where messages go may have changed (machine_route_message). Lock held.
void virtio_device_route_again(struct guest *guest);

// Gives a stream to the console device. NOT_SUPPORTED: there is none (any more). Takes the stream
// in any case.
MX_MUST_CHECK mx_status_t virtio_device_attach_console(struct guest *guest, mx_handle_t stream);
