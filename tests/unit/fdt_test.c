// The device tree reader: what it finds, and that it refuses every tree that is not sound.
#include "kernel/lib/fdt.h"

#include "tests/test.h"
#include "tests/unit/fdt_builder.h"

static struct tree tree;
static struct fdt fdt;
static struct fdt_cursor node;

static void start(void)
{
    memset(&tree, 0, sizeof(tree));
}

static mx_status_t open_tree(void)
{
    const char *reason;

    tree_finish(&tree);
    return fdt_open(&fdt, tree.blob, tree.blob_bytes, &reason);
}

// / { #cells = 2, 2; soc { ranges; bus@1 { #cells 1, 1; device@10 { } } }; empty }
static void build_example(void)
{
    start();
    tree_begin(&tree, "");
    tree_cells(&tree, "#address-cells", 2);
    tree_cells(&tree, "#size-cells", 2);
    tree_cells(&tree, "interrupt-parent", 7);
    tree_token(&tree, 4);
    tree_begin(&tree, "soc");
    tree_property(&tree, "ranges", "", 0);
    tree_cells(&tree, "#address-cells", 2);
    tree_cells(&tree, "#size-cells", 2);
    tree_begin(&tree, "bus@1");
    tree_cells(&tree, "#address-cells", 1);
    tree_cells(&tree, "#size-cells", 1);
    tree_cells(&tree, "ranges", 0, 1, 0x80000000, 0x1000, 0x1000, 2, 0, 0x1000);
    tree_begin(&tree, "device@10");
    tree_property(&tree, "compatible", "best,chip\0good,chip", 20);
    tree_cells(&tree, "reg", 0x10, 0x20, 0x1100, 0x100, 0x2000, 1, 0xff0, 0x20);
    tree_text(&tree, "status", "okay");
    tree_end(&tree);
    tree_end(&tree);
    tree_end(&tree);
    tree_begin(&tree, "empty");
    tree_text(&tree, "status", "disabled");
    tree_cells(&tree, "interrupt-parent", 9);
    tree_end(&tree);
    tree_end(&tree);
}

TEST(nodes_are_found_by_path)
{
    build_example();
    ASSERT_OK(open_tree());
    ASSERT_TRUE(fdt_find(&fdt, "/soc/bus@1/device@10", &node));
    EXPECT_STR_EQ(fdt_name(&fdt, &node), "device@10");
    EXPECT_EQ(node.depth, 3u);
    EXPECT_TRUE(fdt_find(&fdt, "/soc/bus/device", &node));
    EXPECT_TRUE(fdt_find(&fdt, "/soc/bus/device:115200n8", &node));
    EXPECT_TRUE(fdt_find(&fdt, "/empty", &node));
    EXPECT_TRUE(fdt_find(&fdt, "/", &node));
    EXPECT_EQ(node.depth, 0u);
    EXPECT_FALSE(fdt_find(&fdt, "/soc/bus@2", &node));
    EXPECT_FALSE(fdt_find(&fdt, "/soc/device", &node));
    EXPECT_FALSE(fdt_find(&fdt, "/bus@1", &node));
    EXPECT_FALSE(fdt_find(&fdt, "/empty/device", &node));
    EXPECT_FALSE(fdt_find(&fdt, "soc", &node));
    EXPECT_FALSE(fdt_find(&fdt, "/so", &node));
}

TEST(walk_visits_every_node_once)
{
    static const char *const names[] = {"", "soc", "bus@1", "device@10", "empty"};
    unsigned count = 0;

    build_example();
    ASSERT_OK(open_tree());
    fdt_start(&fdt, &node);
    do {
        ASSERT_TRUE(count < 5);
        EXPECT_STR_EQ(fdt_name(&fdt, &node), names[count++]);
    } while (fdt_next(&fdt, &node));
    EXPECT_EQ(count, 5u);
}

TEST(properties_are_read_by_kind)
{
    struct fdt_property property;
    uint64_t number = 0;
    uint32_t value = 0;

    build_example();
    ASSERT_OK(open_tree());
    ASSERT_TRUE(fdt_find(&fdt, "/", &node));
    EXPECT_TRUE(fdt_get_u32(&fdt, &node, "#address-cells", &value));
    EXPECT_EQ(value, 2u);
    EXPECT_TRUE(fdt_get_number(&fdt, &node, "#size-cells", &number));
    EXPECT_EQ(number, 2u);
    EXPECT_FALSE(fdt_get(&fdt, &node, "ranges", &property));       // its child's
    EXPECT_TRUE(fdt_get_text(&fdt, &node, "#size-cells") == NULL); // does not end in NUL
    ASSERT_TRUE(fdt_find(&fdt, "/soc/bus/device", &node));
    EXPECT_TRUE(fdt_is_compatible(&fdt, &node, "good,chip"));
    EXPECT_TRUE(fdt_is_compatible(&fdt, &node, "best,chip"));
    EXPECT_FALSE(fdt_is_compatible(&fdt, &node, "good"));
    EXPECT_TRUE(fdt_is_enabled(&fdt, &node));
    EXPECT_FALSE(fdt_get_u32(&fdt, &node, "reg", &value));
    EXPECT_FALSE(fdt_get_number(&fdt, &node, "reg", &number));
    ASSERT_TRUE(fdt_get(&fdt, &node, "reg", &property));
    EXPECT_TRUE(fdt_cell(&property, 7, &value));
    EXPECT_EQ(value, 0x20u);
    EXPECT_FALSE(fdt_cell(&property, 8, &value));
    ASSERT_TRUE(fdt_find(&fdt, "/empty", &node));
    EXPECT_FALSE(fdt_is_enabled(&fdt, &node));
}

TEST(addresses_are_translated_through_buses)
{
    struct fdt_range range;

    build_example();
    ASSERT_OK(open_tree());
    ASSERT_TRUE(fdt_find(&fdt, "/soc/bus/device", &node));
    ASSERT_TRUE(fdt_get_reg(&fdt, &node, 0, &range));
    EXPECT_EQ(range.base, 0x180000010u);
    EXPECT_EQ(range.size_bytes, 0x20u);
    ASSERT_TRUE(fdt_get_reg(&fdt, &node, 1, &range));
    EXPECT_EQ(range.base, 0x200000100u);
    EXPECT_FALSE(fdt_get_reg(&fdt, &node, 2, &range)); // in no range
    EXPECT_FALSE(fdt_get_reg(&fdt, &node, 3, &range)); // beyond the end of its range
    EXPECT_FALSE(fdt_get_reg(&fdt, &node, 4, &range));
    EXPECT_FALSE(fdt_get_reg(&fdt, &node, UINT32_MAX / 2, &range));
    ASSERT_TRUE(fdt_find(&fdt, "/empty", &node));
    EXPECT_FALSE(fdt_get_reg(&fdt, &node, 0, &range));
}

TEST(interrupt_parent_is_inherited)
{
    uint32_t phandle = 0;

    build_example();
    ASSERT_OK(open_tree());
    ASSERT_TRUE(fdt_find(&fdt, "/soc/bus/device", &node));
    ASSERT_TRUE(fdt_interrupt_parent(&fdt, &node, &phandle));
    EXPECT_EQ(phandle, 7u);
    ASSERT_TRUE(fdt_find(&fdt, "/empty", &node));
    ASSERT_TRUE(fdt_interrupt_parent(&fdt, &node, &phandle));
    EXPECT_EQ(phandle, 9u);
}

TEST(reservations_are_listed)
{
    struct fdt_range range;

    build_example();
    tree_reserve(&tree, 0x1000, 0x2000);
    tree_reserve(&tree, 0x8000000000, 1);
    ASSERT_OK(open_tree());
    ASSERT_TRUE(fdt_reservation(&fdt, 1, &range));
    EXPECT_EQ(range.base, 0x8000000000u);
    EXPECT_FALSE(fdt_reservation(&fdt, 2, &range));
}

TEST(unsound_headers_are_refused)
{
    static const struct {
        uint32_t offset, value;
    } changes[] = {{0, 0xd00dfeee}, {4, 39},          {4, 0x7fffffff},  {8, 0xfffffff0},
                   {8, 42},         {12, 0xffffff00}, {16, 0xfffffff8}, {20, 15},
                   {24, 18},        {32, 0x7fffffff}, {36, 8},          {36, 0xfffffff0}};
    const char *reason;

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        build_example();
        tree_finish(&tree);
        tree_put32(tree.blob + changes[i].offset, changes[i].value);
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY,
                      fdt_open(&fdt, tree.blob, tree.blob_bytes, &reason));
        EXPECT_TRUE(reason != NULL);
    }
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, fdt_open(&fdt, tree.blob, 3, &reason));
    EXPECT_EQ(fdt_total_size("\xd0\x0d\xfe\xed\0\0\x12\x34"
                             "0123456789012345678901234567890123456789"),
              0x1234u);
    EXPECT_EQ(fdt_total_size("no device tree, but of the size of a header......"), 0u);
}

TEST(unbalanced_nodes_are_refused)
{
    start();
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, open_tree());
    start();
    tree_begin(&tree, "");
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, open_tree());
    start();
    tree_begin(&tree, "");
    tree_end(&tree);
    tree_end(&tree);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, open_tree());
    start();
    tree_begin(&tree, "");
    tree_end(&tree);
    tree_begin(&tree, "second");
    tree_end(&tree);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, open_tree());
}

TEST(too_deep_trees_are_refused)
{
    for (unsigned depth = FDT_DEPTH_MAX; depth <= FDT_DEPTH_MAX + 1; depth++) {
        start();
        for (unsigned i = 0; i < depth; i++)
            tree_begin(&tree, i == 0 ? "" : "n");
        for (unsigned i = 0; i < depth; i++)
            tree_end(&tree);
        EXPECT_STATUS(depth == FDT_DEPTH_MAX ? MX_OK : MX_ERR_IO_DATA_INTEGRITY, open_tree());
    }
}

TEST(misplaced_properties_are_refused)
{
    start();
    tree_cells(&tree, "p", 1);
    tree_begin(&tree, "");
    tree_end(&tree);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, open_tree());
    start();
    tree_begin(&tree, "");
    tree_begin(&tree, "child");
    tree_end(&tree);
    tree_cells(&tree, "p", 1);
    tree_end(&tree);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, open_tree());
}

// A property as the last thing of the structure block, with this size and offset of its name.
static mx_status_t open_with_property(uint32_t size, uint32_t name)
{
    start();
    tree_begin(&tree, "");
    tree_text(&tree, "p", "t");
    tree_token(&tree, 3);
    tree_token(&tree, size);
    tree_token(&tree, name);
    tree_end(&tree);
    return open_tree();
}

TEST(properties_beyond_their_block_are_refused)
{
    EXPECT_OK(open_with_property(0, 0));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, open_with_property(0, 2));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, open_with_property(0, UINT32_MAX));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, open_with_property(9, 0));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, open_with_property(UINT32_MAX, 0));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, open_with_property(UINT32_MAX - 2, 0));
}

TEST(every_cut_and_every_changed_byte_is_survived)
{
    const char *reason;
    uint8_t copy[TREE_BYTES];
    struct fdt_range range;
    uint32_t phandle;

    build_example();
    tree_finish(&tree);
    for (uint32_t size = 0; size < tree.blob_bytes; size++)
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, fdt_open(&fdt, tree.blob, size, &reason));
    for (uint32_t i = 0; i < tree.blob_bytes * 8; i++) {
        memcpy(copy, tree.blob, tree.blob_bytes);
        copy[i / 8] ^= (uint8_t)(1u << i % 8);
        if (fdt_open(&fdt, copy, tree.blob_bytes, &reason) != MX_OK)
            continue;
        fdt_start(&fdt, &node);
        do {
            (void)fdt_get_reg(&fdt, &node, 1, &range);
            (void)fdt_is_compatible(&fdt, &node, "good,chip");
            (void)fdt_interrupt_parent(&fdt, &node, &phandle);
        } while (fdt_next(&fdt, &node));
    }
}
