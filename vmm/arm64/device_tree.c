// The guest's device tree; the contract is in the header.
#include "vmm/arm64/device_tree.h"

#include <stdio.h>
#include <string.h>

#include "vmm/arm64/fdt_builder.h"
#include "vmm/arm64/memory_map.h"

#define CELLS(...) \
    ((const uint32_t[]){__VA_ARGS__}), sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)
#define U64S(...) \
    ((const uint64_t[]){__VA_ARGS__}), sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)
#define STRINGS(...)                      \
    ((const char *const[]){__VA_ARGS__}), \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

// An interrupt of the GIC, as its binding encodes it.
#define GIC_SPI            0
#define GIC_PPI            1
#define IRQ_LEVEL_HIGH     4
#define PPI_CPU_MASK_SHIFT 8
#define SPI(intid)         GIC_SPI, (intid)-ARM64_IRQ_SPI_BASE, IRQ_LEVEL_HIGH

#define PCI_SPACE_MEMORY64  0x03000000u
#define PCI_SLOT_SHIFT      11
#define PCI_SLOT_MASK       0xf800u
#define PCI_PIN_MASK        7u
#define PCI_PIN_INTA        1u
#define PCI_REQUESTER_COUNT 0x10000u

#define CLOCK_HZ         24000000u
#define KEY_POWER        116u
#define GPIO_ACTIVE_HIGH 0u

enum phandle {
    PHANDLE_INTERRUPTS = 1,
    PHANDLE_MESSAGES,
    PHANDLE_CLOCK,
    PHANDLE_GPIO,
};

static void put_reg(struct fdt_builder *fdt, uint64_t base, uint64_t size_bytes)
{
    fdt_builder_put_u64s(fdt, "reg", U64S(base, size_bytes));
}

static void put_cell_counts(struct fdt_builder *fdt, uint32_t address_cells, uint32_t size_cells)
{
    fdt_builder_put_u32(fdt, "#address-cells", address_cells);
    fdt_builder_put_u32(fdt, "#size-cells", size_cells);
}

// --- CPUs, memory, timer ------------------------------------------------------------------------

static void put_cpus(struct fdt_builder *fdt, const struct device_tree_config *config)
{
    fdt_builder_begin_node(fdt, "cpus");
    put_cell_counts(fdt, 1, 0);
    for (uint32_t i = 0; i < config->cpu_count; i++) {
        const uint32_t affinity = arm64_vcpu_affinity(i);
        fdt_builder_begin_node_at(fdt, "cpu", affinity);
        fdt_builder_put_string(fdt, "device_type", "cpu");
        fdt_builder_put_string(fdt, "compatible", "arm,armv8");
        fdt_builder_put_u32(fdt, "reg", affinity);
        fdt_builder_put_string(fdt, "enable-method", "psci");
        fdt_builder_end_node(fdt);
    }
    fdt_builder_end_node(fdt);
}

static void put_psci(struct fdt_builder *fdt)
{
    fdt_builder_begin_node(fdt, "psci");
    fdt_builder_put_strings(fdt, "compatible", STRINGS("arm,psci-1.0", "arm,psci-0.2"));
    fdt_builder_put_string(fdt, "method", "hvc");
    fdt_builder_end_node(fdt);
}

static void put_memory(struct fdt_builder *fdt, const struct device_tree_config *config)
{
    const uint64_t ranges[] = {0, config->low_ram_bytes, ARM64_HIGH_RAM_BASE,
                               config->high_ram_bytes};

    fdt_builder_begin_node_at(fdt, "memory", 0);
    fdt_builder_put_string(fdt, "device_type", "memory");
    fdt_builder_put_u64s(fdt, "reg", ranges, config->high_ram_bytes > 0 ? 4 : 2);
    fdt_builder_end_node(fdt);
}

// With GICv2 a private interrupt names the CPUs that have it.
static void put_timer(struct fdt_builder *fdt, const struct device_tree_config *config)
{
    static const uint32_t intids[] = {ARM64_IRQ_TIMER_SECURE, ARM64_IRQ_TIMER_PHYSICAL,
                                      ARM64_IRQ_TIMER_VIRTUAL, ARM64_IRQ_TIMER_HYPERVISOR};
    uint32_t flags = IRQ_LEVEL_HIGH, cells[3 * 4];

    if (config->gic == DEVICE_TREE_GICV2)
        flags |= ((1u << config->cpu_count) - 1) << PPI_CPU_MASK_SHIFT;
    for (unsigned i = 0; i < 4; i++) {
        cells[3 * i] = GIC_PPI;
        cells[3 * i + 1] = intids[i] - ARM64_IRQ_PPI_BASE;
        cells[3 * i + 2] = flags;
    }
    fdt_builder_begin_node(fdt, "timer");
    fdt_builder_put_string(fdt, "compatible", "arm,armv8-timer");
    fdt_builder_put_cells(fdt, "interrupts", cells, sizeof(cells) / sizeof(cells[0]));
    fdt_builder_put_empty(fdt, "always-on");
    fdt_builder_end_node(fdt);
}

// --- the interrupt controller -------------------------------------------------------------------

static void begin_gic(struct fdt_builder *fdt, const char *compatible)
{
    fdt_builder_begin_node_at(fdt, "interrupt-controller", ARM64_GICD_BASE);
    fdt_builder_put_string(fdt, "compatible", compatible);
    fdt_builder_put_empty(fdt, "interrupt-controller");
    fdt_builder_put_u32(fdt, "#interrupt-cells", 3);
    put_cell_counts(fdt, 2, 2);
    fdt_builder_put_empty(fdt, "ranges");
    fdt_builder_put_u32(fdt, "phandle", PHANDLE_INTERRUPTS);
}

static void put_gicv2(struct fdt_builder *fdt)
{
    begin_gic(fdt, "arm,cortex-a15-gic");
    fdt_builder_put_u64s(
        fdt, "reg", U64S(ARM64_GICD_BASE, ARM64_GICD_V2_BYTES, ARM64_GICC_BASE, ARM64_GICC_BYTES));
    fdt_builder_begin_node_at(fdt, "v2m", ARM64_GICV2M_BASE);
    fdt_builder_put_string(fdt, "compatible", "arm,gic-v2m-frame");
    fdt_builder_put_empty(fdt, "msi-controller");
    put_reg(fdt, ARM64_GICV2M_BASE, ARM64_GICV2M_BYTES);
    fdt_builder_put_u32(fdt, "phandle", PHANDLE_MESSAGES);
    fdt_builder_end_node(fdt);
    fdt_builder_end_node(fdt);
}

static void put_gicv3(struct fdt_builder *fdt, uint32_t cpu_count)
{
    begin_gic(fdt, "arm,gic-v3");
    fdt_builder_put_u64s(fdt, "reg",
                         U64S(ARM64_GICD_BASE, ARM64_GICD_V3_BYTES, ARM64_GICR_BASE,
                              (uint64_t)cpu_count * ARM64_GICR_BYTES));
    fdt_builder_begin_node_at(fdt, "msi-controller", ARM64_ITS_BASE);
    fdt_builder_put_string(fdt, "compatible", "arm,gic-v3-its");
    fdt_builder_put_empty(fdt, "msi-controller");
    fdt_builder_put_u32(fdt, "#msi-cells", 1);
    put_reg(fdt, ARM64_ITS_BASE, ARM64_ITS_BYTES);
    fdt_builder_put_u32(fdt, "phandle", PHANDLE_MESSAGES);
    fdt_builder_end_node(fdt);
    fdt_builder_end_node(fdt);
}

static void put_gic(struct fdt_builder *fdt, const struct device_tree_config *config)
{
    switch (config->gic) {
    case DEVICE_TREE_GICV2:
        put_gicv2(fdt);
        break;
    case DEVICE_TREE_GICV3:
        put_gicv3(fdt, config->cpu_count);
        break;
    }
}

// --- PCI ----------------------------------------------------------------------------------------

// INTA of every slot but the bridge's; each function has no other pin.
static void put_interrupt_map(struct fdt_builder *fdt)
{
    uint32_t map[ARM64_IRQ_PCI_COUNT - 1][10];

    for (uint32_t slot = 1; slot < ARM64_IRQ_PCI_COUNT; slot++) {
        const uint32_t row[10] = {slot << PCI_SLOT_SHIFT, 0, 0, PCI_PIN_INTA,
                                  PHANDLE_INTERRUPTS,     0, 0, SPI(ARM64_IRQ_PCI_BASE + slot)};
        memcpy(map[slot - 1], row, sizeof(row));
    }
    fdt_builder_put_u32(fdt, "#interrupt-cells", 1);
    fdt_builder_put_cells(fdt, "interrupt-map-mask", CELLS(PCI_SLOT_MASK, 0, 0, PCI_PIN_MASK));
    fdt_builder_put_cells(fdt, "interrupt-map", map[0], sizeof(map) / sizeof(uint32_t));
}

// BARs have their places already, as after firmware; what the bus says is left as it is.
static void put_pci(struct fdt_builder *fdt, const struct device_tree_config *config)
{
    const uint64_t window = ARM64_PCI_MEMORY_BASE;

    fdt_builder_begin_node_at(fdt, "pcie", ARM64_ECAM_BASE);
    fdt_builder_put_string(fdt, "compatible", "pci-host-ecam-generic");
    fdt_builder_put_string(fdt, "device_type", "pci");
    put_reg(fdt, ARM64_ECAM_BASE, ARM64_ECAM_BYTES);
    put_cell_counts(fdt, 3, 2);
    fdt_builder_put_cells(fdt, "bus-range", CELLS(0, 0));
    fdt_builder_put_u32(fdt, "linux,pci-domain", 0);
    fdt_builder_put_cells(fdt, "ranges",
                          CELLS(PCI_SPACE_MEMORY64, (uint32_t)(window >> 32), (uint32_t)window,
                                (uint32_t)(window >> 32), (uint32_t)window, 0,
                                (uint32_t)ARM64_PCI_MEMORY_BYTES));
    fdt_builder_put_empty(fdt, "dma-coherent");
    put_interrupt_map(fdt);
    if (config->gic == DEVICE_TREE_GICV3)
        fdt_builder_put_cells(fdt, "msi-map", CELLS(0, PHANDLE_MESSAGES, 0, PCI_REQUESTER_COUNT));
    else
        fdt_builder_put_u32(fdt, "msi-parent", PHANDLE_MESSAGES);
    fdt_builder_end_node(fdt);
}

// --- other devices ------------------------------------------------------------------------------

static void put_clock(struct fdt_builder *fdt)
{
    fdt_builder_begin_node(fdt, "apb-pclk");
    fdt_builder_put_string(fdt, "compatible", "fixed-clock");
    fdt_builder_put_u32(fdt, "#clock-cells", 0);
    fdt_builder_put_u32(fdt, "clock-frequency", CLOCK_HZ);
    fdt_builder_put_u32(fdt, "phandle", PHANDLE_CLOCK);
    fdt_builder_end_node(fdt);
}

static void begin_primecell(struct fdt_builder *fdt, const char *name, const char *compatible,
                            uint64_t base, uint32_t intid)
{
    fdt_builder_begin_node_at(fdt, name, base);
    fdt_builder_put_strings(fdt, "compatible", STRINGS(compatible, "arm,primecell"));
    put_reg(fdt, base, ARM64_DEVICE_BYTES);
    fdt_builder_put_cells(fdt, "interrupts", CELLS(SPI(intid)));
}

static void put_uart(struct fdt_builder *fdt)
{
    begin_primecell(fdt, "serial", "arm,pl011", ARM64_PL011_BASE, ARM64_IRQ_PL011);
    fdt_builder_put_cells(fdt, "clocks", CELLS(PHANDLE_CLOCK, PHANDLE_CLOCK));
    fdt_builder_put_strings(fdt, "clock-names", STRINGS("uartclk", "apb_pclk"));
    fdt_builder_end_node(fdt);
}

static void put_rtc(struct fdt_builder *fdt)
{
    begin_primecell(fdt, "rtc", "arm,pl031", ARM64_PL031_BASE, ARM64_IRQ_PL031);
    fdt_builder_put_u32(fdt, "clocks", PHANDLE_CLOCK);
    fdt_builder_put_string(fdt, "clock-names", "apb_pclk");
    fdt_builder_end_node(fdt);
}

static void put_gpio(struct fdt_builder *fdt)
{
    begin_primecell(fdt, "gpio", "arm,pl061", ARM64_PL061_BASE, ARM64_IRQ_PL061);
    fdt_builder_put_u32(fdt, "clocks", PHANDLE_CLOCK);
    fdt_builder_put_string(fdt, "clock-names", "apb_pclk");
    fdt_builder_put_empty(fdt, "gpio-controller");
    fdt_builder_put_u32(fdt, "#gpio-cells", 2);
    fdt_builder_put_empty(fdt, "interrupt-controller");
    fdt_builder_put_u32(fdt, "#interrupt-cells", 2);
    fdt_builder_put_u32(fdt, "phandle", PHANDLE_GPIO);
    fdt_builder_end_node(fdt);
}

static void put_power_button(struct fdt_builder *fdt)
{
    fdt_builder_begin_node(fdt, "gpio-keys");
    fdt_builder_put_string(fdt, "compatible", "gpio-keys");
    fdt_builder_begin_node(fdt, "power-button");
    fdt_builder_put_string(fdt, "label", "Power button");
    fdt_builder_put_u32(fdt, "linux,code", KEY_POWER);
    fdt_builder_put_cells(fdt, "gpios",
                          CELLS(PHANDLE_GPIO, ARM64_PL061_POWER_PIN, GPIO_ACTIVE_HIGH));
    fdt_builder_end_node(fdt);
    fdt_builder_end_node(fdt);
}

// --- what the kernel is told --------------------------------------------------------------------

static void put_path_at(struct fdt_builder *fdt, const char *property, const char *node,
                        uint64_t address)
{
    char path[64];

    snprintf(path, sizeof(path), "/%s@%llx", node, (unsigned long long)address);
    fdt_builder_put_string(fdt, property, path);
}

static void put_aliases(struct fdt_builder *fdt)
{
    fdt_builder_begin_node(fdt, "aliases");
    put_path_at(fdt, "serial0", "serial", ARM64_PL011_BASE);
    fdt_builder_end_node(fdt);
}

static void put_chosen(struct fdt_builder *fdt, const struct device_tree_config *config)
{
    fdt_builder_begin_node(fdt, "chosen");
    if (config->command_line)
        fdt_builder_put_string(fdt, "bootargs", config->command_line);
    fdt_builder_put_string(fdt, "stdout-path", "serial0:115200n8");
    fdt_builder_put_u32(fdt, "linux,pci-probe-only", 1);
    if (config->ramdisk_bytes > 0) {
        fdt_builder_put_u32(fdt, "linux,initrd-start", (uint32_t)config->ramdisk_base);
        fdt_builder_put_u32(fdt, "linux,initrd-end",
                            (uint32_t)(config->ramdisk_base + config->ramdisk_bytes));
    }
    fdt_builder_put_property(fdt, "rng-seed", config->rng_seed, sizeof(config->rng_seed));
    if (config->kaslr_seed != 0)
        fdt_builder_put_u64(fdt, "kaslr-seed", config->kaslr_seed);
    fdt_builder_end_node(fdt);
}

static void put_symbols(struct fdt_builder *fdt, const struct device_tree_config *config)
{
    char messages[80];

    if (config->gic == DEVICE_TREE_GICV3)
        snprintf(messages, sizeof(messages), "/interrupt-controller@%llx/msi-controller@%llx",
                 ARM64_GICD_BASE, ARM64_ITS_BASE);
    else
        snprintf(messages, sizeof(messages), "/interrupt-controller@%llx/v2m@%llx", ARM64_GICD_BASE,
                 ARM64_GICV2M_BASE);
    fdt_builder_begin_node(fdt, "__symbols__");
    put_path_at(fdt, "intc", "interrupt-controller", ARM64_GICD_BASE);
    fdt_builder_put_string(fdt, "msi", messages);
    put_path_at(fdt, "pcie", "pcie", ARM64_ECAM_BASE);
    put_path_at(fdt, "pl011", "serial", ARM64_PL011_BASE);
    put_path_at(fdt, "pl031", "rtc", ARM64_PL031_BASE);
    put_path_at(fdt, "pl061", "gpio", ARM64_PL061_BASE);
    fdt_builder_put_string(fdt, "clock", "/apb-pclk");
    fdt_builder_end_node(fdt);
}

// --- the tree -----------------------------------------------------------------------------------

static bool is_config_valid(const struct device_tree_config *config)
{
    const uint32_t cpus_max =
        config->gic == DEVICE_TREE_GICV2 ? ARM64_V2_CPUS_MAX : ARM64_V3_CPUS_MAX;

    return config->cpu_count > 0 && config->cpu_count <= cpus_max && config->low_ram_bytes > 0 &&
           config->low_ram_bytes <= ARM64_LOW_RAM_MAX &&
           config->high_ram_bytes <= UINT64_MAX - ARM64_HIGH_RAM_BASE &&
           config->ramdisk_base <= UINT32_MAX &&
           config->ramdisk_bytes <= UINT32_MAX - config->ramdisk_base;
}

mx_status_t device_tree_build(const struct device_tree_config *config, void *buffer,
                              size_t capacity, size_t *size_bytes)
{
    struct fdt_builder fdt;

    if (!is_config_valid(config))
        return MX_ERR_INVALID_ARGS;
    fdt_builder_init(&fdt, buffer, capacity);
    fdt_builder_begin_node(&fdt, "");
    fdt_builder_put_string(&fdt, "model", "Machina");
    fdt_builder_put_string(&fdt, "compatible", "linux,dummy-virt");
    put_cell_counts(&fdt, 2, 2);
    fdt_builder_put_u32(&fdt, "interrupt-parent", PHANDLE_INTERRUPTS);
    put_aliases(&fdt);
    put_chosen(&fdt, config);
    put_psci(&fdt);
    put_cpus(&fdt, config);
    put_memory(&fdt, config);
    put_timer(&fdt, config);
    put_gic(&fdt, config);
    put_pci(&fdt, config);
    put_clock(&fdt);
    put_uart(&fdt);
    put_rtc(&fdt);
    put_gpio(&fdt);
    put_power_button(&fdt);
    if (config->has_symbols)
        put_symbols(&fdt, config);
    fdt_builder_end_node(&fdt);
    return fdt_builder_finish(&fdt, arm64_vcpu_affinity(0), size_bytes);
}
