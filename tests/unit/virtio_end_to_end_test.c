// A guest's driver, the PCI transport, the control channel's messages and the device host, joined
// as the two processes join them, but by function calls.

#include "tests/test.h"
#include "tests/unit/virtqueue_driver.h"
#include "vmm/pci/pci_host.h"
#include "vmm/virtio/block.h"
#include "vmm/virtio/device_host.h"
#include "vmm/virtio/virtio_pci.h"

#define BARS UINT64_C(0xe0000000)

static struct pci_host bus;
static struct virtio_pci transport;
static struct device_host host;
static struct virtio_block block;
static struct block_backend_memory disk;
static struct virtqueue_driver driver;
static uint8_t bytes[8 * 512];
static bool line_level;

// --- the VMM's side: a request and its answer, and events
// --------------------------------------------

static mx_status_t request(const void *message, size_t size_bytes, enum virtio_message_kind kind,
                           struct virtio_reply *reply)
{
    struct virtio_reply answer;
    device_host_handle_message(&host, message, size_bytes, &answer);
    return virtio_reply_decode(&answer, sizeof(answer), kind, reply);
}

static mx_status_t request_bare(enum virtio_message_kind kind)
{
    const struct virtio_message_header message = virtio_message_header_of(kind);
    struct virtio_reply reply;
    return request(&message, sizeof(message), kind, &reply);
}

static void link_reset(void *context)
{
    (void)context;
    EXPECT_OK(request_bare(VIRTIO_MESSAGE_RESET));
}

static mx_status_t link_queue_start(void *context, unsigned queue_index,
                                    const struct virtqueue_layout *layout)
{
    const struct virtio_message_queue_start message = {
        .header = virtio_message_header_of(VIRTIO_MESSAGE_QUEUE_START),
        .queue_index = (uint16_t)queue_index,
        .size = layout->size,
        .descriptors = layout->descriptors,
        .available = layout->available,
        .used = layout->used,
    };
    struct virtio_reply reply;
    (void)context;
    return request(&message, sizeof(message), VIRTIO_MESSAGE_QUEUE_START, &reply);
}

static mx_status_t link_ready(void *context, uint64_t features)
{
    const struct virtio_message_ready message = {virtio_message_header_of(VIRTIO_MESSAGE_READY),
                                                 features};
    struct virtio_reply reply;
    (void)context;
    return request(&message, sizeof(message), VIRTIO_MESSAGE_READY, &reply);
}

static void link_queue_notify(void *context, unsigned queue_index)
{
    const struct virtio_message_queue_notify message = {
        virtio_message_header_of(VIRTIO_MESSAGE_QUEUE_NOTIFY), queue_index, 0};
    struct virtio_reply reply;
    (void)context;
    EXPECT_OK(request(&message, sizeof(message), VIRTIO_MESSAGE_QUEUE_NOTIFY, &reply));
    device_host_continue(&host);
}

static void link_config_write(void *context, uint32_t offset, const void *data, size_t size_bytes)
{
    (void)context;
    (void)offset;
    (void)data;
    (void)size_bytes;
}

static void link_route(void *context, uint16_t source, const struct virtio_route *route)
{
    (void)context;
    (void)source;
    (void)route;
}

static void link_raise_config(void *context)
{
    (void)context;
    EXPECT_OK(request_bare(VIRTIO_MESSAGE_RAISE_CONFIG));
}

static void link_bell_moved(void *context, bool is_io, bool is_mapped, uint64_t address)
{
    (void)context;
    (void)is_io;
    (void)is_mapped;
    (void)address;
}

static const struct virtio_pci_backend_ops link_ops = {
    .reset = link_reset,
    .queue_start = link_queue_start,
    .ready = link_ready,
    .queue_notify = link_queue_notify,
    .config_write = link_config_write,
    .route_interrupt = link_route,
    .raise_config = link_raise_config,
    .bell_moved = link_bell_moved,
};

// --- the device process' side
// ------------------------------------------------------------------------

static void process_raise(void *context, uint16_t source)
{
    (void)context;
    virtio_pci_raise_intx(&transport, source);
}

static void process_event(void *context, const void *message, size_t size_bytes)
{
    union virtio_message event;
    (void)context;
    EXPECT_OK(virtio_message_decode(message, size_bytes, &event));
    if (event.header.kind == VIRTIO_EVENT_NEEDS_RESET)
        virtio_pci_set_needs_reset(&transport);
}

static const struct device_host_ops process_ops = {process_raise, process_event};

static void set_line(void *context, unsigned input, bool level)
{
    (void)context;
    (void)input;
    line_level = level;
}

// --- the guest's side
// --------------------------------------------------------------------------------

static void put(uint64_t offset, unsigned width_bytes, uint64_t value)
{
    EXPECT_TRUE(pci_host_bar_write(&bus, false, BARS + offset, width_bytes, value));
}

static uint64_t get(uint64_t offset, unsigned width_bytes)
{
    uint64_t value = 0;
    EXPECT_TRUE(pci_host_bar_read(&bus, false, BARS + offset, width_bytes, &value));
    return value;
}

static void build(void)
{
    const struct virtio_block_config config = {&disk.backend, 1, 0, "joined"};
    const struct virtio_message_start start = {virtio_message_header_of(VIRTIO_MESSAGE_START),
                                               VIRTIO_PROTOCOL_VERSION, 0};
    struct pci_window io = {0xc000, 0xd000}, memory = {BARS, 0xf0000000};
    struct virtio_reply reply;

    memset(bytes, 0x42, sizeof(bytes));
    block_backend_memory_init(&disk, bytes, sizeof(bytes), false);
    EXPECT_OK(virtio_block_init(&block, &config));
    driver_init(&driver, 16, NULL, 0);
    device_host_init(&host, &block.device, &driver.memory, &process_ops, NULL);
    ASSERT_OK(request(&start, sizeof(start), VIRTIO_MESSAGE_START, &reply));
    const struct virtio_pci_config description = {
        .device_type = reply.device_type,
        .queue_count = reply.queue_count,
        .queue_size_max = reply.queue_size_max,
        .config_bytes = reply.config_bytes,
        .features = reply.features,
        .config = reply.config,
        .has_io_notify = true,
    };
    pci_host_init(&bus, NULL, NULL);
    ASSERT_OK(virtio_pci_init(&transport, &description, &link_ops, NULL));
    pci_device_set_intx(&transport.pci, (struct irq_line){.set = set_line}, 11);
    ASSERT_OK(pci_host_add(&bus, &transport.pci, 1));
    ASSERT_OK(pci_host_assign_bars(&bus, &io, &memory));
}

// What a driver does from reset to DRIVER_OK.
static void bring_up(void)
{
    put(0x14, 1, 0);
    put(0x14, 1, 3);
    put(0x08, 4, 0);
    put(0x0c, 4, VIRTIO_BLOCK_F_FLUSH | VIRTIO_F_INDIRECT_DESC);
    put(0x08, 4, 1);
    put(0x0c, 4, 1);
    put(0x14, 1, 11);
    put(0x18, 2, driver.layout.size);
    put(0x20, 8, driver.layout.descriptors);
    put(0x28, 8, driver.layout.available);
    put(0x30, 8, driver.layout.used);
    put(0x1c, 2, 1);
    put(0x14, 1, 15);
    EXPECT_EQ(get(0x14, 1), 15u);
}

static void read_a_sector(void)
{
    const uint32_t header[4] = {VIRTIO_BLOCK_IN, 0, 2, 0};
    uint32_t head, written = 0;
    const uint64_t address = driver_allocate(&driver, 513);
    const uint16_t first = driver_add(&driver, driver_place(&driver, header, 16), 16, DRIVER_NEXT);

    driver_add(&driver, address, 513, DRIVER_WRITE);
    driver_offer(&driver, first);
    EXPECT_TRUE(pci_host_bar_write(&bus, true, 0xc000, 2, 0));
    EXPECT_TRUE(line_level);
    EXPECT_EQ(get(VIRTIO_PCI_ISR_OFFSET, 1), 1u);
    EXPECT_FALSE(line_level);
    EXPECT_TRUE(driver_take_used(&driver, &head, &written));
    EXPECT_EQ(written, 513u);
    EXPECT_BYTES_EQ(driver_at(&driver, address), bytes, 512);
}

TEST(virtio_joined_driver_reads_a_sector)
{
    build();
    EXPECT_EQ(get(VIRTIO_PCI_DEVICE_OFFSET, 8), 8u); // capacity
    bring_up();
    read_a_sector();
    driver_destroy(&driver);
}

TEST(virtio_joined_broken_queue_is_seen_and_reset_by_the_driver)
{
    build();
    bring_up();
    driver_offer(&driver, 999);
    EXPECT_TRUE(pci_host_bar_write(&bus, true, 0xc000, 2, 0));
    EXPECT_TRUE(get(0x14, 1) & VIRTIO_STATUS_NEEDS_RESET);
    EXPECT_EQ(get(VIRTIO_PCI_ISR_OFFSET, 1), 2u);
    memset(driver.ram, 0, DRIVER_BUFFERS_OFFSET);
    driver.available_index = driver.used_index = 0;
    bring_up();
    read_a_sector();
    driver_destroy(&driver);
}

TEST(virtio_joined_rings_outside_ram_need_reset)
{
    build();
    put(0x14, 1, 3);
    put(0x08, 4, 1);
    put(0x0c, 4, 1);
    put(0x14, 1, 11);
    put(0x18, 2, 16);
    put(0x1c, 2, 1); // all addresses are zero
    put(0x14, 1, 15);
    EXPECT_TRUE(get(0x14, 1) & VIRTIO_STATUS_NEEDS_RESET);
    driver_destroy(&driver);
}
