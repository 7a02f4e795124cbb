// The guest's device tree: dtc finds nothing wrong with it, and it says what the machine is.
#include <string.h>

#include "tests/unit/host_tool.h"
#include "vmm/arm64/device_tree.h"
#include "vmm/arm64/memory_map.h"

// As Linux's own build, which has no use for this one: the binding of the PL061 forbids what it
// asks for.
#define DTC "dtc -E interrupts_property -W no-interrupt_provider -I dtb -O dts 2>&1"

static uint8_t blob[32768];
static char source[65536];
static size_t blob_bytes;

static struct device_tree_config config_of(enum device_tree_gic gic, uint32_t cpu_count)
{
    return (struct device_tree_config){.cpu_count = cpu_count,
                                       .gic = gic,
                                       .low_ram_bytes = UINT64_C(512) << 20,
                                       .command_line = "console=ttyAMA0 \"quoted\"",
                                       .rng_seed = {1, 2, 3},
                                       .kaslr_seed = 0x1122334455667788};
}

static void build(const struct device_tree_config *config)
{
    EXPECT_OK(device_tree_build(config, blob, sizeof(blob), &blob_bytes));
    const size_t size = host_tool_run(DTC, blob, blob_bytes, source, sizeof(source) - 1);
    source[size] = '\0';
    EXPECT_TRUE(strncmp(source, "/dts-v1/;\n", 10) == 0);
    if (strncmp(source, "/dts-v1/;\n", 10) != 0)
        printf("# %.400s\n", source);
}

static void expect_has(const char *text)
{
    EXPECT_TRUE(strstr(source, text) != NULL);
    if (!strstr(source, text))
        printf("# not there: %s\n", text);
}

static unsigned count_of(const char *text)
{
    unsigned count = 0;

    for (const char *at = source; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

TEST(checker_finds_nothing_wrong)
{
    for (unsigned cpu_count = 1; cpu_count <= 16; cpu_count += 5) {
        struct device_tree_config config = config_of(DEVICE_TREE_GICV3, cpu_count);
        build(&config);
        config.has_symbols = true;
        config.high_ram_bytes = UINT64_C(1) << 39;
        config.ramdisk_base = 0x4000000;
        config.ramdisk_bytes = 0x123456;
        build(&config);
        EXPECT_EQ(count_of("enable-method = \"psci\""), cpu_count);
    }
    struct device_tree_config config = config_of(DEVICE_TREE_GICV2, 8);
    build(&config);
    config.has_symbols = true;
    build(&config);
}

TEST(tree_of_gicv3_has_redistributors_and_its)
{
    const struct device_tree_config config = config_of(DEVICE_TREE_GICV3, 3);

    build(&config);
    expect_has("compatible = \"arm,gic-v3\";");
    expect_has("reg = <0x08 0x00 0x00 0x10000 0x08 0x10000 0x00 0x60000>;");
    expect_has("compatible = \"arm,gic-v3-its\";");
    expect_has("msi-map = <0x00 0x02 0x00 0x10000>;");
    expect_has("interrupts = <0x01 0x0d 0x04 0x01 0x0e 0x04 0x01 0x0b 0x04 0x01 0x0a 0x04>;");
}

TEST(tree_of_gicv2_has_a_message_frame_and_cpu_masks)
{
    const struct device_tree_config config = config_of(DEVICE_TREE_GICV2, 3);

    build(&config);
    expect_has("compatible = \"arm,cortex-a15-gic\";");
    expect_has("reg = <0x08 0x00 0x00 0x1000 0x08 0x1000 0x00 0x2000>;");
    expect_has("compatible = \"arm,gic-v2m-frame\";");
    expect_has("msi-parent = <0x02>;");
    expect_has("interrupts = <0x01 0x0d 0x704 0x01 0x0e 0x704 0x01 0x0b 0x704 0x01 0x0a 0x704>;");
}

TEST(affinity_of_more_than_sixteen_cpus_has_clusters)
{
    const struct device_tree_config config = config_of(DEVICE_TREE_GICV3, 18);

    build(&config);
    expect_has("cpu@f {");
    expect_has("cpu@100 {");
    expect_has("cpu@101 {");
    EXPECT_EQ(count_of("cpu@10 {"), 0);
}

TEST(devices_are_where_the_map_has_them)
{
    const struct device_tree_config config = config_of(DEVICE_TREE_GICV3, 1);

    build(&config);
    expect_has("serial@808300000 {");
    expect_has("interrupts = <0x00 0x4f 0x04>;"); // SPI 79
    expect_has("rtc@808301000 {");
    expect_has("gpio@808302000 {");
    expect_has("gpios = <0x04 0x03 0x00>;");
    expect_has("linux,code = <0x74>;");
    expect_has("ranges = <0x3000000 0x08 0x8200000 0x08 0x8200000 0x00 0x100000>;");
    expect_has("interrupt-map-mask = <0xf800 0x00 0x00 0x07>;");
    expect_has("interrupt-map = <0x800 0x00 0x00 0x01 0x01 0x00 0x00 0x00 0x01 0x04 ");
    expect_has("0xf800 0x00 0x00 0x01 0x01 0x00 0x00 0x00 0x1f 0x04>;");
}

TEST(kernel_is_told_what_it_was_given)
{
    struct device_tree_config config = config_of(DEVICE_TREE_GICV3, 1);

    config.ramdisk_base = 0x4000000;
    config.ramdisk_bytes = 0x123456;
    config.high_ram_bytes = UINT64_C(3) << 30;
    build(&config);
    expect_has("bootargs = \"console=ttyAMA0 \\\"quoted\\\"\";");
    expect_has("linux,initrd-start = <0x4000000>;");
    expect_has("linux,initrd-end = <0x4123456>;");
    expect_has("kaslr-seed = <0x11223344 0x55667788>;");
    expect_has("rng-seed = <0x1020300 0x00 ");
    expect_has("reg = <0x00 0x00 0x00 0x20000000 0x10 0x00 0x00 0xc0000000>;");
    config = config_of(DEVICE_TREE_GICV3, 1);
    config.command_line = NULL;
    config.kaslr_seed = 0;
    build(&config);
    EXPECT_EQ(count_of("initrd") + count_of("bootargs") + count_of("kaslr"), 0);
}

TEST(machine_that_cannot_be_is_refused)
{
    static const struct device_tree_config good = {.cpu_count = 1, .low_ram_bytes = 4096};
    struct device_tree_config bad[8];

    for (unsigned i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].cpu_count = 0;
    bad[1].cpu_count = 9; // of GICv2
    bad[2].gic = DEVICE_TREE_GICV3;
    bad[2].cpu_count = ARM64_V3_CPUS_MAX + 1;
    bad[3].low_ram_bytes = 0;
    bad[4].low_ram_bytes = ARM64_LOW_RAM_MAX + 1;
    bad[5].high_ram_bytes = UINT64_MAX;
    bad[6].ramdisk_base = UINT64_C(1) << 32;
    bad[7].ramdisk_base = 4096;
    bad[7].ramdisk_bytes = UINT32_MAX;
    for (unsigned i = 0; i < 8; i++)
        EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                      device_tree_build(&bad[i], blob, sizeof(blob), &blob_bytes));
    EXPECT_OK(device_tree_build(&good, blob, sizeof(blob), &blob_bytes));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, device_tree_build(&good, blob, 1000, &blob_bytes));
}
