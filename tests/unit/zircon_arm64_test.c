// Zircon boot images on arm64: what lies where in the guest, what the kernel is told, and images
// that are refused. What both architectures share is in zircon_x86_test.c.
#include "boot/zbi_items.h"
#include "tests/unit/arm64_boot_fixture.h"
#include "tests/unit/zircon_fixture.h"
#include "vmm/arm64/fdt_tree.h"
#include "vmm/loader/zircon_drivers.h"

#define ENTRY        UINT64_C(0x60)
#define KERNEL_BYTES (UINT64_C(64) + 16 + ZIRCON_CODE_BYTES + ZIRCON_RESERVE_BYTES)

static void set_up_zircon(void)
{
    set_up();
    request.kernel = (struct boot_blob){zircon_file, zircon_make(ZBI_TYPE_KERNEL_ARM64, ENTRY)};
}

static const void *find(uint32_t type, uint32_t extra, size_t payload_bytes)
{
    return zircon_find(ram + state.data.start, state.data.size_bytes, type, extra, payload_bytes);
}

static const void *find_driver(uint32_t driver, size_t payload_bytes)
{
    return find(ZBI_TYPE_KERNEL_DRIVER, driver, payload_bytes);
}

static const struct zbi_cpu_cluster *clusters_of(const struct zbi_cpu_config *config)
{
    return (const struct zbi_cpu_cluster *)(config + 1);
}

TEST(kernel_is_entered_at_its_offset_with_its_data)
{
    set_up_zircon();
    ASSERT_OK(load());
    EXPECT_EQ(state.kernel.start, ARM64_LOAD_BASE);
    EXPECT_EQ(state.kernel.start % 0x10000, 0u);
    EXPECT_EQ(state.kernel.size_bytes, KERNEL_BYTES);
    EXPECT_EQ(state.pc, ARM64_LOAD_BASE + ENTRY);
    EXPECT_BYTES_EQ(ram + state.kernel.start, zircon_file, 64 + 16 + ZIRCON_CODE_BYTES);
    EXPECT_EQ(state.x0, (ARM64_LOAD_BASE + KERNEL_BYTES + 0xfff) & ~UINT64_C(0xfff));
    EXPECT_EQ(state.x0, state.data.start);
    zircon_check_items(ram + state.data.start, state.data.size_bytes, "console=ttyAMA0");
}

TEST(kernel_is_told_memory_and_cpus)
{
    set_up_zircon();
    ASSERT_OK(load());
    const struct zbi_memory_config *memory_ranges = find(ZBI_TYPE_MEM_CONFIG, 0, 2 * 24);
    ASSERT_TRUE(memory_ranges != NULL);
    EXPECT_EQ(memory_ranges[0].base, 0u);
    EXPECT_EQ(memory_ranges[0].size_bytes, RAM_BYTES);
    EXPECT_EQ(memory_ranges[0].type, (uint32_t)ZBI_MEMORY_CONFIG_RAM);
    EXPECT_EQ(memory_ranges[1].base, ARM64_GICD_BASE);
    EXPECT_EQ(memory_ranges[1].base + memory_ranges[1].size_bytes, ARM64_PL061_BASE + 0x1000);
    EXPECT_EQ(memory_ranges[1].type, (uint32_t)ZBI_MEMORY_CONFIG_PERIPHERAL);
    const struct zbi_cpu_config *cpus = find(ZBI_TYPE_CPU_CONFIG, 0, 32);
    ASSERT_TRUE(cpus != NULL);
    EXPECT_EQ(cpus->cluster_count, 1u);
    EXPECT_EQ(clusters_of(cpus)[0].cpu_count, 2u);
}

TEST(clusters_are_as_the_affinities_are)
{
    set_up_zircon();
    machine.cpu_count = 35;
    ASSERT_OK(load());
    const struct zbi_cpu_config *cpus = find(ZBI_TYPE_CPU_CONFIG, 0, 16 + 3 * 16);
    ASSERT_TRUE(cpus != NULL);
    EXPECT_EQ(cpus->cluster_count, 3u);
    EXPECT_EQ(clusters_of(cpus)[1].cpu_count, 16u);
    EXPECT_EQ(clusters_of(cpus)[2].cpu_count, 3u);
    EXPECT_EQ(arm64_vcpu_affinity(34), 2u << 8 | 2);
}

// A kernel that knows one range of RAM takes the last.
TEST(high_memory_is_told_before_the_low)
{
    set_up_zircon();
    machine.high_ram_bytes = 0x40000000;
    ASSERT_OK(load());
    const struct zbi_memory_config *memory_ranges = find(ZBI_TYPE_MEM_CONFIG, 0, 3 * 24);
    ASSERT_TRUE(memory_ranges != NULL);
    EXPECT_EQ(memory_ranges[0].base, ARM64_HIGH_RAM_BASE);
    EXPECT_EQ(memory_ranges[0].size_bytes, 0x40000000u);
    EXPECT_EQ(memory_ranges[1].base, 0u);
}

TEST(kernel_is_told_its_devices_and_its_board)
{
    set_up_zircon();
    ASSERT_OK(load());
    const struct zircon_driver_pl011 *uart = find_driver(ZBI_DRIVER_PL011, 16);
    const struct zircon_driver_psci *psci = find_driver(ZBI_DRIVER_PSCI, 104);
    const struct zircon_driver_timer *timer = find_driver(ZBI_DRIVER_TIMER, 16);
    const struct zbi_platform_id *platform = find(ZBI_TYPE_PLATFORM_ID, 0, 40);
    ASSERT_TRUE(uart && psci && timer && platform);
    EXPECT_EQ(uart->base, ARM64_PL011_BASE);
    EXPECT_EQ(uart->irq, ARM64_IRQ_PL011);
    EXPECT_EQ(psci->uses_hvc, 1);
    EXPECT_EQ(timer->irq_physical, 30u);
    EXPECT_EQ(timer->irq_virtual, 27u);
    EXPECT_EQ(platform->vendor, 3u);
    EXPECT_EQ(platform->product, 2u);
    EXPECT_STR_EQ(platform->board, "machina");
}

TEST(kernel_is_told_of_the_gic_that_there_is)
{
    set_up_zircon();
    ASSERT_OK(load());
    const struct zircon_driver_gicv3 *v3 = find_driver(ZBI_DRIVER_GICV3, 48);
    ASSERT_TRUE(v3 != NULL);
    EXPECT_TRUE(find_driver(ZBI_DRIVER_GICV2, 56) == NULL);
    EXPECT_EQ(v3->base + v3->gicd_offset, ARM64_GICD_BASE);
    EXPECT_EQ(v3->base + v3->gicr_offset, ARM64_GICR_BASE);
    EXPECT_EQ(v3->gicr_stride, ARM64_GICR_BYTES);
    set_up_zircon();
    machine.gic = DEVICE_TREE_GICV2;
    ASSERT_OK(load());
    const struct zircon_driver_gicv2 *v2 = find_driver(ZBI_DRIVER_GICV2, 56);
    ASSERT_TRUE(v2 != NULL);
    EXPECT_TRUE(find_driver(ZBI_DRIVER_GICV3, 48) == NULL);
    EXPECT_EQ(v2->base + v2->gicc_offset, ARM64_GICC_BASE);
    EXPECT_EQ(v2->msi_frame, ARM64_GICV2M_BASE);
}

TEST(device_tree_is_an_item_without_the_command_line)
{
    static struct fdt_tree tree;
    static uint8_t copy[1 << 16];
    struct fdt_node *root = NULL;
    struct zbi_item item;
    const char *problem;

    set_up_zircon();
    ASSERT_OK(load());
    ASSERT_TRUE(
        zbi_find(ram + state.data.start, state.data.size_bytes, ZBI_TYPE_DEVICETREE, &item));
    ASSERT_TRUE(item.size_bytes <= sizeof(copy));
    memcpy(copy, item.payload, item.size_bytes);
    ASSERT_OK(fdt_tree_parse(&tree, copy, item.size_bytes, &root, &problem));
    const struct fdt_node *chosen = fdt_tree_find_path(root, "/chosen", 7);
    ASSERT_TRUE(chosen != NULL);
    EXPECT_TRUE(fdt_tree_find_property(chosen, "stdout-path") != NULL);
    EXPECT_TRUE(fdt_tree_find_property(chosen, "bootargs") == NULL);
}

TEST(wrong_images_are_refused)
{
    set_up_zircon();
    request.kernel.size_bytes -= 1;
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "offset 0x4: the container is longer than the data");
    set_up_zircon();
    request.kernel.size_bytes = zircon_make(ZBI_TYPE_KERNEL_X64, 0x100058);
    expect_refused(MX_ERR_NOT_SUPPORTED, "for x64; this host runs guests for arm64");
    request.kernel.size_bytes = zircon_make(ZBI_TYPE_KERNEL_ARM64, 0x4f);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "the entry 0x4f is not in the kernel");
    request.kernel.size_bytes = zircon_make(ZBI_TYPE_KERNEL_ARM64, UINT64_MAX);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "is not in the kernel");
    set_up_zircon();
    request.low_ram.size_bytes = KERNEL_BYTES + 0x3000;
    expect_refused(MX_ERR_NO_MEMORY, "bytes of items do not fit");
    set_up_zircon();
    request.kernel_kind = BOOT_KERNEL_LINUX;
    expect_refused(MX_ERR_INVALID_ARGS, "linux: this is a Zircon boot image");
    set_up();
    request.kernel_kind = BOOT_KERNEL_ZIRCON;
    expect_refused(MX_ERR_INVALID_ARGS, "zircon: this is no Zircon boot image");
}
