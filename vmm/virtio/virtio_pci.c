// Virtio PCI transport: see virtio_pci.h.

#include "vmm/virtio/virtio_pci.h"

#include <string.h>

#define VENDOR_ID          0x1af4u
#define DEVICE_ID_BASE     0x1040u
#define ISR_QUEUE          1u
#define ISR_CONFIG         2u
#define ACCESS_WINDOW_DATA 16u // offset of pci_cfg_data in its capability

#define DRIVER_STATUS_BITS                                                        \
    (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK | \
     VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_FAILED)

// cfg_type of struct virtio_pci_cap, 4.1.4.
enum capability_type {
    CAPABILITY_COMMON = 1,
    CAPABILITY_NOTIFY = 2,
    CAPABILITY_ISR = 3,
    CAPABILITY_DEVICE = 4,
    CAPABILITY_PCI = 5,
};

// struct virtio_pci_cap behind its first two bytes, with what follows it in the notify (the
// multiplier) and PCI access (the data) capabilities.
struct capability_body {
    uint8_t length;
    uint8_t type;
    uint8_t bar;
    uint8_t id;
    uint8_t padding[2];
    uint32_t offset;
    uint32_t size_bytes;
    uint32_t extra;
} __attribute__((packed));
_Static_assert(sizeof(struct capability_body) == 18, "virtio 1.2, 4.1.4");

// struct virtio_pci_common_cfg, 4.1.4.3. The 64-bit fields are accessed by halves (4.1.3.1).
enum common_register {
    DEVICE_FEATURE_SELECT,
    DEVICE_FEATURE,
    DRIVER_FEATURE_SELECT,
    DRIVER_FEATURE,
    CONFIG_MSIX_VECTOR,
    NUM_QUEUES,
    DEVICE_STATUS,
    CONFIG_GENERATION,
    QUEUE_SELECT,
    QUEUE_SIZE,
    QUEUE_MSIX_VECTOR,
    QUEUE_ENABLE,
    QUEUE_NOTIFY_OFF,
    QUEUE_DESC_LOW,
    QUEUE_DESC_HIGH,
    QUEUE_DRIVER_LOW,
    QUEUE_DRIVER_HIGH,
    QUEUE_DEVICE_LOW,
    QUEUE_DEVICE_HIGH,
    COMMON_REGISTER_COUNT,
};

static const struct {
    uint8_t offset;
    uint8_t width_bytes;
} common_registers[COMMON_REGISTER_COUNT] = {
    [DEVICE_FEATURE_SELECT] = {0x00, 4}, [DEVICE_FEATURE] = {0x04, 4},
    [DRIVER_FEATURE_SELECT] = {0x08, 4}, [DRIVER_FEATURE] = {0x0c, 4},
    [CONFIG_MSIX_VECTOR] = {0x10, 2},    [NUM_QUEUES] = {0x12, 2},
    [DEVICE_STATUS] = {0x14, 1},         [CONFIG_GENERATION] = {0x15, 1},
    [QUEUE_SELECT] = {0x16, 2},          [QUEUE_SIZE] = {0x18, 2},
    [QUEUE_MSIX_VECTOR] = {0x1a, 2},     [QUEUE_ENABLE] = {0x1c, 2},
    [QUEUE_NOTIFY_OFF] = {0x1e, 2},      [QUEUE_DESC_LOW] = {0x20, 4},
    [QUEUE_DESC_HIGH] = {0x24, 4},       [QUEUE_DRIVER_LOW] = {0x28, 4},
    [QUEUE_DRIVER_HIGH] = {0x2c, 4},     [QUEUE_DEVICE_LOW] = {0x30, 4},
    [QUEUE_DEVICE_HIGH] = {0x34, 4},
};
#define COMMON_BYTES 0x38u

static bool has_started(const struct virtio_pci *transport)
{
    return (transport->status & VIRTIO_STATUS_DRIVER_OK) != 0;
}

// --- interrupts
// -------------------------------------------------------------------------------------

static unsigned route_index(const struct virtio_pci *transport, uint16_t source)
{
    return source < transport->queue_count ? source : transport->queue_count;
}

static uint16_t vector_of(const struct virtio_pci *transport, uint16_t source)
{
    return source < transport->queue_count ? transport->queues[source].msix_vector
                                           : transport->config_vector;
}

static struct virtio_route route_of(const struct virtio_pci *transport, uint16_t source)
{
    struct virtio_route route = {.kind = VIRTIO_ROUTE_INTX};
    struct pci_msix_message message;

    if (!pci_msix_is_enabled(&transport->pci))
        return route;
    route.kind = VIRTIO_ROUTE_NONE;
    if (!pci_msix_message(&transport->pci, vector_of(transport, source), &message))
        return route;
    route.kind = VIRTIO_ROUTE_MASKED;
    if (message.is_masked)
        return route;
    return (struct virtio_route){VIRTIO_ROUTE_MSI, message.data, message.address};
}

static void update_route(struct virtio_pci *transport, uint16_t source)
{
    struct virtio_route *known = &transport->routes[route_index(transport, source)];
    const struct virtio_route route = route_of(transport, source);

    if (route.kind == known->kind && route.address == known->address && route.data == known->data)
        return;
    *known = route;
    // What was pending is delivered by whoever holds the interrupt, now that it knows the route.
    if (route.kind == VIRTIO_ROUTE_MSI)
        pci_msix_set_pending(&transport->pci, vector_of(transport, source), false);
    transport->ops->route_interrupt(transport->context, source, &route);
}

static void update_routes(struct virtio_pci *transport)
{
    for (uint16_t i = 0; i < transport->queue_count; i++)
        update_route(transport, i);
    update_route(transport, VIRTIO_SOURCE_CONFIG);
}

static void transport_msix_changed(void *context, uint32_t vector)
{
    struct virtio_pci *transport = context;

    if (vector == PCI_MSIX_ALL_VECTORS) {
        update_routes(transport);
        return;
    }
    for (uint16_t i = 0; i < transport->queue_count; i++) {
        if (transport->queues[i].msix_vector == vector)
            update_route(transport, i);
    }
    if (transport->config_vector == vector)
        update_route(transport, VIRTIO_SOURCE_CONFIG);
}

void virtio_pci_raise_intx(struct virtio_pci *transport, uint16_t source)
{
    // What was raised before a reset may come after it, when nobody is there to read the ISR.
    if ((source >= transport->queue_count && source != VIRTIO_SOURCE_CONFIG) ||
        !has_started(transport))
        return;
    if (pci_msix_is_enabled(&transport->pci)) {
        if (route_of(transport, source).kind == VIRTIO_ROUTE_MASKED)
            pci_msix_set_pending(&transport->pci, vector_of(transport, source), true);
        return;
    }
    transport->isr |= source == VIRTIO_SOURCE_CONFIG ? ISR_CONFIG : ISR_QUEUE;
    pci_device_set_intx_level(&transport->pci, true);
}

static uint8_t read_and_clear_isr(struct virtio_pci *transport)
{
    const uint8_t isr = transport->isr;

    transport->isr = 0;
    pci_device_set_intx_level(&transport->pci, false);
    return isr;
}

// --- state machine
// ----------------------------------------------------------------------------------

static bool needs_reset(const struct virtio_pci *transport)
{
    return (transport->status & VIRTIO_STATUS_NEEDS_RESET) != 0;
}

static void set_needs_reset(struct virtio_pci *transport)
{
    if (needs_reset(transport))
        return;
    transport->status |= VIRTIO_STATUS_NEEDS_RESET;
    if (!has_started(transport))
        return;
    transport->ops->reset(transport->context);
    if (pci_msix_is_enabled(&transport->pci))
        transport->ops->raise_config(transport->context);
    else
        virtio_pci_raise_intx(transport, VIRTIO_SOURCE_CONFIG);
}

// What became of the device before a reset may be told after it, while the driver waits for a
// status of zero.
void virtio_pci_set_needs_reset(struct virtio_pci *transport)
{
    if (has_started(transport))
        set_needs_reset(transport);
}

// Everything but the configuration space, which the device process owns.
static void clear_state(struct virtio_pci *transport)
{
    transport->driver_features = 0;
    transport->device_feature_select = transport->driver_feature_select = 0;
    transport->queue_select = 0;
    transport->status = 0;
    transport->config_vector = VIRTIO_PCI_NO_VECTOR;
    for (unsigned i = 0; i < transport->queue_count; i++) {
        transport->queues[i] = (struct virtio_pci_queue){
            .layout = {.size = transport->queue_size_max},
            .msix_vector = VIRTIO_PCI_NO_VECTOR,
        };
    }
}

void virtio_pci_reset(struct virtio_pci *transport)
{
    transport->ops->reset(transport->context);
    clear_state(transport);
    read_and_clear_isr(transport);
    update_routes(transport);
}

static bool features_are_acceptable(const struct virtio_pci *transport)
{
    return (transport->driver_features & ~transport->device_features) == 0 &&
           (transport->driver_features & VIRTIO_F_VERSION_1) != 0;
}

static void start_device(struct virtio_pci *transport)
{
    mx_status_t status = MX_OK;

    for (unsigned i = 0; i < transport->queue_count && status == MX_OK; i++) {
        const struct virtio_pci_queue *queue = &transport->queues[i];
        if (queue->is_enabled)
            status = transport->ops->queue_start(transport->context, i, &queue->layout);
    }
    if (status == MX_OK)
        status = transport->ops->ready(transport->context, transport->driver_features);
    if (status != MX_OK)
        set_needs_reset(transport);
}

// 2.1 and 3.1.1. FEATURES_OK is refused by not being set, any other step out of order stops the
// device.
static void write_status(struct virtio_pci *transport, uint8_t value)
{
    const uint8_t before = transport->status;
    uint8_t added = value & (uint8_t)~before & DRIVER_STATUS_BITS;

    if (value == 0) {
        virtio_pci_reset(transport);
        return;
    }
    if (needs_reset(transport))
        return;
    if ((before & DRIVER_STATUS_BITS & (uint8_t)~value) != 0) {
        set_needs_reset(transport);
        return;
    }
    if ((added & VIRTIO_STATUS_FEATURES_OK) &&
        (!(value & VIRTIO_STATUS_DRIVER) || !features_are_acceptable(transport)))
        added &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
    if ((added & VIRTIO_STATUS_DRIVER_OK) && !((before | added) & VIRTIO_STATUS_FEATURES_OK)) {
        set_needs_reset(transport);
        return;
    }
    transport->status |= added;
    if (added & VIRTIO_STATUS_DRIVER_OK)
        start_device(transport);
}

static void write_driver_feature(struct virtio_pci *transport, uint32_t value)
{
    const uint32_t select = transport->driver_feature_select;

    if (transport->status & VIRTIO_STATUS_FEATURES_OK) {
        set_needs_reset(transport);
        return;
    }
    if (select < 2) {
        const unsigned shift = 32 * select;
        transport->driver_features &= ~((uint64_t)UINT32_MAX << shift);
        transport->driver_features |= (uint64_t)value << shift;
    }
}

// --- queue registers
// --------------------------------------------------------------------------------

static void set_half(uint64_t *field, bool is_high, uint32_t value)
{
    const unsigned shift = is_high ? 32 : 0;
    *field = (*field & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

static bool queue_size_is_valid(const struct virtio_pci *transport, uint32_t size)
{
    return size != 0 && size <= transport->queue_size_max && (size & (size - 1)) == 0;
}

// One that says how a queue lies in memory, all of which are fixed once the queue is enabled
// (4.1.4.3.2).
static void write_queue_layout(struct virtio_pci *transport, struct virtio_pci_queue *queue,
                               enum common_register which, uint32_t value)
{
    struct virtqueue_layout *layout = &queue->layout;

    if (queue->is_enabled || has_started(transport) ||
        (which == QUEUE_SIZE && !queue_size_is_valid(transport, value)) ||
        (which == QUEUE_ENABLE && value != 1)) {
        set_needs_reset(transport);
        return;
    }
    if (which == QUEUE_SIZE)
        layout->size = (uint16_t)value;
    else if (which == QUEUE_ENABLE)
        queue->is_enabled = true;
    else if (which == QUEUE_DESC_LOW || which == QUEUE_DESC_HIGH)
        set_half(&layout->descriptors, which == QUEUE_DESC_HIGH, value);
    else if (which == QUEUE_DRIVER_LOW || which == QUEUE_DRIVER_HIGH)
        set_half(&layout->available, which == QUEUE_DRIVER_HIGH, value);
    else
        set_half(&layout->used, which == QUEUE_DEVICE_HIGH, value);
}

// A vector that does not exist reads back as none (4.1.5.1.2.1).
static uint16_t usable_vector(const struct virtio_pci *transport, uint32_t vector)
{
    return vector < transport->pci.msix.vector_count ? (uint16_t)vector : VIRTIO_PCI_NO_VECTOR;
}

static struct virtio_pci_queue *selected_queue(struct virtio_pci *transport)
{
    if (transport->queue_select >= transport->queue_count)
        return NULL;
    return &transport->queues[transport->queue_select];
}

static void write_queue_register(struct virtio_pci *transport, enum common_register which,
                                 uint32_t value)
{
    struct virtio_pci_queue *queue = selected_queue(transport);

    if (!queue || needs_reset(transport))
        return;
    if (which == QUEUE_MSIX_VECTOR) {
        queue->msix_vector = usable_vector(transport, value);
        update_route(transport, transport->queue_select);
        return;
    }
    write_queue_layout(transport, queue, which, value);
}

// A queue that does not exist reads zero throughout.
static uint32_t read_queue_register(struct virtio_pci *transport, enum common_register which)
{
    const struct virtio_pci_queue *queue = selected_queue(transport);
    const unsigned high = 32;

    if (!queue)
        return 0;
    const struct virtqueue_layout *layout = &queue->layout;
    switch ((unsigned)which) {
    case QUEUE_SIZE:
        return layout->size;
    case QUEUE_MSIX_VECTOR:
        return queue->msix_vector;
    case QUEUE_ENABLE:
        return queue->is_enabled;
    case QUEUE_NOTIFY_OFF:
        return transport->queue_select;
    case QUEUE_DESC_LOW:
        return (uint32_t)layout->descriptors;
    case QUEUE_DESC_HIGH:
        return (uint32_t)(layout->descriptors >> high);
    case QUEUE_DRIVER_LOW:
        return (uint32_t)layout->available;
    case QUEUE_DRIVER_HIGH:
        return (uint32_t)(layout->available >> high);
    case QUEUE_DEVICE_LOW:
        return (uint32_t)layout->used;
    case QUEUE_DEVICE_HIGH:
        return (uint32_t)(layout->used >> high);
    default:
        return 0;
    }
}

// --- common configuration
// ---------------------------------------------------------------------------

// The register at exactly this place and width, or COMMON_REGISTER_COUNT.
static enum common_register find_register(uint64_t offset, unsigned width_bytes)
{
    unsigned which = 0;
    while (which < COMMON_REGISTER_COUNT && (common_registers[which].offset != offset ||
                                             common_registers[which].width_bytes != width_bytes))
        which++;
    return (enum common_register)which;
}

static uint32_t read_common(struct virtio_pci *transport, enum common_register which)
{
    switch ((unsigned)which) {
    case DEVICE_FEATURE_SELECT:
        return transport->device_feature_select;
    case DEVICE_FEATURE:
        if (transport->device_feature_select >= 2)
            return 0;
        return (uint32_t)(transport->device_features >> (32 * transport->device_feature_select));
    case DRIVER_FEATURE_SELECT:
        return transport->driver_feature_select;
    case DRIVER_FEATURE:
        if (transport->driver_feature_select >= 2)
            return 0;
        return (uint32_t)(transport->driver_features >> (32 * transport->driver_feature_select));
    case CONFIG_MSIX_VECTOR:
        return transport->config_vector;
    case NUM_QUEUES:
        return transport->queue_count;
    case DEVICE_STATUS:
        return transport->status;
    case CONFIG_GENERATION:
        return transport->config_generation;
    case QUEUE_SELECT:
        return transport->queue_select;
    case COMMON_REGISTER_COUNT:
        return 0;
    default:
        return read_queue_register(transport, which);
    }
}

static void write_common(struct virtio_pci *transport, enum common_register which, uint32_t value)
{
    switch ((unsigned)which) {
    case DEVICE_FEATURE_SELECT:
        transport->device_feature_select = value;
        return;
    case DRIVER_FEATURE_SELECT:
        transport->driver_feature_select = value;
        return;
    case DRIVER_FEATURE:
        write_driver_feature(transport, value);
        return;
    case CONFIG_MSIX_VECTOR:
        transport->config_vector = usable_vector(transport, value);
        update_route(transport, VIRTIO_SOURCE_CONFIG);
        return;
    case DEVICE_STATUS:
        write_status(transport, (uint8_t)value);
        return;
    case QUEUE_SELECT:
        transport->queue_select = (uint16_t)value;
        return;
    case DEVICE_FEATURE:
    case NUM_QUEUES:
    case CONFIG_GENERATION:
    case QUEUE_NOTIFY_OFF:
    case COMMON_REGISTER_COUNT:
        return; // read-only, or no register
    default:
        write_queue_register(transport, which, value);
    }
}

static uint64_t common_read(struct virtio_pci *transport, uint64_t offset, unsigned width_bytes)
{
    if (width_bytes == 8)
        return read_common(transport, find_register(offset, 4)) |
               (uint64_t)read_common(transport, find_register(offset + 4, 4)) << 32;
    return read_common(transport, find_register(offset, width_bytes));
}

static void common_write(struct virtio_pci *transport, uint64_t offset, unsigned width_bytes,
                         uint64_t value)
{
    if (width_bytes == 8) {
        write_common(transport, find_register(offset, 4), (uint32_t)value);
        write_common(transport, find_register(offset + 4, 4), (uint32_t)(value >> 32));
        return;
    }
    write_common(transport, find_register(offset, width_bytes), (uint32_t)value);
}

// --- device configuration
// ---------------------------------------------------------------------------

static bool config_contains(const struct virtio_pci *transport, uint64_t offset,
                            unsigned width_bytes)
{
    return offset < transport->config_bytes && width_bytes <= transport->config_bytes - offset;
}

static uint64_t config_read(const struct virtio_pci *transport, uint64_t offset,
                            unsigned width_bytes)
{
    uint64_t value = 0;
    if (config_contains(transport, offset, width_bytes))
        memcpy(&value, &transport->config[offset], width_bytes);
    return value;
}

static void config_write(struct virtio_pci *transport, uint64_t offset, unsigned width_bytes,
                         uint64_t value)
{
    if (config_contains(transport, offset, width_bytes) && !needs_reset(transport))
        transport->ops->config_write(transport->context, (uint32_t)offset, &value, width_bytes);
}

mx_status_t virtio_pci_set_config(struct virtio_pci *transport, const uint8_t *config,
                                  size_t config_bytes)
{
    if (config_bytes != transport->config_bytes)
        return MX_ERR_INVALID_ARGS;
    memcpy(transport->config, config, config_bytes);
    transport->config_generation++;
    return MX_OK;
}

// --- BARs
// -------------------------------------------------------------------------------------------

static uint64_t config_bar_read(void *context, uint64_t offset, unsigned width_bytes)
{
    struct virtio_pci *transport = context;
    const uint64_t inside = offset & (VIRTIO_PCI_PAGE_BYTES - 1);

    switch (offset - inside) {
    case VIRTIO_PCI_COMMON_OFFSET:
        return common_read(transport, inside, width_bytes);
    case VIRTIO_PCI_ISR_OFFSET:
        return inside == 0 ? read_and_clear_isr(transport) : 0;
    case VIRTIO_PCI_DEVICE_OFFSET:
        return config_read(transport, inside, width_bytes);
    default:
        break;
    }
    if (offset >= VIRTIO_PCI_PBA_OFFSET)
        return pci_msix_pending_read(&transport->pci, offset - VIRTIO_PCI_PBA_OFFSET, width_bytes);
    return pci_msix_table_read(&transport->pci, inside, width_bytes);
}

static void config_bar_write(void *context, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    struct virtio_pci *transport = context;
    const uint64_t inside = offset & (VIRTIO_PCI_PAGE_BYTES - 1);

    switch (offset - inside) {
    case VIRTIO_PCI_COMMON_OFFSET:
        common_write(transport, inside, width_bytes, value);
        return;
    case VIRTIO_PCI_ISR_OFFSET:
        return;
    case VIRTIO_PCI_DEVICE_OFFSET:
        config_write(transport, inside, width_bytes, value);
        return;
    default:
        pci_msix_table_write(&transport->pci, inside, width_bytes, value);
    }
}

static uint64_t notify_bar_read(void *context, uint64_t offset, unsigned width_bytes)
{
    (void)context;
    (void)offset;
    (void)width_bytes;
    return 0;
}

// The place says which queue; the value, which says it too, does not matter.
static void notify_bar_write(void *context, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    struct virtio_pci *transport = context;
    const uint64_t queue_index = offset / VIRTIO_PCI_NOTIFY_STRIDE;

    (void)width_bytes;
    (void)value;
    if (offset % VIRTIO_PCI_NOTIFY_STRIDE == 0 && queue_index < transport->queue_count &&
        transport->queues[queue_index].is_enabled && has_started(transport) &&
        !needs_reset(transport))
        transport->ops->queue_notify(transport->context, (unsigned)queue_index);
}

static const struct device_ops config_bar_ops = {.read = config_bar_read,
                                                 .write = config_bar_write};
static const struct device_ops notify_bar_ops = {.read = notify_bar_read,
                                                 .write = notify_bar_write};

static void transport_bar_moved(void *context, unsigned bar_index, bool is_mapped, uint64_t address)
{
    struct virtio_pci *transport = context;

    if (bar_index != VIRTIO_PCI_BAR_CONFIG)
        transport->ops->bell_moved(transport->context, bar_index == VIRTIO_PCI_BAR_IO_NOTIFY,
                                   is_mapped, address);
}

// --- the access window in config space (4.1.4.9)
// ----------------------------------------------------

// What the driver wrote into the window's fields. False: no access can be made with them.
static bool read_window(const struct virtio_pci *transport, unsigned *bar, uint32_t *offset,
                        unsigned *width_bytes)
{
    const uint8_t *capability = &transport->pci.config[transport->access_window];
    uint32_t length;

    *bar = capability[4];
    memcpy(offset, capability + 8, 4);
    memcpy(&length, capability + 12, 4);
    *width_bytes = length;
    return (length == 1 || length == 2 || length == 4) && *offset % length == 0;
}

static bool touches_window_data(const struct virtio_pci *transport, unsigned offset,
                                unsigned width_bytes)
{
    const unsigned data = transport->access_window + ACCESS_WINDOW_DATA;
    return transport->access_window != 0 && offset < data + 4 && data < offset + width_bytes;
}

// Puts what the BAR holds into the data field, from which the read is then answered.
static bool transport_config_read(void *context, unsigned offset, unsigned width_bytes,
                                  uint32_t *value)
{
    struct virtio_pci *transport = context;
    unsigned bar, access_bytes;
    uint32_t bar_offset;
    uint64_t data = 0;

    (void)value;
    if (touches_window_data(transport, offset, width_bytes) &&
        read_window(transport, &bar, &bar_offset, &access_bytes) &&
        pci_device_bar_read(&transport->pci, bar, bar_offset, access_bytes, &data))
        memcpy(&transport->pci.config[transport->access_window + ACCESS_WINDOW_DATA], &data, 4);
    return false;
}

static bool touches_window(const struct virtio_pci *transport, unsigned offset,
                           unsigned width_bytes)
{
    const unsigned window = transport->access_window;
    return window != 0 && offset < window + ACCESS_WINDOW_DATA + 4 && window < offset + width_bytes;
}

static void transport_config_written(void *context, unsigned offset, unsigned width_bytes)
{
    struct virtio_pci *transport = context;
    unsigned bar, access_bytes;
    uint32_t bar_offset, data;

    if (touches_window(transport, offset, width_bytes))
        pci_device_hide_config(&transport->pci); // reading the window's data has effects now
    if (!touches_window_data(transport, offset, width_bytes) ||
        !read_window(transport, &bar, &bar_offset, &access_bytes))
        return;
    memcpy(&data, &transport->pci.config[transport->access_window + ACCESS_WINDOW_DATA], 4);
    const uint32_t mask = access_bytes == 4 ? UINT32_MAX : (1u << (8 * access_bytes)) - 1;
    // An access outside the BAR has no effect.
    (void)pci_device_bar_write(&transport->pci, bar, bar_offset, access_bytes, data & mask);
}

static const struct pci_device_ops transport_pci_ops = {
    .config_read = transport_config_read,
    .config_written = transport_config_written,
    .bar_moved = transport_bar_moved,
    .msix_changed = transport_msix_changed,
};

// --- building
// ---------------------------------------------------------------------------------------

static mx_status_t add_capability(struct virtio_pci *transport, enum capability_type type,
                                  unsigned bar, uint32_t offset, uint32_t size_bytes)
{
    const bool is_long = type == CAPABILITY_NOTIFY || type == CAPABILITY_PCI;
    const size_t body_bytes = sizeof(struct capability_body) - (is_long ? 0 : 4);
    const struct capability_body body = {
        .length = (uint8_t)(body_bytes + 2),
        .type = (uint8_t)type,
        .bar = (uint8_t)bar,
        .offset = offset,
        .size_bytes = size_bytes,
        .extra = type == CAPABILITY_NOTIFY ? VIRTIO_PCI_NOTIFY_STRIDE : 0,
    };
    unsigned where;

    mx_status_t status = pci_device_add_capability(&transport->pci, PCI_CAPABILITY_VENDOR, &body,
                                                   body_bytes, &where);
    if (status != MX_OK || type != CAPABILITY_PCI)
        return status;
    pci_device_set_writable(&transport->pci, where + 4, 1, 0xff);
    pci_device_set_writable(&transport->pci, where + 8, 4, UINT32_MAX);
    pci_device_set_writable(&transport->pci, where + 12, 4, UINT32_MAX);
    pci_device_set_writable(&transport->pci, where + ACCESS_WINDOW_DATA, 4, UINT32_MAX);
    transport->access_window = where;
    return MX_OK;
}

static uint32_t io_notify_bytes(const struct virtio_pci *transport)
{
    uint32_t size = VIRTIO_PCI_NOTIFY_STRIDE;
    while (size < transport->queue_count * VIRTIO_PCI_NOTIFY_STRIDE)
        size *= 2;
    return size;
}

static mx_status_t add_bars(struct virtio_pci *transport, bool has_io_notify)
{
    struct pci_device *pci = &transport->pci;
    mx_status_t status = MX_OK;

    if (has_io_notify)
        status = pci_device_add_bar(pci, VIRTIO_PCI_BAR_IO_NOTIFY, PCI_BAR_IO,
                                    io_notify_bytes(transport), &notify_bar_ops);
    if (status == MX_OK)
        status = pci_device_add_bar(pci, VIRTIO_PCI_BAR_CONFIG, PCI_BAR_MEMORY64,
                                    VIRTIO_PCI_CONFIG_BAR_BYTES, &config_bar_ops);
    if (status == MX_OK)
        status = pci_device_add_bar(pci, VIRTIO_PCI_BAR_MEMORY_NOTIFY, PCI_BAR_MEMORY64,
                                    VIRTIO_PCI_PAGE_BYTES, &notify_bar_ops);
    return status;
}

// Drivers take the first capability of a type that they can use (4.1.4.1), so the order is a
// preference.
static mx_status_t add_capabilities(struct virtio_pci *transport, bool has_io_notify)
{
    const uint32_t notify_bytes = transport->queue_count * VIRTIO_PCI_NOTIFY_STRIDE;
    const struct {
        enum capability_type type;
        unsigned bar;
        uint32_t offset;
        uint32_t size_bytes;
        bool is_wanted;
    } list[] = {
        {CAPABILITY_COMMON, VIRTIO_PCI_BAR_CONFIG, VIRTIO_PCI_COMMON_OFFSET, COMMON_BYTES, true},
        {CAPABILITY_ISR, VIRTIO_PCI_BAR_CONFIG, VIRTIO_PCI_ISR_OFFSET, 1, true},
        {CAPABILITY_DEVICE, VIRTIO_PCI_BAR_CONFIG, VIRTIO_PCI_DEVICE_OFFSET,
         transport->config_bytes, transport->config_bytes != 0},
        {CAPABILITY_NOTIFY, VIRTIO_PCI_BAR_IO_NOTIFY, 0, notify_bytes, has_io_notify},
        {CAPABILITY_NOTIFY, VIRTIO_PCI_BAR_MEMORY_NOTIFY, 0, notify_bytes, true},
        {CAPABILITY_PCI, 0, 0, 0, true},
    };

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        if (!list[i].is_wanted)
            continue;
        mx_status_t status = add_capability(transport, list[i].type, list[i].bar, list[i].offset,
                                            list[i].size_bytes);
        if (status != MX_OK)
            return status;
    }
    return pci_device_add_msix(&transport->pci, transport->queue_count + 1u, VIRTIO_PCI_BAR_CONFIG,
                               VIRTIO_PCI_MSIX_OFFSET, VIRTIO_PCI_BAR_CONFIG,
                               VIRTIO_PCI_PBA_OFFSET);
}

static uint32_t class_code_of(uint16_t device_type)
{
    switch (device_type) {
    case VIRTIO_TYPE_NET:
        return 0x020000; // Ethernet controller
    case VIRTIO_TYPE_BLOCK:
        return 0x018000; // other mass storage controller
    case VIRTIO_TYPE_CONSOLE:
        return 0x078000; // other communication controller
    default:
        return 0xff0000; // of no class
    }
}

static bool description_is_valid(const struct virtio_pci_config *config)
{
    const uint16_t size = config->queue_size_max;
    return config->queue_count != 0 && config->queue_count <= VIRTIO_QUEUES_MAX && size != 0 &&
           size <= VIRTQUEUE_SIZE_MAX && (size & (size - 1)) == 0 &&
           config->config_bytes <= VIRTIO_CONFIG_BYTES_MAX &&
           (config->features & VIRTIO_F_VERSION_1);
}

mx_status_t virtio_pci_init(struct virtio_pci *transport, const struct virtio_pci_config *config,
                            const struct virtio_pci_backend_ops *ops, void *context)
{
    const struct pci_identity identity = {
        .vendor_id = VENDOR_ID,
        .device_id = (uint16_t)(DEVICE_ID_BASE + config->device_type),
        .subsystem_vendor_id = VENDOR_ID,
        .subsystem_id = (uint16_t)(DEVICE_ID_BASE + config->device_type),
        .revision_id = 1,
        .class_code = class_code_of(config->device_type),
    };

    if (!description_is_valid(config))
        return MX_ERR_INVALID_ARGS;
    memset(transport, 0, sizeof(*transport));
    transport->ops = ops;
    transport->context = context;
    transport->queue_count = config->queue_count;
    transport->queue_size_max = config->queue_size_max;
    transport->config_bytes = config->config_bytes;
    transport->device_features = config->features;
    if (config->config_bytes != 0)
        memcpy(transport->config, config->config, config->config_bytes);
    clear_state(transport);
    pci_device_init(&transport->pci, &identity, &transport_pci_ops, transport);
    mx_status_t status = add_bars(transport, config->has_io_notify);
    return status == MX_OK ? add_capabilities(transport, config->has_io_notify) : status;
}
