// What arm64's start-up reads out of device trees like those of QEMU's virtual machine.
#include "kernel/arch/arm64/portable/machine_tree.h"

#include "tests/test.h"
#include "tests/unit/fdt_builder.h"

#define GIC_PHANDLE   0x8002
#define OTHER_PHANDLE 0x8003

static struct tree tree;
static struct machine machine;

static void start(void)
{
    memset(&tree, 0, sizeof(tree));
    tree_begin(&tree, "");
    tree_cells(&tree, "#address-cells", 2);
    tree_cells(&tree, "#size-cells", 2);
    tree_cells(&tree, "interrupt-parent", GIC_PHANDLE);
}

static void read_tree(void)
{
    const char *reason;
    struct fdt fdt;

    tree_end(&tree);
    tree_finish(&tree);
    EXPECT_OK(fdt_open(&fdt, tree.blob, tree.blob_bytes, &reason));
    machine_tree_read(&fdt, &machine);
}

static void add_gic_v3(void)
{
    tree_begin(&tree, "intc@8000000");
    tree_text(&tree, "compatible", "arm,gic-v3");
    tree_cells(&tree, "phandle", GIC_PHANDLE);
    tree_cells(&tree, "#redistributor-regions", 2);
    tree_cells(&tree, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000, 1, 0, 0, 0x20000);
    tree_cells(&tree, "interrupts", 1, 9, 4);
    tree_end(&tree);
}

static void add_uart(const char *name, uint32_t base, uint32_t spi)
{
    tree_begin(&tree, name);
    tree_property(&tree, "compatible", "arm,pl011\0arm,primecell", 24);
    tree_cells(&tree, "reg", 0, base, 0, 0x1000);
    tree_cells(&tree, "interrupts", 0, spi, 4);
    tree_end(&tree);
}

TEST(memory_and_reservations_are_gathered)
{
    start();
    tree_reserve(&tree, 0x50000000, 0x1000);
    tree_begin(&tree, "memory@40000000");
    tree_text(&tree, "device_type", "memory");
    tree_cells(&tree, "reg", 0, 0x40000000, 0, 0x40000000, 8, 0, 1, 0);
    tree_end(&tree);
    tree_begin(&tree, "memory@1");
    tree_text(&tree, "device_type", "memory");
    tree_text(&tree, "status", "disabled");
    tree_cells(&tree, "reg", 0, 0, 0, 0x1000);
    tree_end(&tree);
    tree_begin(&tree, "reserved-memory");
    tree_cells(&tree, "#address-cells", 2);
    tree_cells(&tree, "#size-cells", 2);
    tree_property(&tree, "ranges", "", 0);
    tree_begin(&tree, "firmware@60000000");
    tree_cells(&tree, "reg", 0, 0x60000000, 0, 0x2000);
    tree_end(&tree);
    tree_end(&tree);
    read_tree();
    ASSERT_EQ(machine.memory_count, 2u);
    EXPECT_EQ(machine.memory[1].base, 0x800000000u);
    EXPECT_EQ(machine.memory[1].size_bytes, 0x100000000u);
    ASSERT_EQ(machine.reserved_count, 2u);
    EXPECT_EQ(machine.reserved[0].base, 0x50000000u);
    EXPECT_EQ(machine.reserved[1].size_bytes, 0x2000u);
}

TEST(cpus_are_counted_by_their_affinity)
{
    start();
    tree_begin(&tree, "cpus");
    tree_cells(&tree, "#address-cells", 1);
    tree_cells(&tree, "#size-cells", 0);
    for (uint32_t i = 0; i < 3; i++) {
        tree_begin(&tree, "cpu@0");
        tree_text(&tree, "device_type", "cpu");
        if (i == 1)
            tree_text(&tree, "status", "fail");
        tree_cells(&tree, "reg", 0x100 * i);
        tree_end(&tree);
    }
    tree_end(&tree);
    tree_begin(&tree, "psci");
    tree_property(&tree, "compatible", "arm,psci-1.0\0arm,psci-0.2", 26);
    tree_text(&tree, "method", "hvc");
    tree_end(&tree);
    read_tree();
    ASSERT_EQ(machine.cpu_count, 2u);
    EXPECT_EQ(machine.cpu_mpidrs[1], 0x200u);
    EXPECT_EQ(machine.conduit, MACHINE_CONDUIT_HVC);
}

TEST(gic_v3_has_all_its_regions)
{
    start();
    add_gic_v3();
    read_tree();
    ASSERT_EQ(machine.gic, MACHINE_GIC_V3);
    EXPECT_EQ(machine.gicd.base, 0x8000000u);
    ASSERT_EQ(machine.gicr_count, 2u);
    EXPECT_EQ(machine.gicr[1].base, 0x100000000u);
    EXPECT_EQ(machine.gicc.size_bytes, 0u);
    EXPECT_EQ(machine.gic_maintenance_intid, 25u);
}

TEST(gic_v2_has_its_virtual_interface)
{
    start();
    tree_begin(&tree, "intc@8000000");
    tree_text(&tree, "compatible", "arm,cortex-a15-gic");
    tree_cells(&tree, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000, 0, 0x8030000, 0,
               0x10000, 0, 0x8040000, 0, 0x10000);
    tree_cells(&tree, "interrupts", 1, 9, 4);
    tree_end(&tree);
    read_tree();
    ASSERT_EQ(machine.gic, MACHINE_GIC_V2);
    EXPECT_EQ(machine.gicc.base, 0x8010000u);
    EXPECT_EQ(machine.gich.base, 0x8030000u);
    EXPECT_EQ(machine.gicv.base, 0x8040000u);
}

TEST(broken_interrupt_controller_counts_as_absent)
{
    start();
    tree_begin(&tree, "intc@8000000");
    tree_text(&tree, "compatible", "arm,gic-v3");
    tree_cells(&tree, "#redistributor-regions", 1000);
    tree_cells(&tree, "reg", 0, 0x8000000, 0, 0x10000);
    tree_end(&tree);
    read_tree();
    EXPECT_EQ(machine.gic, MACHINE_GIC_NONE);
}

TEST(timer_interrupts_come_in_the_order_of_the_binding)
{
    start();
    tree_begin(&tree, "timer"); // before its controller: both walks see all
    tree_text(&tree, "compatible", "arm,armv8-timer");
    tree_cells(&tree, "interrupts", 1, 13, 0x104, 1, 14, 0x104, 1, 11, 0x104, 1, 10, 0x104);
    tree_end(&tree);
    add_gic_v3();
    read_tree();
    EXPECT_EQ(machine.timer_intids[MACHINE_TIMER_VIRTUAL], 27u);
    EXPECT_EQ(machine.timer_intids[MACHINE_TIMER_HYPERVISOR], 26u);
    EXPECT_EQ(machine.timer_intids[MACHINE_TIMER_HYPERVISOR_VIRTUAL], (uint32_t)MACHINE_INTID_NONE);
}

TEST(console_is_the_chosen_uart_or_the_first)
{
    for (unsigned is_chosen = 0; is_chosen < 2; is_chosen++) {
        start();
        add_gic_v3();
        add_uart("pl011@9000000", 0x9000000, 1);
        add_uart("pl011@9040000", 0x9040000, 8);
        add_uart("pl011@9080000", 0x9080000, 9);
        tree_begin(&tree, "chosen");
        tree_text(&tree, "stdout-path", is_chosen ? "/pl011@9040000:115200n8" : "/nowhere");
        tree_end(&tree);
        read_tree();
        EXPECT_EQ(machine.pl011.base, is_chosen ? 0x9040000u : 0x9000000u);
        EXPECT_EQ(machine.pl011_intid, is_chosen ? 40u : 33u);
    }
}

TEST(edges_are_known_of_all_devices_of_the_gic)
{
    start();
    add_gic_v3();
    tree_begin(&tree, "virtio@a000000");
    tree_cells(&tree, "interrupts", 0, 16, 1, 0, 17, 4, 0, 987, 2, 0, 988, 1, 0, 18, 1);
    tree_end(&tree);
    tree_begin(&tree, "other@1");
    tree_cells(&tree, "interrupt-parent", OTHER_PHANDLE);
    tree_cells(&tree, "interrupts", 0, 20, 1);
    tree_end(&tree);
    read_tree();
    EXPECT_TRUE(machine_intid_is_edge(&machine, 48));
    EXPECT_FALSE(machine_intid_is_edge(&machine, 49));
    EXPECT_TRUE(machine_intid_is_edge(&machine, 1019));
    EXPECT_FALSE(machine_intid_is_edge(&machine, 50)); // behind a number that does not exist
    EXPECT_FALSE(machine_intid_is_edge(&machine, 52));
    EXPECT_FALSE(machine_intid_is_edge(&machine, UINT32_MAX));
}

TEST(empty_machine_has_nothing)
{
    start();
    read_tree();
    EXPECT_EQ(machine.memory_count, 0u);
    EXPECT_EQ(machine.gic, MACHINE_GIC_NONE);
    EXPECT_EQ(machine.conduit, MACHINE_CONDUIT_NONE);
    EXPECT_EQ(machine.pl011.size_bytes, 0u);
}

// --- PCI, messages
// ---------------------------------------------------------------------------------------

static void add_pci(void)
{
    tree_begin(&tree, "pcie@10000000");
    tree_text(&tree, "compatible", "pci-host-ecam-generic");
    tree_cells(&tree, "#address-cells", 3);
    tree_cells(&tree, "#size-cells", 2);
    tree_cells(&tree, "reg", 0x40, 0x10000000, 0, 0x10000000);
    tree_cells(&tree, "bus-range", 0, 0xff);
    tree_cells(&tree, "msi-map", 0, 0x8005, 0x100, 0x10000);
    tree_cells(&tree, "ranges", 0x1000000, 0, 0, 0, 0x3eff0000, 0, 0x10000, 0x2000000, 0,
               0x10000000, 0, 0x10000000, 0, 0x2eff0000, 0x3000000, 0x80, 0, 0x80, 0, 0x80, 0);
    tree_end(&tree);
}

TEST(pci_host_bridge_has_its_buses_windows_and_map)
{
    start();
    add_pci();
    read_tree();
    ASSERT_EQ(machine.pci_count, 1u);
    EXPECT_EQ(machine.pci[0].ecam.base, 0x4010000000u);
    EXPECT_EQ(machine.pci[0].first_bus, 0u);
    EXPECT_EQ(machine.pci[0].last_bus, 0xffu);
    EXPECT_EQ(machine.pci[0].memory32.base, 0x10000000u);
    EXPECT_EQ(machine.pci[0].memory32.size_bytes, 0x2eff0000u);
    EXPECT_EQ(machine.pci[0].memory64.base, 0x8000000000u);
    EXPECT_EQ(machine.pci[0].memory64.size_bytes, 0x8000000000u);
    EXPECT_EQ(machine.pci[0].msi_first_device, 0x100u);
    EXPECT_EQ(machine.pci[0].msi_count, 0x10000u);
}

TEST(pci_host_bridge_has_no_more_buses_than_its_window)
{
    start();
    tree_begin(&tree, "pcie@1");
    tree_text(&tree, "compatible", "pci-host-ecam-generic");
    tree_cells(&tree, "reg", 0, 0x3f000000, 0, 0x400000);
    tree_cells(&tree, "bus-range", 2, 0xff);
    tree_end(&tree);
    tree_begin(&tree, "pcie@2"); // less than one bus
    tree_text(&tree, "compatible", "pci-host-ecam-generic");
    tree_cells(&tree, "reg", 0, 0x3f000000, 0, 0x1000);
    tree_end(&tree);
    tree_begin(&tree, "pcie@3"); // backwards
    tree_text(&tree, "compatible", "pci-host-ecam-generic");
    tree_cells(&tree, "reg", 0, 0x3f000000, 0, 0x1000000);
    tree_cells(&tree, "bus-range", 2, 1);
    tree_end(&tree);
    read_tree();
    ASSERT_EQ(machine.pci_count, 1u);
    EXPECT_EQ(machine.pci[0].first_bus, 2u);
    EXPECT_EQ(machine.pci[0].last_bus, 5u);
    EXPECT_EQ(machine.pci[0].memory32.size_bytes, 0u);
    EXPECT_EQ(machine.pci[0].msi_count, 0u);
}

TEST(message_frames_of_both_controllers_are_found)
{
    start();
    tree_begin(&tree, "intc@8000000");
    tree_cells(&tree, "#address-cells", 2);
    tree_cells(&tree, "#size-cells", 2);
    tree_property(&tree, "ranges", "", 0);
    tree_begin(&tree, "its@8080000");
    tree_text(&tree, "compatible", "arm,gic-v3-its");
    tree_cells(&tree, "reg", 0, 0x8080000, 0, 0x20000);
    tree_end(&tree);
    tree_begin(&tree, "v2m@8020000");
    tree_text(&tree, "compatible", "arm,gic-v2m-frame");
    tree_cells(&tree, "reg", 0, 0x8020000, 0, 0x1000);
    tree_cells(&tree, "arm,msi-base-spi", 0x50);
    tree_cells(&tree, "arm,msi-num-spis", 0x40);
    tree_end(&tree);
    tree_end(&tree);
    read_tree();
    EXPECT_EQ(machine.its.base, 0x8080000u);
    EXPECT_EQ(machine.v2m.base, 0x8020000u);
    EXPECT_EQ(machine.v2m_first_spi, 0x50u);
    EXPECT_EQ(machine.v2m_spi_count, 0x40u);
}
