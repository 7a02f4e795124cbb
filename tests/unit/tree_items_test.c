// What an Image loader's device tree says in /chosen, as items.
#include "kernel/arch/arm64/portable/tree_items.h"

#include "boot/zbi_items.h"
#include "tests/test.h"
#include "tests/unit/fdt_builder.h"

static struct tree tree;
static uint8_t container[512];
static struct zbi_machine machine;
static const char *reason;

static void begin(void)
{
    memset(&tree, 0, sizeof(tree));
    tree_begin(&tree, "");
    tree_cells(&tree, "#address-cells", 2);
    tree_cells(&tree, "#size-cells", 2);
}

static mx_status_t describe(void)
{
    struct format_error error;
    struct fdt fdt;

    tree_end(&tree);
    tree_finish(&tree);
    EXPECT_OK(fdt_open(&fdt, tree.blob, tree.blob_bytes, &reason));
    mx_status_t status = tree_describe(&fdt, 0x40000000, container, sizeof(container), &reason);
    if (status == MX_OK)
        EXPECT_OK(zbi_read_machine(container, sizeof(container), &machine, &error));
    return status;
}

TEST(tree_items_place_tree_and_ramdisk)
{
    char text[64] = "";

    begin();
    tree_begin(&tree, "chosen");
    tree_cells(&tree, "linux,initrd-start", 0x48000000);
    tree_cells(&tree, "linux,initrd-end", 0, 0x48100000);
    tree_text(&tree, "bootargs", "machina.run=test");
    tree_end(&tree);
    ASSERT_OK(describe());
    EXPECT_EQ(machine.device_tree_place.base, 0x40000000u);
    EXPECT_EQ(machine.device_tree_place.size_bytes, tree.blob_bytes);
    EXPECT_EQ(machine.container_place.base, 0x48000000u);
    EXPECT_EQ(machine.container_place.size_bytes, 0x100000u);
    EXPECT_TRUE(zbi_gather_cmdline(container, sizeof(container), text, sizeof(text)));
    EXPECT_STR_EQ(text, "machina.run=test");
}

TEST(tree_items_need_no_chosen)
{
    begin();
    ASSERT_OK(describe());
    EXPECT_EQ(machine.device_tree_place.base, 0x40000000u);
    EXPECT_EQ(machine.container_place.size_bytes, 0u);
}

TEST(tree_items_refuse_a_ramdisk_that_ends_before_it_begins)
{
    begin();
    tree_begin(&tree, "chosen");
    tree_cells(&tree, "linux,initrd-start", 0x48000000);
    tree_cells(&tree, "linux,initrd-end", 0x47000000);
    tree_end(&tree);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, describe());
    EXPECT_STR_EQ(reason, "the device tree's ramdisk ends before it begins");
}

TEST(tree_items_refuse_a_command_line_beyond_their_room)
{
    char longer[512];

    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    begin();
    tree_begin(&tree, "chosen");
    tree_text(&tree, "bootargs", longer);
    tree_end(&tree);
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, describe());
    EXPECT_STR_EQ(reason, "the device tree's command line is too long");
}
