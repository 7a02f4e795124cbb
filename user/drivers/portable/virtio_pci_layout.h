// Where a virtio device on PCI has its structures: the vendor capabilities of Virtio 1.2,
// section 4.1.4.
#pragma once

#include "user/drivers/portable/pci_config.h"

enum virtio_pci_structure {
    VIRTIO_PCI_COMMON = 1,
    VIRTIO_PCI_NOTIFY = 2,
    VIRTIO_PCI_ISR = 3,
    VIRTIO_PCI_DEVICE = 4,
    VIRTIO_PCI_STRUCTURE_COUNT = 5,
};

struct virtio_pci_place {
    uint32_t bar;
    uint64_t offset;
    uint64_t size_bytes; // 0: there is none
};

struct virtio_pci_layout {
    struct virtio_pci_place places[VIRTIO_PCI_STRUCTURE_COUNT];
    uint32_t notify_multiplier;
};

#define VIRTIO_PCI_COMMON_BYTES 56

// `bar_bytes`: sizes of the registers behind each BAR. Structures that do not lie within them count
// as absent. False: the common or the notification structure is missing.
bool virtio_pci_read_layout(const struct pci_config *config,
                            const uint64_t bar_bytes[PCI_BAR_COUNT], struct virtio_pci_layout *out);
