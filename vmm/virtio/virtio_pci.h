// The virtio PCI transport, modern only: what the driver sees of a device whose model runs
// elsewhere.
//
// It holds the registers and the state machine, and tells a back end (in the product: the control
// channel to the device process, and the kernel's interrupt and trap objects) what to do. It is not
// on the data path: doorbells are trapped by the kernel at the addresses that bell_moved reports,
// and interrupts are raised by the device process along the route that route_interrupt reports.
//
//   BAR 0     I/O, if chosen: notify, 4 bytes per queue; listed before the one in memory
//   BAR 2, 3  memory: common configuration, ISR, device configuration, MSI-X table, a page each
//   BAR 4, 5  memory: notify, 4 bytes per queue
//
// A driver that breaks the rules of the state machine (features after FEATURES_OK, queue registers
// after the queue was enabled or the device started, bits taken back) stops its device:
// DEVICE_NEEDS_RESET. Calls are made under the machine's lock; the host is little-endian.
//
// Virtio 1.2: 2.1 "Device Status Field", 3.1 "Device Initialization", 4.1 "Virtio Over PCI Bus".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#include "vmm/pci/pci_device.h"
#include "vmm/virtio/device.h"

#define VIRTIO_STATUS_ACKNOWLEDGE 1u
#define VIRTIO_STATUS_DRIVER      2u
#define VIRTIO_STATUS_DRIVER_OK   4u
#define VIRTIO_STATUS_FEATURES_OK 8u
#define VIRTIO_STATUS_NEEDS_RESET 64u
#define VIRTIO_STATUS_FAILED      128u

#define VIRTIO_PCI_NO_VECTOR     0xffffu
#define VIRTIO_PCI_NOTIFY_STRIDE 4u // bytes between the doorbells of two queues, in either BAR

#define VIRTIO_PCI_BAR_IO_NOTIFY     0u
#define VIRTIO_PCI_BAR_CONFIG        2u
#define VIRTIO_PCI_BAR_MEMORY_NOTIFY 4u
#define VIRTIO_PCI_PAGE_BYTES        0x1000u
#define VIRTIO_PCI_COMMON_OFFSET     0x0000u
#define VIRTIO_PCI_ISR_OFFSET        0x1000u
#define VIRTIO_PCI_DEVICE_OFFSET     0x2000u
#define VIRTIO_PCI_MSIX_OFFSET       0x3000u
#define VIRTIO_PCI_PBA_OFFSET        0x3800u
#define VIRTIO_PCI_CONFIG_BAR_BYTES  0x4000u

enum virtio_route_kind {
    VIRTIO_ROUTE_INTX,   // MSI-X is off: tell virtio_pci_raise_intx
    VIRTIO_ROUTE_NONE,   // no vector: drop it
    VIRTIO_ROUTE_MASKED, // keep it until the route is MSI again
    VIRTIO_ROUTE_MSI,
};

struct virtio_route {
    enum virtio_route_kind kind;
    uint32_t data;    // of MSI only, zero otherwise
    uint64_t address; // likewise
};

// What the transport needs done. Every function is required and none is called by virtio_pci_init.
// reset, queue_start, ready and route_interrupt must not call back into the transport; they tell of
// an error by their status.
struct virtio_pci_backend_ops {
    // Stop everything. On return nothing touches guest memory for this device.
    void (*reset)(void *context);
    // At DRIVER_OK: first each enabled queue, then ready. An error stops the device.
    mx_status_t (*queue_start)(void *context, unsigned queue_index,
                               const struct virtqueue_layout *layout);
    mx_status_t (*ready)(void *context, uint64_t features);
    // A doorbell that no trap caught, for a queue that runs.
    void (*queue_notify)(void *context, unsigned queue_index);
    // The driver wrote the device's configuration space, within its size.
    void (*config_write)(void *context, uint32_t offset, const void *bytes, size_t size_bytes);
    // The route of a queue's interrupt or of VIRTIO_SOURCE_CONFIG changed. Before the first call it
    // is INTX.
    void (*route_interrupt)(void *context, uint16_t source, const struct virtio_route *route);
    // The transport itself has a configuration change to tell by MSI: raise VIRTIO_SOURCE_CONFIG.
    void (*raise_config)(void *context);
    // The doorbells of all queues are at `address`, VIRTIO_PCI_NOTIFY_STRIDE apart, or are no
    // longer decoded.
    void (*bell_moved)(void *context, bool is_io, bool is_mapped, uint64_t address);
};

struct virtio_pci_queue {
    struct virtqueue_layout layout;
    uint16_t msix_vector;
    bool is_enabled;
};

struct virtio_pci {
    struct pci_device pci; // to put on the bus
    const struct virtio_pci_backend_ops *ops;
    void *context;
    uint16_t queue_count;
    uint16_t queue_size_max;
    uint16_t config_bytes;
    uint64_t device_features;
    uint64_t driver_features;
    uint32_t device_feature_select;
    uint32_t driver_feature_select;
    uint16_t queue_select;
    uint16_t config_vector;
    uint8_t status;
    uint8_t config_generation;
    uint8_t isr;
    unsigned access_window; // offset of the PCI configuration access capability
    struct virtio_pci_queue queues[VIRTIO_QUEUES_MAX];
    struct virtio_route
        routes[VIRTIO_QUEUES_MAX + 1]; // as last reported; the last is the configuration's
    uint8_t config[VIRTIO_CONFIG_BYTES_MAX];
};

// As the device process describes itself (protocol.h).
struct virtio_pci_config {
    uint16_t device_type;
    uint16_t queue_count;
    uint16_t queue_size_max;
    uint16_t config_bytes;
    uint64_t features;
    const uint8_t *config;
    bool has_io_notify;
};

// Makes the function, ready to be given a pin and put on the bus. INVALID_ARGS: a count or size
// beyond the limits of device.h, or VERSION_1 is not offered.
MX_MUST_CHECK mx_status_t virtio_pci_init(struct virtio_pci *transport,
                                          const struct virtio_pci_config *config,
                                          const struct virtio_pci_backend_ops *ops, void *context);

// To the state after power-on, as the driver's reset does; the machine resets the PCI function by
// its bus.
void virtio_pci_reset(struct virtio_pci *transport);

// A source raised its interrupt while MSI-X was off: sets the ISR and the pin. With MSI-X on, a
// masked vector becomes pending; otherwise, and while the driver has not started the device,
// nothing happens.
void virtio_pci_raise_intx(struct virtio_pci *transport, uint16_t source);

// The device's configuration space is now these bytes, and the driver may see that it changed. The
// device process raises the interrupt.
MX_MUST_CHECK mx_status_t virtio_pci_set_config(struct virtio_pci *transport, const uint8_t *config,
                                                size_t config_bytes);

// The device cannot go on: stops it, sets DEVICE_NEEDS_RESET and tells the driver. Nothing happens
// while the driver has not started the device; a back end that is gone refuses the start.
void virtio_pci_set_needs_reset(struct virtio_pci *transport);
