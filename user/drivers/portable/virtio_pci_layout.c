// Vendor capabilities of virtio devices; see virtio_pci_layout.h.
#include "user/drivers/portable/virtio_pci_layout.h"

#include <string.h>

#define CAP_LENGTH     2
#define CAP_TYPE       3
#define CAP_BAR        4
#define CAP_OFFSET     8
#define CAP_SIZE       12
#define CAP_MULTIPLIER 16
#define CAP_BYTES      16
#define CAP_SPACE_END  0x100
#define CAPS_MAX       16

static uint32_t read32(const struct pci_config *config, uint32_t offset)
{
    return config->read(config->context, offset);
}

static void read_one(const struct pci_config *config, uint32_t at,
                     const uint64_t bar_bytes[PCI_BAR_COUNT], struct virtio_pci_layout *out)
{
    uint8_t type = pci_read8(config, at + CAP_TYPE);
    uint32_t extra = type == VIRTIO_PCI_NOTIFY ? 4 : 0;

    if (at + CAP_BYTES + extra > CAP_SPACE_END ||
        pci_read8(config, at + CAP_LENGTH) < CAP_BYTES + extra || type < VIRTIO_PCI_COMMON ||
        type > VIRTIO_PCI_DEVICE || out->places[type].size_bytes != 0)
        return;
    struct virtio_pci_place place = {
        .bar = pci_read8(config, at + CAP_BAR),
        .offset = read32(config, at + CAP_OFFSET),
        .size_bytes = read32(config, at + CAP_SIZE),
    };
    if (place.bar >= PCI_BAR_COUNT || place.offset % 4 != 0 ||
        place.offset > bar_bytes[place.bar] ||
        place.size_bytes > bar_bytes[place.bar] - place.offset)
        return;
    out->places[type] = place;
    if (type == VIRTIO_PCI_NOTIFY)
        out->notify_multiplier = read32(config, at + CAP_MULTIPLIER);
}

bool virtio_pci_read_layout(const struct pci_config *config,
                            const uint64_t bar_bytes[PCI_BAR_COUNT], struct virtio_pci_layout *out)
{
    uint32_t at = 0;

    memset(out, 0, sizeof(*out));
    for (uint32_t i = 0; i < CAPS_MAX; i++) {
        at = pci_find_capability(config, PCI_CAPABILITY_VENDOR, at);
        if (at == 0)
            break;
        read_one(config, at, bar_bytes, out);
    }
    return out->places[VIRTIO_PCI_COMMON].size_bytes >= VIRTIO_PCI_COMMON_BYTES &&
           out->places[VIRTIO_PCI_NOTIFY].size_bytes >= sizeof(uint16_t);
}
