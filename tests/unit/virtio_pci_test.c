// The virtio PCI transport, driven as a guest's driver would and as it must not.

#include "tests/test.h"
#include "vmm/pci/pci_host.h"
#include "vmm/virtio/virtio_pci.h"

#define MEMORY_BASE UINT64_C(0xe0000000) // where assignment puts the configuration BAR
#define COMMON      MEMORY_BASE
#define ISR         (MEMORY_BASE + VIRTIO_PCI_ISR_OFFSET)
#define DEVICE      (MEMORY_BASE + VIRTIO_PCI_DEVICE_OFFSET)
#define MSIX        (MEMORY_BASE + VIRTIO_PCI_MSIX_OFFSET)
#define NOTIFY      (MEMORY_BASE + VIRTIO_PCI_CONFIG_BAR_BYTES)
#define QUEUES      3u
#define OFFERED     (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | 0x20)
#define READY_BITS  (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER)

static struct pci_host host;
static struct virtio_pci transport;
static bool line_level;

static struct {
    unsigned reset_count, ready_count, notify_count, raise_config_count, queue_start_count;
    unsigned config_write_count, route_count, bell_count;
    uint64_t features;
    unsigned last_queue;
    struct virtqueue_layout layouts[QUEUES];
    uint32_t config_offset;
    uint8_t config_bytes[8];
    size_t config_size;
    struct virtio_route routes[QUEUES + 1];
    uint64_t io_bell, memory_bell;
    mx_status_t queue_start_status, ready_status;
} seen;

static void backend_reset(void *context)
{
    (void)context;
    seen.reset_count++;
}

static mx_status_t backend_queue_start(void *context, unsigned queue_index,
                                       const struct virtqueue_layout *layout)
{
    (void)context;
    EXPECT_EQ(seen.ready_count, 0u); // queues come first
    seen.queue_start_count++;
    seen.layouts[queue_index] = *layout;
    return seen.queue_start_status;
}

static mx_status_t backend_ready(void *context, uint64_t features)
{
    (void)context;
    seen.ready_count++;
    seen.features = features;
    return seen.ready_status;
}

static void backend_queue_notify(void *context, unsigned queue_index)
{
    (void)context;
    seen.notify_count++;
    seen.last_queue = queue_index;
}

static void backend_config_write(void *context, uint32_t offset, const void *bytes,
                                 size_t size_bytes)
{
    (void)context;
    seen.config_write_count++;
    seen.config_offset = offset;
    seen.config_size = size_bytes;
    memcpy(seen.config_bytes, bytes, size_bytes);
}

static void backend_route(void *context, uint16_t source, const struct virtio_route *route)
{
    (void)context;
    seen.route_count++;
    seen.routes[source == VIRTIO_SOURCE_CONFIG ? QUEUES : source] = *route;
}

static void backend_raise_config(void *context)
{
    (void)context;
    seen.raise_config_count++;
}

static void backend_bell_moved(void *context, bool is_io, bool is_mapped, uint64_t address)
{
    (void)context;
    EXPECT_EQ(is_mapped, address != 0);
    seen.bell_count++;
    *(is_io ? &seen.io_bell : &seen.memory_bell) = address;
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

static void set_line(void *context, unsigned input, bool level)
{
    (void)context;
    (void)input;
    line_level = level;
}

static void build(void)
{
    static const uint8_t config_space[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const struct virtio_pci_config config = {VIRTIO_TYPE_BLOCK, QUEUES,       256, 12,
                                             OFFERED,           config_space, true};
    struct pci_window io = {0xc000, 0xd000}, memory = {MEMORY_BASE, 0xf0000000};

    memset(&seen, 0, sizeof(seen));
    line_level = false;
    pci_host_init(&host, NULL, NULL);
    EXPECT_OK(virtio_pci_init(&transport, &config, &backend_ops, NULL));
    pci_device_set_intx(&transport.pci, (struct irq_line){.set = set_line}, 11);
    EXPECT_OK(pci_host_add(&host, &transport.pci, 1));
    EXPECT_OK(pci_host_assign_bars(&host, &io, &memory));
}

static uint64_t get(uint64_t address, unsigned width_bytes)
{
    uint64_t value = 0x5555;
    EXPECT_TRUE(pci_host_bar_read(&host, false, address, width_bytes, &value));
    return value;
}

static void put(uint64_t address, unsigned width_bytes, uint64_t value)
{
    EXPECT_TRUE(pci_host_bar_write(&host, false, address, width_bytes, value));
}

static uint8_t status(void)
{
    return (uint8_t)get(COMMON + 0x14, 1);
}

static void negotiate(uint64_t features)
{
    put(COMMON + 0x14, 1, VIRTIO_STATUS_ACKNOWLEDGE);
    put(COMMON + 0x14, 1, READY_BITS);
    for (unsigned half = 0; half < 2; half++) {
        put(COMMON + 0x08, 4, half);
        put(COMMON + 0x0c, 4, (uint32_t)(features >> (32 * half)));
    }
    put(COMMON + 0x14, 1, READY_BITS | VIRTIO_STATUS_FEATURES_OK);
}

static void set_up_queue(unsigned index)
{
    put(COMMON + 0x16, 2, index);
    put(COMMON + 0x18, 2, 128);
    put(COMMON + 0x20, 4, 0x1000 * (index + 1));
    put(COMMON + 0x24, 4, 1);
    put(COMMON + 0x28, 8, UINT64_C(0x200000000) + index);
    put(COMMON + 0x30, 4, 0x9000);
    put(COMMON + 0x1c, 2, 1);
}

static void set_driver_ok(void)
{
    put(COMMON + 0x14, 1, READY_BITS | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
}

static void bring_up(void)
{
    build();
    negotiate(OFFERED);
    set_up_queue(0);
    set_up_queue(2);
    set_driver_ok();
}

static void enable_msix(void)
{
    pci_device_config_write(&transport.pci, transport.pci.msix.capability_offset + 2, 2,
                            PCI_MSIX_ENABLE);
}

static void program_vector(unsigned vector, uint32_t data)
{
    put(MSIX + 16 * vector, 4, 0xfee00000);
    put(MSIX + 16 * vector + 4, 4, 0);
    put(MSIX + 16 * vector + 8, 4, data);
    put(MSIX + 16 * vector + 12, 4, 0);
}

TEST(virtio_pci_identity)
{
    build();
    EXPECT_EQ(pci_device_config_read(&transport.pci, 0, 4), 0x10421af4u);
    EXPECT_EQ(pci_device_config_read(&transport.pci, 8, 1), 1u);
    EXPECT_EQ(pci_device_config_read(&transport.pci, 8, 4) >> 16, 0x0180u);
}

// Walks the list; fills `found` with the capabilities' (type, BAR) in order.
static unsigned list_capabilities(uint8_t found[][2], unsigned capacity)
{
    unsigned count = 0;
    unsigned offset = pci_device_config_read(&transport.pci, PCI_CAPABILITIES, 1);
    while (offset != 0 && count < capacity) {
        if (pci_device_config_read(&transport.pci, offset, 1) == PCI_CAPABILITY_VENDOR) {
            found[count][0] = (uint8_t)pci_device_config_read(&transport.pci, offset + 3, 1);
            found[count++][1] = (uint8_t)pci_device_config_read(&transport.pci, offset + 4, 1);
        }
        offset = pci_device_config_read(&transport.pci, offset + 1, 1);
    }
    return count;
}

TEST(virtio_pci_lists_io_notify_before_memory_notify)
{
    uint8_t found[10][2];
    build();
    ASSERT_EQ(list_capabilities(found, 10), 6u);
    EXPECT_EQ(found[3][0], 2);
    EXPECT_EQ(found[3][1], VIRTIO_PCI_BAR_IO_NOTIFY);
    EXPECT_EQ(found[4][0], 2);
    EXPECT_EQ(found[4][1], VIRTIO_PCI_BAR_MEMORY_NOTIFY);
}

TEST(virtio_pci_without_io_bar_has_one_notify)
{
    uint8_t found[10][2];
    const struct virtio_pci_config config = {VIRTIO_TYPE_RNG,    1,    64,   0,
                                             VIRTIO_F_VERSION_1, NULL, false};
    EXPECT_OK(virtio_pci_init(&transport, &config, &backend_ops, NULL));
    ASSERT_EQ(list_capabilities(found, 10), 4u); // and no device configuration
    EXPECT_EQ(found[2][0], 2);
    EXPECT_EQ(found[2][1], VIRTIO_PCI_BAR_MEMORY_NOTIFY);
}

TEST(virtio_pci_bad_descriptions_are_refused)
{
    const struct virtio_pci_config good = {VIRTIO_TYPE_RNG,    1,    64,   0,
                                           VIRTIO_F_VERSION_1, NULL, false};
    struct virtio_pci_config bad[5] = {good, good, good, good, good};
    bad[0].queue_count = 0;
    bad[1].queue_count = VIRTIO_QUEUES_MAX + 1;
    bad[2].queue_size_max = 65;
    bad[3].config_bytes = VIRTIO_CONFIG_BYTES_MAX + 1;
    bad[4].features = 0;
    for (unsigned i = 0; i < 5; i++)
        EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                      virtio_pci_init(&transport, &bad[i], &backend_ops, NULL));
}

TEST(virtio_pci_as_many_queues_as_allowed_fit)
{
    const struct virtio_pci_config config = {
        VIRTIO_TYPE_BLOCK, VIRTIO_QUEUES_MAX, 64, 0, VIRTIO_F_VERSION_1, NULL, true};
    EXPECT_OK(virtio_pci_init(&transport, &config, &backend_ops, NULL));
}

TEST(virtio_pci_offers_features_by_halves)
{
    build();
    EXPECT_EQ(get(COMMON + 4, 4), (uint32_t)OFFERED);
    put(COMMON, 4, 1);
    EXPECT_EQ(get(COMMON + 4, 4), 1u);
    put(COMMON, 4, 2);
    EXPECT_EQ(get(COMMON + 4, 4), 0u);
    EXPECT_EQ(get(COMMON + 0x12, 2), QUEUES);
}

TEST(virtio_pci_brings_device_up)
{
    bring_up();
    EXPECT_EQ(status(), 0x0f);
    EXPECT_EQ(seen.queue_start_count, 2u);
    EXPECT_EQ(seen.ready_count, 1u);
    EXPECT_EQ(seen.features, OFFERED);
    EXPECT_EQ(seen.layouts[2].size, 128);
    EXPECT_EQ(seen.layouts[2].descriptors, UINT64_C(0x100003000));
    EXPECT_EQ(seen.layouts[2].available, UINT64_C(0x200000002));
    EXPECT_EQ(seen.layouts[2].used, 0x9000u);
    EXPECT_EQ(get(COMMON + 0x1c, 2), 1u);
    EXPECT_EQ(get(COMMON + 0x1e, 2), 2u);
    EXPECT_EQ(get(COMMON + 0x20, 8), UINT64_C(0x100003000));
}

TEST(virtio_pci_refuses_features_it_does_not_offer)
{
    build();
    negotiate(OFFERED | 0x40);
    EXPECT_EQ(status(), READY_BITS);
    set_driver_ok();
    EXPECT_TRUE(status() & VIRTIO_STATUS_NEEDS_RESET);
    EXPECT_EQ(seen.ready_count, 0u);
}

TEST(virtio_pci_refuses_legacy_drivers)
{
    build();
    negotiate(OFFERED & ~VIRTIO_F_VERSION_1);
    EXPECT_EQ(status(), READY_BITS);
}

TEST(virtio_pci_driver_ok_needs_features_ok)
{
    build();
    put(COMMON + 0x14, 1, READY_BITS);
    put(COMMON + 0x14, 1, READY_BITS | VIRTIO_STATUS_DRIVER_OK);
    EXPECT_EQ(status(), READY_BITS | VIRTIO_STATUS_NEEDS_RESET);
    EXPECT_EQ(seen.ready_count, 0u);
}

TEST(virtio_pci_status_bits_cannot_be_taken_back)
{
    build();
    negotiate(OFFERED);
    put(COMMON + 0x14, 1, READY_BITS);
    EXPECT_TRUE(status() & VIRTIO_STATUS_NEEDS_RESET);
}

TEST(virtio_pci_features_are_fixed_after_features_ok)
{
    build();
    negotiate(OFFERED);
    put(COMMON + 0x0c, 4, 0);
    EXPECT_TRUE(status() & VIRTIO_STATUS_NEEDS_RESET);
}

TEST(virtio_pci_queue_registers_are_fixed_once_enabled)
{
    static const struct {
        unsigned offset, width_bytes;
    } registers[] = {{0x18, 2}, {0x1c, 2}, {0x20, 4}, {0x24, 4}, {0x28, 4},
                     {0x2c, 4}, {0x30, 4}, {0x34, 4}, {0x20, 8}};
    for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        build();
        negotiate(OFFERED);
        set_up_queue(0);
        EXPECT_EQ(status(), READY_BITS | VIRTIO_STATUS_FEATURES_OK);
        put(COMMON + registers[i].offset, registers[i].width_bytes, 1);
        EXPECT_TRUE(status() & VIRTIO_STATUS_NEEDS_RESET);
        EXPECT_EQ(seen.reset_count, 0u); // nothing runs yet
    }
}

TEST(virtio_pci_queue_register_after_start_stops_the_device)
{
    bring_up();
    put(COMMON + 0x16, 2, 1); // a queue that was not enabled
    put(COMMON + 0x1c, 2, 1);
    EXPECT_TRUE(status() & VIRTIO_STATUS_NEEDS_RESET);
    EXPECT_EQ(seen.reset_count, 1u);
    EXPECT_EQ(get(ISR, 1), 2u); // a change of the configuration
    put(NOTIFY, 2, 0);
    EXPECT_EQ(seen.notify_count, 0u);
    EXPECT_EQ(seen.queue_start_count, 2u);
}

TEST(virtio_pci_bad_queue_sizes_stop_the_device)
{
    static const uint16_t sizes[] = {0, 3, 512, 65535};
    for (unsigned i = 0; i < 4; i++) {
        build();
        negotiate(OFFERED);
        EXPECT_EQ(get(COMMON + 0x18, 2), 256u);
        put(COMMON + 0x18, 2, sizes[i]);
        EXPECT_TRUE(status() & VIRTIO_STATUS_NEEDS_RESET);
    }
}

TEST(virtio_pci_absent_queue_reads_zero)
{
    build();
    negotiate(OFFERED);
    put(COMMON + 0x16, 2, QUEUES);
    EXPECT_EQ(get(COMMON + 0x18, 2), 0u);
    EXPECT_EQ(get(COMMON + 0x1a, 2), 0u);
    put(COMMON + 0x1c, 2, 1);
    put(COMMON + 0x16, 2, 0xffff);
    put(COMMON + 0x20, 4, 1);
    EXPECT_FALSE(status() & VIRTIO_STATUS_NEEDS_RESET);
}

TEST(virtio_pci_reset_by_zero_starts_over)
{
    bring_up();
    virtio_pci_raise_intx(&transport, 0);
    put(COMMON + 0x14, 1, 0);
    EXPECT_EQ(status(), 0);
    EXPECT_EQ(seen.reset_count, 1u);
    EXPECT_FALSE(line_level);
    EXPECT_EQ(get(COMMON + 0x18, 2), 256u);
    EXPECT_EQ(get(COMMON + 0x1c, 2), 0u);
    seen.ready_count = 0;
    negotiate(VIRTIO_F_VERSION_1);
    set_up_queue(0);
    set_driver_ok();
    EXPECT_EQ(status(), 0x0f);
    EXPECT_EQ(seen.features, VIRTIO_F_VERSION_1);
}

TEST(virtio_pci_back_end_refusal_needs_reset)
{
    build();
    negotiate(OFFERED);
    set_up_queue(0);
    set_up_queue(1);
    seen.queue_start_status = MX_ERR_INVALID_ARGS;
    set_driver_ok();
    EXPECT_TRUE(status() & VIRTIO_STATUS_NEEDS_RESET);
    EXPECT_EQ(seen.queue_start_count, 1u);
    EXPECT_EQ(seen.ready_count, 0u);
    EXPECT_TRUE(line_level);
}

TEST(virtio_pci_intx_sets_isr_until_read)
{
    bring_up();
    virtio_pci_raise_intx(&transport, 1);
    EXPECT_TRUE(line_level);
    virtio_pci_raise_intx(&transport, VIRTIO_SOURCE_CONFIG);
    virtio_pci_raise_intx(&transport, QUEUES); // no such source
    EXPECT_EQ(get(ISR, 1), 3u);
    EXPECT_FALSE(line_level);
    EXPECT_EQ(get(ISR, 1), 0u);
}

TEST(virtio_pci_intx_raised_before_a_reset_is_dropped_after_it)
{
    bring_up();
    put(COMMON + 0x14, 1, 0);
    virtio_pci_raise_intx(&transport, 0);
    virtio_pci_raise_intx(&transport, VIRTIO_SOURCE_CONFIG);
    EXPECT_FALSE(line_level);
    EXPECT_EQ(get(ISR, 1), 0u);
}

TEST(virtio_pci_failure_told_after_a_reset_leaves_status_zero)
{
    bring_up();
    put(COMMON + 0x14, 1, 0);
    virtio_pci_set_needs_reset(&transport);
    EXPECT_EQ(status(), 0);
    EXPECT_EQ(seen.reset_count, 1u);
}

TEST(virtio_pci_routes_follow_vectors_and_masks)
{
    build();
    EXPECT_EQ(get(COMMON + 0x1a, 2), VIRTIO_PCI_NO_VECTOR);
    put(COMMON + 0x1a, 2, 1);
    EXPECT_EQ(seen.route_count, 0u); // MSI-X is off
    enable_msix();
    EXPECT_EQ(seen.route_count, QUEUES + 1);
    EXPECT_EQ(seen.routes[0].kind, VIRTIO_ROUTE_MASKED);
    EXPECT_EQ(seen.routes[1].kind, VIRTIO_ROUTE_NONE);
    program_vector(1, 0x41);
    EXPECT_EQ(seen.routes[0].kind, VIRTIO_ROUTE_MSI);
    EXPECT_EQ(seen.routes[0].address, 0xfee00000u);
    EXPECT_EQ(seen.routes[0].data, 0x41u);
    put(COMMON + 0x10, 2, 1); // shared with the configuration
    EXPECT_EQ(seen.routes[QUEUES].kind, VIRTIO_ROUTE_MSI);
    put(MSIX + 16 + 12, 4, 1);
    EXPECT_EQ(seen.routes[0].kind, VIRTIO_ROUTE_MASKED);
    EXPECT_EQ(seen.routes[QUEUES].kind, VIRTIO_ROUTE_MASKED);
    const unsigned before = seen.route_count;
    put(MSIX + 16 + 12, 4, 1);
    EXPECT_EQ(seen.route_count, before); // nothing changed
    put(COMMON + 0x14, 1, 0);
    EXPECT_EQ(seen.routes[0].kind, VIRTIO_ROUTE_NONE);
}

TEST(virtio_pci_absent_vector_reads_back_as_none)
{
    build();
    put(COMMON + 0x1a, 2, QUEUES + 1);
    EXPECT_EQ(get(COMMON + 0x1a, 2), VIRTIO_PCI_NO_VECTOR);
    put(COMMON + 0x10, 2, QUEUES);
    EXPECT_EQ(get(COMMON + 0x10, 2), QUEUES);
}

TEST(virtio_pci_masked_vector_becomes_pending)
{
    bring_up();
    put(COMMON + 0x16, 2, 0);
    put(COMMON + 0x1a, 2, 2);
    enable_msix();
    virtio_pci_raise_intx(&transport, 0);
    EXPECT_FALSE(line_level);
    EXPECT_EQ(get(MEMORY_BASE + VIRTIO_PCI_PBA_OFFSET, 8), 4u);
    program_vector(2, 1);
    EXPECT_EQ(get(MEMORY_BASE + VIRTIO_PCI_PBA_OFFSET, 8), 0u);
}

TEST(virtio_pci_needs_reset_is_told_by_msi)
{
    bring_up();
    enable_msix();
    virtio_pci_set_needs_reset(&transport);
    virtio_pci_set_needs_reset(&transport);
    EXPECT_EQ(seen.raise_config_count, 1u);
    EXPECT_EQ(seen.reset_count, 1u);
}

TEST(virtio_pci_device_configuration_is_bounded)
{
    bring_up();
    EXPECT_EQ(get(DEVICE, 4), 0x04030201u);
    EXPECT_EQ(get(DEVICE + 11, 1), 12u);
    EXPECT_EQ(get(DEVICE + 10, 4), 0u);
    EXPECT_EQ(get(DEVICE + 0xff8, 8), 0u);
    put(DEVICE + 10, 4, 1);
    EXPECT_EQ(seen.config_write_count, 0u);
    put(DEVICE + 4, 2, 0xabcd);
    EXPECT_EQ(seen.config_offset, 4u);
    EXPECT_EQ(seen.config_size, 2u);
    EXPECT_BYTES_EQ(seen.config_bytes, "\xcd\xab", 2);
}

TEST(virtio_pci_generation_counts_config_changes)
{
    static const uint8_t config[12] = {9};
    build();
    const uint64_t before = get(COMMON + 0x15, 1);
    EXPECT_OK(virtio_pci_set_config(&transport, config, 12));
    EXPECT_NE(get(COMMON + 0x15, 1), before);
    EXPECT_EQ(get(DEVICE, 4), 9u);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, virtio_pci_set_config(&transport, config, 11));
}

TEST(virtio_pci_doorbells_that_no_trap_caught)
{
    bring_up();
    put(NOTIFY + 8, 2, 2);
    EXPECT_EQ(seen.notify_count, 1u);
    EXPECT_EQ(seen.last_queue, 2u);
    EXPECT_TRUE(pci_host_bar_write(&host, true, 0xc000, 2, 0));
    EXPECT_EQ(seen.notify_count, 2u);
    put(NOTIFY + 4, 2, 1);  // not enabled
    put(NOTIFY + 2, 2, 0);  // between two queues
    put(NOTIFY + 12, 2, 3); // beyond the last
    EXPECT_EQ(seen.notify_count, 2u);
}

TEST(virtio_pci_tells_where_the_bells_are)
{
    build();
    EXPECT_EQ(seen.io_bell, 0xc000u);
    EXPECT_EQ(seen.memory_bell, NOTIFY);
    pci_device_config_write(&transport.pci, PCI_BAR0 + 16, 4, 0xe8000000);
    EXPECT_EQ(seen.memory_bell, 0xe8000000u);
    pci_device_config_write(&transport.pci, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    EXPECT_EQ(seen.io_bell, 0u);
}

static void set_window(uint8_t bar, uint32_t offset, uint32_t length)
{
    pci_device_config_write(&transport.pci, transport.access_window + 4, 1, bar);
    pci_device_config_write(&transport.pci, transport.access_window + 8, 4, offset);
    pci_device_config_write(&transport.pci, transport.access_window + 12, 4, length);
}

TEST(virtio_pci_access_window_reaches_the_bars)
{
    build();
    const unsigned data = transport.access_window + 16;
    set_window(VIRTIO_PCI_BAR_CONFIG, 0x12, 2);
    EXPECT_EQ(pci_device_config_read(&transport.pci, data, 2), QUEUES);
    set_window(VIRTIO_PCI_BAR_CONFIG, 0x14, 1);
    pci_device_config_write(&transport.pci, data, 1, READY_BITS);
    EXPECT_EQ(status(), READY_BITS);
}

TEST(virtio_pci_access_window_hides_config_when_it_is_written)
{
    build();
    pci_device_config_write(&transport.pci, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    EXPECT_FALSE(transport.pci.is_config_hidden);
    set_window(VIRTIO_PCI_BAR_CONFIG, 0x14, 1);
    EXPECT_TRUE(transport.pci.is_config_hidden);
}

TEST(virtio_pci_access_window_refuses_bad_places)
{
    build();
    const unsigned data = transport.access_window + 16;
    put(COMMON + 0x14, 1, READY_BITS);
    set_window(VIRTIO_PCI_BAR_CONFIG, 0x14, 8);
    pci_device_config_write(&transport.pci, data, 4, 0);
    set_window(VIRTIO_PCI_BAR_CONFIG, UINT32_MAX, 1);
    pci_device_config_write(&transport.pci, data, 4, 0);
    set_window(200, 0x14, 1);
    pci_device_config_write(&transport.pci, data, 4, 0);
    set_window(VIRTIO_PCI_BAR_CONFIG + 1, 0x14, 1); // the upper half of another
    pci_device_config_write(&transport.pci, data, 4, 0);
    EXPECT_EQ(status(), READY_BITS);
}

TEST(virtio_pci_odd_register_accesses_do_nothing)
{
    bring_up();
    EXPECT_EQ(get(COMMON + 0x14, 4), 0u);
    EXPECT_EQ(get(COMMON + 0x15, 2), 0u);
    put(COMMON + 0x14, 4, 0);
    put(COMMON + 0x10, 8, 0);
    put(COMMON + 0x38, 4, UINT32_MAX);
    EXPECT_EQ(status(), 0x0f);
}
