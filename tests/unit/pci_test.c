// PCI functions and the host bridge, as a guest sees them.

#include "tests/test.h"
#include "vmm/pci/pci_host.h"

static struct pci_host host;
static struct pci_device device;
static unsigned move_count, moved_slot, moved_bar;
static bool moved_is_mapped;
static uint64_t moved_address;
static uint64_t last_offset, last_value;
static unsigned msix_change_count;
static uint32_t msix_changed_vector;
static bool line_level;

static void note_bar_moved(void *context, unsigned slot, unsigned bar_index, bool is_mapped,
                           uint64_t address)
{
    (void)context;
    move_count++;
    moved_slot = slot;
    moved_bar = bar_index;
    moved_is_mapped = is_mapped;
    moved_address = address;
}

static void note_msix_changed(void *context, uint32_t vector)
{
    (void)context;
    msix_change_count++;
    msix_changed_vector = vector;
}

static uint64_t bar_read(void *context, uint64_t offset, unsigned width_bytes)
{
    (void)context;
    return offset << 8 | width_bytes;
}

static void bar_write(void *context, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    (void)context;
    (void)width_bytes;
    last_offset = offset;
    last_value = value;
}

static void set_line(void *context, unsigned input, bool level)
{
    (void)context;
    (void)input;
    line_level = level;
}

static unsigned hidden_count, hidden_slot;

static void note_config_hidden(void *context, unsigned slot)
{
    (void)context;
    hidden_count++;
    hidden_slot = slot;
}

static const struct pci_host_ops host_ops = {.bar_moved = note_bar_moved,
                                             .config_hidden = note_config_hidden};
static const struct pci_device_ops device_ops_table = {.msix_changed = note_msix_changed};
static const struct device_ops bar_ops = {.read = bar_read, .write = bar_write};
static const struct pci_identity identity = {0x1af4, 0x1042, 0x1af4, 0x1042, 1, 0x018000};

#define IO_BAR       0u
#define MEMORY32_BAR 1u
#define MEMORY64_BAR 2u

static void build(void)
{
    unsigned offset;
    move_count = msix_change_count = 0;
    pci_host_init(&host, &host_ops, NULL);
    pci_device_init(&device, &identity, &device_ops_table, NULL);
    EXPECT_OK(pci_device_add_bar(&device, IO_BAR, PCI_BAR_IO, 32, &bar_ops));
    EXPECT_OK(pci_device_add_bar(&device, MEMORY32_BAR, PCI_BAR_MEMORY32, 0x1000, &bar_ops));
    EXPECT_OK(pci_device_add_bar(&device, MEMORY64_BAR, PCI_BAR_MEMORY64, 0x4000, &bar_ops));
    EXPECT_OK(pci_device_add_capability(&device, PCI_CAPABILITY_VENDOR, "abc", 3, &offset));
    EXPECT_EQ(offset, 0x40u);
    EXPECT_OK(pci_device_add_msix(&device, 4, MEMORY64_BAR, 0x3000, MEMORY64_BAR, 0x3800));
    pci_device_set_intx(&device, (struct irq_line){.set = set_line}, 11);
    EXPECT_OK(pci_host_add(&host, &device, 3));
}

static uint32_t port_read(unsigned offset, unsigned width_bytes)
{
    return (uint32_t)pci_host_port_ops.read(&host, offset, width_bytes);
}

static void port_write(unsigned offset, unsigned width_bytes, uint32_t value)
{
    pci_host_port_ops.write(&host, offset, width_bytes, value);
}

static uint32_t config_read(unsigned slot, unsigned offset, unsigned width_bytes)
{
    port_write(0, 4, 0x80000000u | slot << 11 | (offset & 0xfc));
    return port_read(4 + (offset & 3), width_bytes);
}

static void config_write(unsigned slot, unsigned offset, unsigned width_bytes, uint32_t value)
{
    port_write(0, 4, 0x80000000u | slot << 11 | (offset & 0xfc));
    port_write(4 + (offset & 3), width_bytes, value);
}

// What the guest sees without an access is what an access would read.
TEST(pci_device_shown_config_follows_writes_and_interrupts)
{
    uint8_t page[PCI_CONFIG_BYTES];

    build();
    pci_device_show_config(&device, page);
    EXPECT_EQ(page[0x3c], 11);
    config_write(3, PCI_BAR0 + 4 * MEMORY32_BAR, 4, 0xffffffff);
    for (unsigned offset = 0; offset < PCI_CONFIG_BYTES; offset += 4) {
        uint32_t shown;
        memcpy(&shown, page + offset, 4);
        EXPECT_EQ(shown, config_read(3, offset, 4));
    }
    EXPECT_EQ(page[PCI_BAR0 + 4 * MEMORY32_BAR + 1], 0xf0);
    pci_device_set_intx_level(&device, true);
    EXPECT_TRUE(page[PCI_STATUS] & PCI_STATUS_INTERRUPT);
    pci_device_set_intx_level(&device, false);
    EXPECT_FALSE(page[PCI_STATUS] & PCI_STATUS_INTERRUPT);
}

TEST(pci_device_hides_config_once)
{
    hidden_count = 0;
    build();
    pci_device_hide_config(&device);
    pci_device_hide_config(&device);
    EXPECT_EQ(hidden_count, 1u);
    EXPECT_EQ(hidden_slot, 3u);
}

TEST(pci_device_read_config_register)
{
    build();
    EXPECT_EQ(config_read(0, 0, 4), 0x29c08086u);
    EXPECT_EQ(config_read(3, 0, 4), 0x10421af4u);
    EXPECT_EQ(config_read(3, 8, 4), 0x01800001u);
    EXPECT_EQ(config_read(3, 0x2c, 4), 0x10421af4u);
    EXPECT_EQ(config_read(3, 0x3c, 2), 0x010bu);
}

TEST(pci_device_read_config_register_bytewise)
{
    build();
    EXPECT_EQ(config_read(3, 0, 1), 0xf4u);
    EXPECT_EQ(config_read(3, 1, 1), 0x1au);
    EXPECT_EQ(config_read(3, 2, 2), 0x1042u);
    EXPECT_EQ(config_read(3, 3, 1), 0x10u);
}

TEST(pci_read_only_registers_ignore_writes)
{
    build();
    config_write(3, 0, 4, 0);
    config_write(3, 8, 4, UINT32_MAX);
    config_write(3, 0x34, 4, UINT32_MAX);
    config_write(3, 0x40, 4, UINT32_MAX);
    EXPECT_EQ(config_read(3, 0, 4), 0x10421af4u);
    EXPECT_EQ(config_read(3, 8, 4), 0x01800001u);
    EXPECT_EQ(config_read(3, 0x34, 4), 0x40u);
}

TEST(pci_device_read_bar_size)
{
    build();
    for (unsigned bar = 0; bar < 6; bar++)
        config_write(3, PCI_BAR0 + 4 * bar, 4, UINT32_MAX);
    EXPECT_EQ(config_read(3, 0x10, 4), 0xffffffe1u);
    EXPECT_EQ(config_read(3, 0x14, 4), 0xfffff000u);
    EXPECT_EQ(config_read(3, 0x18, 4), 0xffffc004u);
    EXPECT_EQ(config_read(3, 0x1c, 4), 0xffffffffu);
    EXPECT_EQ(config_read(3, 0x20, 4), 0u);
    EXPECT_EQ(move_count, 0u);
}

TEST(pci_bar_sizing_while_decoding_unmaps)
{
    build();
    config_write(3, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    config_write(3, 0x14, 4, 0xe0000000);
    EXPECT_TRUE(moved_is_mapped);
    config_write(3, 0x14, 4, UINT32_MAX);
    EXPECT_FALSE(moved_is_mapped);
    EXPECT_EQ(move_count, 2u);
}

TEST(pci_bar_move_is_reported_once)
{
    build();
    config_write(3, 0x18, 4, 0xe0001234);
    config_write(3, 0x1c, 4, 0x8);
    EXPECT_EQ(move_count, 0u);
    config_write(3, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    EXPECT_EQ(move_count, 1u);
    EXPECT_EQ(moved_slot, 3u);
    EXPECT_EQ(moved_bar, MEMORY64_BAR);
    EXPECT_EQ(moved_address, UINT64_C(0x8e0000000));
    config_write(3, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
    EXPECT_EQ(move_count, 1u);
    config_write(3, PCI_COMMAND, 1, 0);
    EXPECT_EQ(move_count, 2u);
    EXPECT_FALSE(moved_is_mapped);
}

TEST(pci_io_bar_beyond_port_space_is_not_decoded)
{
    build();
    config_write(3, PCI_COMMAND, 2, PCI_COMMAND_IO);
    config_write(3, 0x10, 4, 0x10000);
    EXPECT_EQ(move_count, 0u);
    config_write(3, 0x10, 4, 0xffe0);
    EXPECT_EQ(move_count, 1u);
    EXPECT_EQ(moved_address, 0xffe0u);
}

TEST(pci_device_read_cap_basic_and_chained)
{
    build();
    EXPECT_TRUE(config_read(3, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES);
    EXPECT_EQ(config_read(3, PCI_CAPABILITIES, 1), 0x40u);
    EXPECT_EQ(config_read(3, 0x40, 4), 0x62614809u); // id 9, next 0x48, "ab"
    EXPECT_EQ(config_read(3, 0x44, 1), (uint32_t)'c');
    EXPECT_EQ(config_read(3, 0x48, 4), 0x00030011u); // last, four vectors
    EXPECT_EQ(config_read(3, 0x4c, 4), 0x3002u);
    EXPECT_EQ(config_read(3, 0x50, 4), 0x3802u);
}

TEST(pci_capabilities_that_do_not_fit_are_refused)
{
    uint8_t body[100] = {0};
    unsigned offset;
    build();
    EXPECT_OK(pci_device_add_capability(&device, 9, body, sizeof(body), &offset));
    EXPECT_STATUS(MX_ERR_NO_SPACE,
                  pci_device_add_capability(&device, 9, body, sizeof(body), &offset));
}

TEST(pci_bad_bars_are_refused)
{
    build();
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, pci_device_add_bar(&device, 3, PCI_BAR_IO, 32, &bar_ops));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, pci_device_add_bar(&device, 0, PCI_BAR_IO, 32, &bar_ops));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, pci_device_add_bar(&device, 4, PCI_BAR_IO, 48, &bar_ops));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  pci_device_add_bar(&device, 5, PCI_BAR_MEMORY64, 0x1000, &bar_ops));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, pci_device_add_bar(&device, 6, PCI_BAR_IO, 32, &bar_ops));
}

TEST(pci_bus_config_address_port)
{
    build();
    port_write(0, 4, UINT32_MAX);
    EXPECT_EQ(port_read(0, 4), 0x80fffffcu);
    port_write(0, 2, 0); // only dwords reach the register
    port_write(1, 1, 0x6);
    EXPECT_EQ(port_read(0, 4), 0x80fffffcu);
    EXPECT_EQ(port_read(1, 1), 0xffu);
    port_write(0, 4, 0);
    EXPECT_EQ(port_read(0, 4), 0u);
}

TEST(pci_bus_config_data_port_needs_enable_bit)
{
    build();
    port_write(0, 4, 3u << 11);
    EXPECT_EQ(port_read(4, 4), UINT32_MAX);
    port_write(0, 4, 0x80000000u | 3u << 11);
    EXPECT_EQ(port_read(4, 4), 0x10421af4u);
    EXPECT_EQ(port_read(6, 2), 0x1042u);
}

TEST(pci_absent_slots_functions_and_buses_read_all_ones)
{
    build();
    EXPECT_EQ(config_read(4, 0, 4), UINT32_MAX);
    EXPECT_EQ(config_read(4, 0, 1), 0xffu);
    port_write(0, 4, 0x80000000u | 3u << 11 | 1u << 8);
    EXPECT_EQ(port_read(4, 2), 0xffffu);
    port_write(0, 4, 0x80010000u | 3u << 11);
    EXPECT_EQ(port_read(4, 4), UINT32_MAX);
    EXPECT_EQ(pci_host_ecam_ops.read(&host, 4u << 15, 8), UINT64_MAX);
    EXPECT_EQ(pci_host_ecam_ops.read(&host, UINT64_MAX - 7, 4), UINT32_MAX);
}

TEST(pci_ecam_reaches_same_registers)
{
    build();
    EXPECT_EQ(pci_host_ecam_ops.read(&host, 3u << 15, 4), 0x10421af4u);
    EXPECT_EQ(pci_host_ecam_ops.read(&host, 3u << 15, 8), UINT64_C(0x0010000010421af4));
    EXPECT_EQ(pci_host_ecam_ops.read(&host, (3u << 15) + 0x100, 4), 0u);
    EXPECT_EQ(pci_host_ecam_ops.read(&host, (3u << 15) + 2, 4), UINT32_MAX); // crosses a dword
    pci_host_ecam_ops.write(&host, (3u << 15) + 0x14, 4, 0xe0000000u);
    EXPECT_EQ(config_read(3, 0x14, 4), 0xe0000000u);
}

TEST(pci_bar_accesses_reach_the_device)
{
    uint64_t value = 0;
    build();
    config_write(3, 0x14, 4, 0xe0000000);
    EXPECT_FALSE(pci_host_bar_read(&host, false, 0xe0000010, 4, &value));
    config_write(3, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    EXPECT_TRUE(pci_host_bar_read(&host, false, 0xe0000010, 4, &value));
    EXPECT_EQ(value, 0x1004u);
    EXPECT_TRUE(pci_host_bar_write(&host, false, 0xe0000ff8, 8, 77));
    EXPECT_EQ(last_offset, 0xff8u);
    EXPECT_EQ(last_value, 77u);
    EXPECT_FALSE(pci_host_bar_read(&host, true, 0xe0000010, 4, &value));
    EXPECT_FALSE(pci_host_bar_read(&host, false, 0xe0000ffe, 4, &value)); // half outside
    EXPECT_FALSE(pci_host_bar_read(&host, false, 0xe0001000, 4, &value));
}

TEST(pci_assign_bars_places_and_enables_everything)
{
    struct pci_window io = {0xc000, 0xd000}, memory = {0xe0000800, 0xe0100000};
    uint64_t value;
    build();
    EXPECT_OK(pci_host_assign_bars(&host, &io, &memory));
    EXPECT_EQ(config_read(3, 0x10, 4), 0xc001u);
    EXPECT_EQ(config_read(3, 0x14, 4), 0xe0001000u);
    EXPECT_EQ(config_read(3, 0x18, 4), 0xe0004004u);
    EXPECT_EQ(config_read(3, PCI_COMMAND, 2), PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    EXPECT_TRUE(pci_host_bar_read(&host, true, 0xc01c, 4, &value));
    EXPECT_EQ(move_count, 3u);
}

TEST(pci_assign_bars_reports_full_window)
{
    struct pci_window io = {0xc000, 0xc010}, memory = {0xe0000000, 0xe0100000};
    build();
    EXPECT_STATUS(MX_ERR_NO_SPACE, pci_host_assign_bars(&host, &io, &memory));
}

TEST(pci_slots_are_taken_once)
{
    build();
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, pci_host_add(&host, &device, 0));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, pci_host_add(&host, &device, 3));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, pci_host_add(&host, &device, 32));
}

TEST(pci_intx_follows_disable_bit_and_msix)
{
    build();
    pci_device_set_intx_level(&device, true);
    EXPECT_TRUE(line_level);
    EXPECT_TRUE(config_read(3, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
    config_write(3, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
    EXPECT_FALSE(line_level);
    EXPECT_TRUE(config_read(3, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
    config_write(3, PCI_COMMAND, 2, 0);
    EXPECT_TRUE(line_level);
    config_write(3, 0x4a, 2, PCI_MSIX_ENABLE);
    EXPECT_FALSE(line_level);
}

TEST(pci_msix_table_gives_messages)
{
    struct pci_msix_message message;
    build();
    ASSERT_TRUE(pci_msix_message(&device, 1, &message));
    EXPECT_TRUE(message.is_masked);
    pci_msix_table_write(&device, 16, 8, 0xfee01000);
    pci_msix_table_write(&device, 24, 4, 0x41);
    pci_msix_table_write(&device, 28, 4, 0xfffffffe); // unmask; the other bits do not stick
    ASSERT_TRUE(pci_msix_message(&device, 1, &message));
    EXPECT_FALSE(message.is_masked);
    EXPECT_EQ(message.address, 0xfee01000u);
    EXPECT_EQ(message.data, 0x41u);
    EXPECT_EQ(pci_msix_table_read(&device, 28, 4), 0u);
    EXPECT_EQ(msix_change_count, 3u);
    EXPECT_EQ(msix_changed_vector, 1u);
    config_write(3, 0x4a, 2, PCI_MSIX_ENABLE | PCI_MSIX_FUNCTION_MASK);
    EXPECT_EQ(msix_changed_vector, PCI_MSIX_ALL_VECTORS);
    ASSERT_TRUE(pci_msix_message(&device, 1, &message));
    EXPECT_TRUE(message.is_masked);
    EXPECT_FALSE(pci_msix_message(&device, 4, &message));
}

TEST(pci_msix_table_ignores_odd_accesses)
{
    build();
    pci_msix_table_write(&device, 1, 4, UINT32_MAX);
    pci_msix_table_write(&device, 0, 2, UINT32_MAX);
    pci_msix_table_write(&device, 64, 4, UINT32_MAX);
    pci_msix_table_write(&device, UINT64_MAX - 3, 4, UINT32_MAX);
    EXPECT_EQ(msix_change_count, 0u);
    EXPECT_EQ(pci_msix_table_read(&device, 0, 8), 0u);
    EXPECT_EQ(pci_msix_table_read(&device, 60, 8), 0u);
}

TEST(pci_msix_pending_bits)
{
    build();
    pci_msix_set_pending(&device, 3, true);
    pci_msix_set_pending(&device, 4, true);
    EXPECT_EQ(pci_msix_pending_read(&device, 0, 8), 8u);
    pci_msix_set_pending(&device, 3, false);
    EXPECT_EQ(pci_msix_pending_read(&device, 0, 8), 0u);
}

TEST(pci_reset_unmaps_and_masks)
{
    struct pci_window io = {0xc000, 0xd000}, memory = {0xe0000000, 0xe0100000};
    build();
    EXPECT_OK(pci_host_assign_bars(&host, &io, &memory));
    config_write(3, 0x4a, 2, PCI_MSIX_ENABLE);
    pci_device_set_intx_level(&device, true);
    pci_host_reset(&host);
    EXPECT_EQ(config_read(3, PCI_COMMAND, 2), 0u);
    EXPECT_EQ(config_read(3, 0x14, 4), 0u);
    EXPECT_EQ(config_read(3, PCI_INTERRUPT_LINE, 1), 11u);
    EXPECT_FALSE(pci_msix_is_enabled(&device));
    EXPECT_FALSE(moved_is_mapped);
    EXPECT_FALSE(line_level);
}
