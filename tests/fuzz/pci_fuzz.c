// A guest that writes anything anywhere: configuration ports, ECAM, and the BARs of a virtio
// device.

#include <stdlib.h>
#include <string.h>

#include "vmm/pci/pci_host.h"
#include "vmm/virtio/virtio_pci.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static bool is_running;
static uint64_t bells[2];

static void backend_reset(void *context)
{
    (void)context;
    is_running = false;
}

static mx_status_t backend_queue_start(void *context, unsigned queue_index,
                                       const struct virtqueue_layout *layout)
{
    (void)context;
    if (is_running || queue_index >= 3 || layout->size == 0 || layout->size > 256 ||
        (layout->size & (layout->size - 1)) != 0)
        abort();
    return layout->descriptors & 1 ? MX_ERR_INVALID_ARGS : MX_OK;
}

static mx_status_t backend_ready(void *context, uint64_t features)
{
    (void)context;
    if (is_running || (features & ~(VIRTIO_F_VERSION_1 | 0xff)) || !(features & VIRTIO_F_VERSION_1))
        abort();
    is_running = true;
    return MX_OK;
}

static void backend_queue_notify(void *context, unsigned queue_index)
{
    (void)context;
    if (!is_running || queue_index >= 3)
        abort();
}

static void backend_config_write(void *context, uint32_t offset, const void *data,
                                 size_t size_bytes)
{
    (void)context;
    (void)data;
    if (offset + size_bytes > 60)
        abort();
}

static void backend_route(void *context, uint16_t source, const struct virtio_route *route)
{
    (void)context;
    (void)route;
    if (source >= 3 && source != VIRTIO_SOURCE_CONFIG)
        abort();
}

static void backend_raise_config(void *context)
{
    (void)context;
}

static void backend_bell_moved(void *context, bool is_io, bool is_mapped, uint64_t address)
{
    (void)context;
    if (is_mapped != (address != 0) || bells[is_io] == address || (is_io && address > 0xfff0))
        abort(); // every report is a change, and none wraps
    bells[is_io] = address;
}

static const struct virtio_pci_backend_ops backend_ops = {
    .reset = backend_reset,
    .queue_start = backend_queue_start,
    .ready = backend_ready,
    .queue_notify = backend_queue_notify,
    .config_write = backend_config_write,
    .route_interrupt = backend_route,
    .raise_config = backend_raise_config,
    .bell_moved = backend_bell_moved,
};

struct access {
    uint8_t what;
    uint8_t width_shift;
    uint16_t offset;
    uint64_t value;
};

static void make_access(struct pci_host *host, struct virtio_pci *transport,
                        const struct access *access)
{
    const unsigned width = 1u << (access->width_shift & 3);
    const unsigned bar = (access->width_shift >> 2) % 8;
    uint64_t value = 0;

    switch (access->what % 10) {
    case 0:
        pci_host_port_ops.write(host, access->offset & (8 - width), width, access->value);
        break;
    case 1:
        value = pci_host_port_ops.read(host, access->offset & 7, width);
        break;
    case 2:
        pci_host_ecam_ops.write(host, 0x8000 | (access->offset & 0xfff), width, access->value);
        break;
    case 3:
        value = pci_host_ecam_ops.read(host, access->offset | (access->value & 0xff) << 16, width);
        break;
    case 4:
    case 5:
        (void)pci_device_bar_write(&transport->pci, bar, access->offset, width, access->value);
        break;
    case 6:
        (void)pci_device_bar_read(&transport->pci, bar, access->offset, width, &value);
        break;
    case 7:
        (void)pci_host_bar_write(host, access->offset & 1, access->value, width, ~0u);
        break;
    case 8:
        virtio_pci_raise_intx(transport, access->offset);
        break;
    default:
        virtio_pci_set_needs_reset(transport);
        is_running = false;
        break;
    }
    if (width < 8 && access->what % 10 == 1 && value >> (8 * width) != 0)
        abort(); // a read is never wider than it was asked
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static const uint8_t config_space[60];
    static struct pci_host host;
    static struct virtio_pci transport;
    const struct virtio_pci_config config = {
        VIRTIO_TYPE_BLOCK, 3, 256, 60, VIRTIO_F_VERSION_1 | 0xff, config_space, true};
    struct access access;

    is_running = false;
    bells[0] = bells[1] = 0;
    pci_host_init(&host, NULL, NULL);
    if (virtio_pci_init(&transport, &config, &backend_ops, NULL) ||
        pci_host_add(&host, &transport.pci, 1))
        abort();
    for (; size_bytes >= 12; bytes += 12, size_bytes -= 12) {
        access.what = bytes[0];
        access.width_shift = bytes[1];
        memcpy(&access.offset, bytes + 2, 2);
        memcpy(&access.value, bytes + 4, 8);
        make_access(&host, &transport, &access);
    }
    return 0;
}
