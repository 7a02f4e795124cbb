// Where kernel, ramdisk and device tree of an arm64 guest go, and what the first vCPU is given.
#include "tests/unit/arm64_boot_fixture.h"
#include "tests/unit/host_tool.h"
#include "vmm/arm64/fdt_tree.h"

static struct fdt_tree tree;
static uint8_t ramdisk[5000];

// The tree in guest memory, taken apart.
static struct fdt_node *read_tree(void)
{
    static uint8_t copy[1 << 20];
    struct fdt_node *root = NULL;
    const char *problem;

    tree.node_count = tree.property_count = 0;
    memcpy(copy, ram + state.device_tree.start, state.device_tree.size_bytes);
    EXPECT_OK(fdt_tree_parse(&tree, copy, state.device_tree.size_bytes, &root, &problem));
    return root;
}

static uint32_t cell(struct fdt_node *root, const char *path, const char *name)
{
    const struct fdt_node *node = fdt_tree_find_path(root, path, strlen(path));
    const struct fdt_property *property = node ? fdt_tree_find_property(node, name) : NULL;

    EXPECT_TRUE(property && property->size_bytes == 4);
    if (!property)
        return 0;
    return (uint32_t)property->value[0] << 24 | (uint32_t)property->value[1] << 16 |
           (uint32_t)property->value[2] << 8 | property->value[3];
}

static void add_overlay(const char *source)
{
    static uint8_t overlay[4096];
    const size_t overlay_bytes =
        host_tool_run("dtc -q -@ -I dts -O dtb", source, strlen(source), overlay, sizeof(overlay));
    request.device_tree_overlay = (struct boot_blob){overlay, overlay_bytes};
}

TEST(kernel_is_given_its_tree)
{
    set_up();
    EXPECT_OK(load());
    EXPECT_EQ(state.x0, ARM64_DEVICE_TREE_BASE);
    EXPECT_EQ(state.device_tree.start, ARM64_DEVICE_TREE_BASE);
    struct fdt_node *chosen = fdt_tree_find_path(read_tree(), "/chosen", 7);
    ASSERT_TRUE(chosen != NULL);
    EXPECT_STR_EQ(fdt_tree_text(fdt_tree_find_property(chosen, "bootargs")), "console=ttyAMA0");
    EXPECT_TRUE(fdt_tree_find_property(chosen, "linux,initrd-start") == NULL);
    EXPECT_EQ(state.ramdisk.size_bytes, 0);
}

TEST(ramdisk_is_above_the_kernel_and_told)
{
    set_up();
    memset(ramdisk, 0x5a, sizeof(ramdisk));
    request.ramdisk = (struct boot_blob){ramdisk, sizeof(ramdisk)};
    EXPECT_OK(load());
    EXPECT_EQ(state.ramdisk.start, RAM_BYTES - 0x2000);
    EXPECT_BYTES_EQ(ram + state.ramdisk.start, ramdisk, sizeof(ramdisk));
    EXPECT_FALSE(boot_range_overlaps(&state.ramdisk, &state.kernel));
    struct fdt_node *root = read_tree();
    EXPECT_EQ(cell(root, "/chosen", "linux,initrd-start"), RAM_BYTES - 0x2000);
    EXPECT_EQ(cell(root, "/chosen", "linux,initrd-end"), RAM_BYTES - 0x2000 + sizeof(ramdisk));
}

TEST(ramdisk_without_room_is_refused)
{
    set_up();
    put(image + 0x10, RAM_BYTES - ARM64_LOAD_BASE - 0x1000, 8);
    request.ramdisk = (struct boot_blob){ramdisk, sizeof(ramdisk)};
    expect_refused(MX_ERR_NO_MEMORY, "ramdisk");
}

TEST(guest_too_small_for_its_tree_is_refused)
{
    set_up();
    memory.regions[0].size_bytes = UINT64_C(1) << 20;
    request.low_ram = (struct boot_range){0};
    expect_refused(MX_ERR_NO_MEMORY, "at least 2097152 bytes");
}

TEST(malformed_maps_are_refused)
{
    set_up();
    request.low_ram.start = ARM64_DEVICE_TREE_BASE + 0x1000;
    expect_refused(MX_ERR_INVALID_ARGS, "memory map");
    set_up();
    request.low_ram.size_bytes = UINT64_MAX;
    expect_refused(MX_ERR_INVALID_ARGS, "memory map");
    set_up();
    tree_room.start += 4;
    expect_refused(MX_ERR_INVALID_ARGS, "memory map");
    set_up();
    tree_room.size_bytes = UINT64_MAX;
    expect_refused(MX_ERR_INVALID_ARGS, "memory map");
    set_up();
    machine.cpu_count = 0;
    expect_refused(MX_ERR_INVALID_ARGS, "cannot be described");
    set_up();
    tree_room.size_bytes = 1024;
    expect_refused(MX_ERR_BUFFER_TOO_SMALL, "cannot be described");
}

TEST(overlay_is_applied)
{
    set_up();
    add_overlay("/dts-v1/; /plugin/; &pl011 { status = \"disabled\"; }; "
                "&{/} { box { compatible = \"x,box\"; clocks = <&clock>; }; };");
    EXPECT_OK(load());
    struct fdt_node *root = read_tree();
    struct fdt_node *uart = fdt_tree_find_path(root, "/serial", 7);
    ASSERT_TRUE(uart != NULL);
    EXPECT_STR_EQ(fdt_tree_text(fdt_tree_find_property(uart, "status")), "disabled");
    EXPECT_EQ(cell(root, "/box", "clocks"), cell(root, "/apb-pclk", "phandle"));
}

TEST(overlay_that_is_none_is_refused)
{
    set_up();
    request.device_tree_overlay = (struct boot_blob){"overlay", 7};
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "dtb-overlay: it is no device tree");
    add_overlay("/dts-v1/; / { };");
    expect_refused(MX_ERR_INVALID_ARGS, "dtb-overlay: it is no overlay");
    add_overlay("/dts-v1/; /plugin/; &nowhere { };");
    expect_refused(MX_ERR_INVALID_ARGS, "no label \"nowhere\"");
    request.device_tree_overlay.size_bytes = UINT64_C(1) << 40;
    expect_refused(MX_ERR_FILE_TOO_BIG, "dtb-overlay");
}
