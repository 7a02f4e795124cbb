// Virtio over PCI for drivers; see virtio_device.h.
#include "user/drivers/lib/virtio_device.h"

#include <string.h>

#include <dma_fence.h>

#include "user/drivers/portable/virtio_pci_layout.h"

// struct virtio_pci_common_cfg, section 4.1.4.3.
#define COMMON_FEATURE_SELECT        0x00
#define COMMON_FEATURES              0x04
#define COMMON_DRIVER_FEATURE_SELECT 0x08
#define COMMON_DRIVER_FEATURES       0x0c
#define COMMON_CONFIG_VECTOR         0x10
#define COMMON_STATUS                0x14
#define COMMON_QUEUE_SELECT          0x16
#define COMMON_QUEUE_SIZE            0x18
#define COMMON_QUEUE_VECTOR          0x1a
#define COMMON_QUEUE_ENABLE          0x1c
#define COMMON_QUEUE_NOTIFY          0x1e
#define COMMON_QUEUE_DESCRIPTORS     0x20
#define COMMON_QUEUE_AVAILABLE       0x28
#define COMMON_QUEUE_USED            0x30

#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER      2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u
#define STATUS_NEEDS_RESET 0x40u
#define STATUS_GONE        0xffu

#define VECTOR      0
#define RESET_READS 100000
#define RESET_PAUSE MX_USEC(100)

static uint8_t read8(const struct virtio_device *virtio, uint32_t offset)
{
    return *(virtio->common + offset);
}

static uint16_t read16(const struct virtio_device *virtio, uint32_t offset)
{
    return *(const volatile uint16_t *)(virtio->common + offset);
}

static void write16(struct virtio_device *virtio, uint32_t offset, uint16_t value)
{
    *(volatile uint16_t *)(virtio->common + offset) = value;
}

static uint32_t read32(const struct virtio_device *virtio, uint32_t offset)
{
    return *(const volatile uint32_t *)(virtio->common + offset);
}

static void write32(struct virtio_device *virtio, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(virtio->common + offset) = value;
}

static void write64(struct virtio_device *virtio, uint32_t offset, uint64_t value)
{
    write32(virtio, offset, (uint32_t)value);
    write32(virtio, offset + 4, (uint32_t)(value >> 32));
}

static void add_status(struct virtio_device *virtio, uint8_t bits)
{
    virtio->common[COMMON_STATUS] = (uint8_t)(read8(virtio, COMMON_STATUS) | bits);
}

static bool reset(struct virtio_device *virtio)
{
    virtio->common[COMMON_STATUS] = 0;
    for (uint32_t i = 0; i < RESET_READS; i++) {
        uint8_t status = read8(virtio, COMMON_STATUS);
        if (status == 0)
            return true;
        if (status == STATUS_GONE)
            return false;
        mx_nanosleep(mx_clock_get_monotonic() + RESET_PAUSE);
    }
    return false;
}

static volatile uint8_t *map_place(struct virtio_device *virtio,
                                   const struct virtio_pci_place *place)
{
    volatile uint8_t *registers =
        place->size_bytes ? driver_map_bar(virtio->device, place->bar) : NULL;

    return registers ? registers + place->offset : NULL;
}

static mx_status_t find_structures(struct virtio_device *virtio, const char **why)
{
    uint64_t bar_bytes[PCI_BAR_COUNT];
    struct virtio_pci_layout layout;

    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++)
        bar_bytes[i] = virtio->device->bars[i].size_bytes;
    *why = "it has no interface of virtio 1.0 or later";
    if (!virtio_pci_read_layout(&virtio->device->config, bar_bytes, &layout))
        return MX_ERR_NOT_SUPPORTED;
    *why = "its registers cannot be mapped";
    virtio->common = map_place(virtio, &layout.places[VIRTIO_PCI_COMMON]);
    virtio->notify = map_place(virtio, &layout.places[VIRTIO_PCI_NOTIFY]);
    virtio->notify_bytes = (uint32_t)layout.places[VIRTIO_PCI_NOTIFY].size_bytes;
    virtio->notify_multiplier = layout.notify_multiplier;
    virtio->config = map_place(virtio, &layout.places[VIRTIO_PCI_DEVICE]);
    virtio->config_bytes = (uint32_t)layout.places[VIRTIO_PCI_DEVICE].size_bytes;
    return virtio->common && virtio->notify ? MX_OK : MX_ERR_NO_MEMORY;
}

static mx_status_t negotiate(struct virtio_device *virtio, uint64_t wanted, uint64_t *features)
{
    uint64_t offered;

    write32(virtio, COMMON_FEATURE_SELECT, 0);
    offered = read32(virtio, COMMON_FEATURES);
    write32(virtio, COMMON_FEATURE_SELECT, 1);
    offered |= (uint64_t)read32(virtio, COMMON_FEATURES) << 32;
    *features = offered & (wanted | VIRTIO_F_VERSION_1);
    if (!(*features & VIRTIO_F_VERSION_1))
        return MX_ERR_IO;
    write32(virtio, COMMON_DRIVER_FEATURE_SELECT, 0);
    write32(virtio, COMMON_DRIVER_FEATURES, (uint32_t)*features);
    write32(virtio, COMMON_DRIVER_FEATURE_SELECT, 1);
    write32(virtio, COMMON_DRIVER_FEATURES, (uint32_t)(*features >> 32));
    add_status(virtio, STATUS_FEATURES_OK);
    return read8(virtio, COMMON_STATUS) & STATUS_FEATURES_OK ? MX_OK : MX_ERR_IO;
}

mx_status_t virtio_device_open(struct virtio_device *virtio, struct driver_device *device,
                               uint64_t wanted, uint64_t *features, const char **why)
{
    *virtio = (struct virtio_device){.device = device};
    mx_status_t status = find_structures(virtio, why);
    if (status != MX_OK)
        return status;
    *why = "it does not answer";
    if (!reset(virtio))
        return MX_ERR_IO;
    add_status(virtio, STATUS_ACKNOWLEDGE);
    add_status(virtio, STATUS_DRIVER);
    *why = "it does not accept the features";
    status = negotiate(virtio, wanted, features);
    write16(virtio, COMMON_CONFIG_VECTOR, VECTOR);
    return status;
}

static uint16_t choose_size(uint16_t offered, uint16_t size_max)
{
    uint16_t size = 1;

    while (size * 2 <= offered && size * 2 <= size_max && size * 2 <= (int)VIRTIO_QUEUE_SIZE_MAX)
        size = (uint16_t)(size * 2);
    return size;
}

mx_status_t virtio_device_add_queue(struct virtio_device *virtio, uint16_t index, uint16_t size_max,
                                    struct virtio_device_queue *queue)
{
    uint16_t offered, size;
    uint64_t notify_offset;

    write16(virtio, COMMON_QUEUE_SELECT, index);
    offered = read16(virtio, COMMON_QUEUE_SIZE);
    notify_offset = (uint64_t)read16(virtio, COMMON_QUEUE_NOTIFY) * virtio->notify_multiplier;
    if (offered == 0 || offered == UINT16_MAX ||
        notify_offset > virtio->notify_bytes - sizeof(uint16_t))
        return MX_ERR_NOT_FOUND;
    size = choose_size(offered, size_max);
    mx_status_t status = driver_allocate(virtio->device, virtio_queue_bytes(size), &queue->memory);
    if (status != MX_OK)
        return status;
    virtio_queue_init(&queue->ring, queue->memory.bytes, size);
    queue->index = index;
    queue->notify = (volatile uint16_t *)(virtio->notify + notify_offset);
    write16(virtio, COMMON_QUEUE_SIZE, size);
    write16(virtio, COMMON_QUEUE_VECTOR, VECTOR);
    write64(virtio, COMMON_QUEUE_DESCRIPTORS, queue->memory.address);
    write64(virtio, COMMON_QUEUE_AVAILABLE,
            queue->memory.address + virtio_queue_available_offset(size));
    write64(virtio, COMMON_QUEUE_USED, queue->memory.address + virtio_queue_used_offset(size));
    write16(virtio, COMMON_QUEUE_ENABLE, 1);
    return MX_OK;
}

void virtio_device_start(struct virtio_device *virtio)
{
    add_status(virtio, STATUS_DRIVER_OK);
}

void virtio_device_notify(struct virtio_device_queue *queue)
{
    dma_fence_write();
    *queue->notify = queue->index;
}

bool virtio_device_stop(struct virtio_device *virtio)
{
    return reset(virtio) || read8(virtio, COMMON_STATUS) == STATUS_GONE;
}

bool virtio_device_is_broken(const struct virtio_device *virtio)
{
    return (read8(virtio, COMMON_STATUS) & STATUS_NEEDS_RESET) != 0;
}

uint64_t virtio_device_config(const struct virtio_device *virtio, uint32_t offset,
                              uint32_t size_bytes)
{
    uint64_t value = 0;

    if (!virtio->config || offset > virtio->config_bytes ||
        size_bytes > virtio->config_bytes - offset)
        return 0;
    for (uint32_t i = 0; i < size_bytes; i++)
        value |= (uint64_t)virtio->config[offset + i] << 8 * i;
    return value;
}
