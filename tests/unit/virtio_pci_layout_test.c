// Where a virtio device says that its structures are.
#include "user/drivers/portable/virtio_pci_layout.h"

#include "tests/test.h"
#include "tests/unit/pci_fixture.h"

static struct pci_config config;
static struct fake_function *function;
static const uint64_t bar_bytes[PCI_BAR_COUNT] = {[4] = 0x4000};
static struct virtio_pci_layout layout;

static void add(uint32_t at, uint32_t next, uint32_t type, uint32_t bar, uint32_t offset,
                uint32_t size)
{
    uint32_t length = type == VIRTIO_PCI_NOTIFY ? 20 : 16;

    function->words[at / 4] = PCI_CAPABILITY_VENDOR | next << 8 | length << 16 | type << 24;
    function->words[at / 4 + 1] = bar;
    function->words[at / 4 + 2] = offset;
    function->words[at / 4 + 3] = size;
    if (type == VIRTIO_PCI_NOTIFY)
        function->words[at / 4 + 4] = 4;
}

static void start(void)
{
    (void)fake_access;
    fake_function_count = 1;
    function = &fake_functions[0];
    *function = (struct fake_function){.bus = 0};
    function->words[1] = 0x10u << 16;
    function->words[0x34 / 4] = 0x40;
    fake_open(NULL, 0, 0, &config);
    add(0x40, 0x54, VIRTIO_PCI_NOTIFY, 4, 0x3000, 0x1000);
    add(0x54, 0x64, VIRTIO_PCI_COMMON, 4, 0, 0x38);
    add(0x64, 0, VIRTIO_PCI_DEVICE, 4, 0x2000, 0x1000);
}

TEST(structures_are_found)
{
    start();
    ASSERT_TRUE(virtio_pci_read_layout(&config, bar_bytes, &layout));
    EXPECT_EQ(layout.places[VIRTIO_PCI_NOTIFY].offset, 0x3000u);
    EXPECT_EQ(layout.places[VIRTIO_PCI_COMMON].size_bytes, 0x38u);
    EXPECT_EQ(layout.notify_multiplier, 4u);
    EXPECT_EQ(layout.places[VIRTIO_PCI_ISR].size_bytes, 0u);
}

TEST(structures_outside_their_registers_are_absent)
{
    start();
    add(0x54, 0x64, VIRTIO_PCI_COMMON, 4, 0x3fd0, 0x38);
    EXPECT_FALSE(virtio_pci_read_layout(&config, bar_bytes, &layout));
    add(0x54, 0x64, VIRTIO_PCI_COMMON, 4, 0xfffffff0, 0x38);
    EXPECT_FALSE(virtio_pci_read_layout(&config, bar_bytes, &layout));
    add(0x54, 0x64, VIRTIO_PCI_COMMON, 6, 0, 0x38);
    EXPECT_FALSE(virtio_pci_read_layout(&config, bar_bytes, &layout));
    add(0x54, 0x64, VIRTIO_PCI_COMMON, 1, 0, 0x38); // no such registers
    EXPECT_FALSE(virtio_pci_read_layout(&config, bar_bytes, &layout));
    add(0x54, 0x64, VIRTIO_PCI_COMMON, 4, 0, 0x30); // too short
    EXPECT_FALSE(virtio_pci_read_layout(&config, bar_bytes, &layout));
    add(0x54, 0x64, VIRTIO_PCI_COMMON, 4, 2, 0x38); // misaligned
    EXPECT_FALSE(virtio_pci_read_layout(&config, bar_bytes, &layout));
    add(0x54, 0x64, VIRTIO_PCI_COMMON, 4, 0, 0x38);
    EXPECT_TRUE(virtio_pci_read_layout(&config, bar_bytes, &layout));
}

TEST(of_two_structures_of_a_kind_the_first_counts)
{
    start();
    add(0x64, 0, VIRTIO_PCI_COMMON, 4, 0x1000, 0x38);
    ASSERT_TRUE(virtio_pci_read_layout(&config, bar_bytes, &layout));
    EXPECT_EQ(layout.places[VIRTIO_PCI_COMMON].offset, 0u);
}
