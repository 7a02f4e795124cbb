// Zircon boot images on arm64; the contract is in the header.
#include "vmm/loader/arm64/zircon_arm64.h"

#include "boot/zbi_items.h"
#include "vmm/arm64/memory_map.h"
#include "vmm/loader/zircon_drivers.h"

#define KERNEL_ALIGN        UINT64_C(0x10000)
#define CLUSTER_CPUS        16u // as arm64_vcpu_affinity counts them
#define SGI_FIRST           12u // of four that the kernel uses
#define PERIPHERALS_BASE    ARM64_GICD_BASE
#define PERIPHERALS_END     (ARM64_PL061_BASE + ARM64_DEVICE_BYTES)
#define MEMORY_RANGES_COUNT 3

// --- items --------------------------------------------------------------------------------------

static mx_status_t append_cpus(struct zircon_data *data, uint32_t cpu_count)
{
    const uint32_t cluster_count = (cpu_count + CLUSTER_CPUS - 1) / CLUSTER_CPUS;
    struct zbi_cpu_config *config;
    struct zbi_cpu_cluster *clusters;
    void *payload;
    const mx_status_t status =
        zircon_data_append_space(data, ZBI_TYPE_CPU_CONFIG, 0,
                                 sizeof(*config) + cluster_count * sizeof(*clusters), &payload);

    if (status != MX_OK)
        return status;
    config = payload;
    clusters = (struct zbi_cpu_cluster *)(config + 1);
    config->cluster_count = cluster_count;
    for (uint32_t i = 0; i < cluster_count; i++) {
        const uint32_t left = cpu_count - i * CLUSTER_CPUS;
        clusters[i].cpu_count = left < CLUSTER_CPUS ? left : CLUSTER_CPUS;
    }
    return MX_OK;
}

// Old kernels know one range of RAM, the last: that is the low one. The devices are one range.
static mx_status_t append_memory(struct zircon_data *data, const struct device_tree_config *machine)
{
    struct zbi_memory_config ranges[MEMORY_RANGES_COUNT];
    size_t count = 0;

    if (machine->high_ram_bytes > 0)
        ranges[count++] = (struct zbi_memory_config){ARM64_HIGH_RAM_BASE, machine->high_ram_bytes,
                                                     ZBI_MEMORY_CONFIG_RAM, 0};
    ranges[count++] =
        (struct zbi_memory_config){0, machine->low_ram_bytes, ZBI_MEMORY_CONFIG_RAM, 0};
    ranges[count++] = (struct zbi_memory_config){
        PERIPHERALS_BASE, PERIPHERALS_END - PERIPHERALS_BASE, ZBI_MEMORY_CONFIG_PERIPHERAL, 0};
    return zircon_data_append(data, ZBI_TYPE_MEM_CONFIG, 0, ranges, count * sizeof(ranges[0]));
}

static mx_status_t append_gicv2(struct zircon_data *data)
{
    const struct zircon_driver_gicv2 driver = {
        .base = ARM64_GICD_BASE,
        .msi_frame = ARM64_GICV2M_BASE,
        .gicc_offset = ARM64_GICC_BASE - ARM64_GICD_BASE,
        .ipi_base = SGI_FIRST,
        .is_optional = true,
        .uses_messages = true,
    };

    return zircon_data_append(data, ZBI_TYPE_KERNEL_DRIVER, ZBI_DRIVER_GICV2, &driver,
                              sizeof(driver));
}

static mx_status_t append_gicv3(struct zircon_data *data)
{
    const struct zircon_driver_gicv3 driver = {
        .base = ARM64_GICD_BASE,
        .gicr_offset = ARM64_GICR_BASE - ARM64_GICD_BASE,
        .gicr_stride = ARM64_GICR_BYTES,
        .ipi_base = SGI_FIRST,
        .is_optional = true,
    };

    return zircon_data_append(data, ZBI_TYPE_KERNEL_DRIVER, ZBI_DRIVER_GICV3, &driver,
                              sizeof(driver));
}

// Only of the version that there is: a kernel that is told of both tries GICv3's registers first.
static mx_status_t append_gic(struct zircon_data *data, enum device_tree_gic gic)
{
    switch (gic) {
    case DEVICE_TREE_GICV2:
        return append_gicv2(data);
    case DEVICE_TREE_GICV3:
        return append_gicv3(data);
    }
    return MX_ERR_INVALID_ARGS;
}

static mx_status_t append_uart_and_firmware(struct zircon_data *data)
{
    const struct zircon_driver_pl011 uart = {.base = ARM64_PL011_BASE, .irq = ARM64_IRQ_PL011};
    const struct zircon_driver_psci psci = {.uses_hvc = true};
    const struct zircon_driver_timer timer = {.irq_physical = ARM64_IRQ_TIMER_PHYSICAL,
                                              .irq_virtual = ARM64_IRQ_TIMER_VIRTUAL};

    mx_status_t status =
        zircon_data_append(data, ZBI_TYPE_KERNEL_DRIVER, ZBI_DRIVER_PL011, &uart, sizeof(uart));
    if (status == MX_OK)
        status =
            zircon_data_append(data, ZBI_TYPE_KERNEL_DRIVER, ZBI_DRIVER_PSCI, &psci, sizeof(psci));
    return status == MX_OK ? zircon_data_append(data, ZBI_TYPE_KERNEL_DRIVER, ZBI_DRIVER_TIMER,
                                                &timer, sizeof(timer))
                           : status;
}

// The board's driver of user space goes by this.
static mx_status_t append_platform(struct zircon_data *data)
{
    static const struct zbi_platform_id platform = {
        .vendor = ZBI_VENDOR_GOOGLE, .product = ZBI_PRODUCT_MACHINA, .board = "machina"};

    return zircon_data_append(data, ZBI_TYPE_PLATFORM_ID, 0, &platform, sizeof(platform));
}

static mx_status_t append_tree(struct zircon_data *data, const struct boot_range *tree)
{
    const void *bytes = guest_memory_map(data->request->memory, tree->start, tree->size_bytes);

    if (!bytes)
        return boot_fail(data->request, MX_ERR_OUT_OF_RANGE,
                         "memory map: guest memory at 0x%llx does not exist",
                         (unsigned long long)tree->start);
    return zircon_data_append(data, ZBI_TYPE_DEVICETREE, 0, bytes, tree->size_bytes);
}

// --- the whole ----------------------------------------------------------------------------------

mx_status_t zircon_arm64_place_kernel(const struct boot_request *request,
                                      struct zircon_image *image, struct boot_range *placed,
                                      uint64_t *entry)
{
    const uint64_t start = (request->low_ram.start + KERNEL_ALIGN - 1) & ~(KERNEL_ALIGN - 1);

    mx_status_t status = zircon_image_open(request, ZBI_TYPE_KERNEL_ARM64, "arm64", image);
    if (status == MX_OK)
        status = zircon_image_check_entry(request, image, image->kernel.entry);
    if (status == MX_OK)
        status = zircon_image_place_kernel(request, image, start, placed);
    *entry = start + image->kernel.entry;
    return status;
}

mx_status_t zircon_arm64_make_data(const struct boot_request *request,
                                   const struct zircon_image *image, uint64_t floor,
                                   const struct device_tree_config *machine,
                                   const struct boot_range *tree, struct boot_range *placed)
{
    struct zircon_data data;

    mx_status_t status = zircon_data_begin(request, image, floor, &data);
    if (status == MX_OK)
        status = append_cpus(&data, machine->cpu_count);
    if (status == MX_OK)
        status = append_memory(&data, machine);
    if (status == MX_OK)
        status = append_uart_and_firmware(&data);
    if (status == MX_OK)
        status = append_gic(&data, machine->gic);
    if (status == MX_OK)
        status = append_platform(&data);
    if (status == MX_OK)
        status = append_tree(&data, tree);
    if (status == MX_OK)
        *placed = zircon_data_range(&data);
    return status;
}
