// Device trees taken apart: what dtc compiles is found again, and what is damaged is refused.
#include <string.h>

#include "tests/unit/host_tool.h"
#include "vmm/arm64/fdt_tree.h"

static struct fdt_tree tree;
static uint8_t blob[65536], good[4096], written[4096];
static size_t good_bytes;
static struct fdt_node *root;
static const char *problem;

static const char SOURCE[] =
    "/dts-v1/; / { model = \"m\"; "
    "a: soc { one@10 { x = <1 2>; phandle = <7>; }; two { }; one@20 { }; }; "
    "b { y; two = \"a\", \"b\"; }; };";

static void compile(const char *text)
{
    good_bytes = host_tool_run("dtc -q -f -I dts -O dtb", text, strlen(text), good, sizeof(good));
}

static mx_status_t parse(const uint8_t *bytes, size_t size_bytes)
{
    tree.node_count = tree.property_count = 0;
    root = NULL;
    problem = NULL;
    memcpy(blob, bytes, size_bytes);
    return fdt_tree_parse(&tree, blob, size_bytes, &root, &problem);
}

static struct fdt_node *find(const char *path)
{
    return fdt_tree_find_path(root, path, strlen(path));
}

static void expect_refused(mx_status_t status, const char *part)
{
    EXPECT_STATUS(status, parse(good, good_bytes));
    EXPECT_TRUE(problem && strstr(problem, part) != NULL);
    if (!problem || !strstr(problem, part))
        printf("# %s: %s\n", part, problem ? problem : "none");
}

TEST(nodes_are_found_by_path)
{
    compile(SOURCE);
    ASSERT_OK(parse(good, good_bytes));
    EXPECT_TRUE(find("/") == root);
    EXPECT_STR_EQ(find("/soc/one@20")->name, "one@20");
    EXPECT_STR_EQ(find("/soc/one")->name, "one@10");
    EXPECT_STR_EQ(find("//soc//two/")->name, "two");
    EXPECT_TRUE(find("/soc/on") == NULL);
    EXPECT_TRUE(find("/soc/one@2") == NULL);
    EXPECT_TRUE(find("soc") == NULL);
    EXPECT_TRUE(find("") == NULL);
    EXPECT_TRUE(find("/b/c/d") == NULL);
    EXPECT_TRUE(fdt_tree_find_child(find("/soc"), "one") == NULL);
    EXPECT_TRUE(fdt_tree_find_phandle(root, 7) == find("/soc/one@10"));
    EXPECT_TRUE(fdt_tree_find_phandle(root, 8) == NULL);
    EXPECT_TRUE(fdt_tree_find_phandle(root, 0) == NULL);
}

TEST(properties_have_their_values)
{
    compile(SOURCE);
    ASSERT_OK(parse(good, good_bytes));
    EXPECT_STR_EQ(fdt_tree_text(fdt_tree_find_property(root, "model")), "m");
    EXPECT_EQ(fdt_tree_find_property(find("/b"), "y")->size_bytes, 0);
    EXPECT_TRUE(fdt_tree_text(fdt_tree_find_property(find("/b"), "y")) == NULL);
    EXPECT_TRUE(fdt_tree_text(fdt_tree_find_property(find("/b"), "two")) == NULL);
    EXPECT_BYTES_EQ(fdt_tree_find_property(find("/soc/one"), "x")->value, "\0\0\0\1\0\0\0\2", 8);
    EXPECT_TRUE(fdt_tree_find_property(root, "y") == NULL);
}

TEST(every_node_is_visited_once)
{
    static const char *const names[] = {"", "soc", "one@10", "two", "one@20", "b"};
    unsigned count = 0;

    compile(SOURCE);
    ASSERT_OK(parse(good, good_bytes));
    for (struct fdt_node *node = root; node; node = fdt_tree_next(root, node)) {
        ASSERT_TRUE(count < 6);
        EXPECT_STR_EQ(node->name, names[count++]);
    }
    EXPECT_EQ(count, 6);
    EXPECT_TRUE(fdt_tree_next(find("/soc/two"), find("/soc/two")) == NULL);
}

TEST(tree_is_written_as_it_was_read)
{
    struct fdt_builder builder;
    size_t written_bytes;

    compile(SOURCE);
    ASSERT_OK(parse(good, good_bytes));
    fdt_builder_init(&builder, written, sizeof(written));
    fdt_tree_write(root, &builder);
    ASSERT_OK(fdt_builder_finish(&builder, 0, &written_bytes));
    char before[2000], after[2000];
    const size_t before_bytes =
        host_tool_run("dtc -q -f -I dtb -O dts", good, good_bytes, before, sizeof(before));
    const size_t after_bytes =
        host_tool_run("dtc -q -f -I dtb -O dts", written, written_bytes, after, sizeof(after));
    EXPECT_EQ(before_bytes, after_bytes);
    EXPECT_BYTES_EQ(before, after, before_bytes);
}

TEST(tree_that_is_cut_off_is_refused_everywhere)
{
    compile(SOURCE);
    for (size_t size = 0; size < good_bytes; size++)
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, parse(good, size));
    EXPECT_OK(parse(good, good_bytes));
}

// A cell of the header, and what is said about it.
TEST(lies_of_the_header_are_refused)
{
    static const struct {
        unsigned offset;
        uint32_t value;
        mx_status_t status;
        const char *part;
    } lies[] = {
        {0, 0xd00dfeee, MX_ERR_IO_DATA_INTEGRITY, "begin"},
        {4, 39, MX_ERR_IO_DATA_INTEGRITY, "cut off"},
        {4, UINT32_MAX, MX_ERR_IO_DATA_INTEGRITY, "cut off"},
        {8, UINT32_MAX, MX_ERR_IO_DATA_INTEGRITY, "blocks"},
        {8, 60, MX_ERR_IO_DATA_INTEGRITY, ""},
        {12, UINT32_MAX - 8, MX_ERR_IO_DATA_INTEGRITY, "blocks"},
        {12, 60, MX_ERR_IO_DATA_INTEGRITY, "overlap"},
        {20, 16, MX_ERR_NOT_SUPPORTED, "version"},
        {24, 18, MX_ERR_NOT_SUPPORTED, "version"},
        {32, UINT32_MAX, MX_ERR_IO_DATA_INTEGRITY, "blocks"},
        {32, 1, MX_ERR_IO_DATA_INTEGRITY, "name"},
        {36, UINT32_MAX, MX_ERR_IO_DATA_INTEGRITY, "blocks"},
        {36, 8, MX_ERR_IO_DATA_INTEGRITY, "structure is cut off"},
    };

    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        compile(SOURCE);
        for (unsigned byte = 0; byte < 4; byte++)
            good[lies[i].offset + byte] = (uint8_t)(lies[i].value >> (24 - 8 * byte));
        expect_refused(lies[i].status, lies[i].part);
    }
}

// The structure block as a list of cells; the strings are "x".
static void put_structure(const uint32_t *cells, unsigned count)
{
    const uint32_t header[] = {0xd00dfeed, 44 + 4 * count, 44, 40, 40, 17, 16, 0, 2, 4 * count};

    for (unsigned i = 0; i < 4 * (10 + 1 + count); i++) {
        const uint32_t cell = i < 40 ? header[i / 4] : i < 44 ? 0x78000000 : cells[i / 4 - 11];
        good[i] = (uint8_t)(cell >> (24 - 8 * (i % 4)));
    }
    good_bytes = 44 + 4 * count;
}

TEST(impossible_structures_are_refused)
{
    static const struct {
        const char *part;
        uint32_t cells[12];
    } structures[] = {
        {"ends within", {9}},
        {"ends within", {1, 0, 9}},
        {"more nodes end", {1, 0, 2, 2, 9}},
        {"no single root", {1, 0, 2, 1, 0, 2, 9}},
        {"no single root", {1, 0x61000000, 2, 9}},
        {"in no node", {3, 0, 0, 9}},
        {"cut off", {1, 0, 3, 1000, 0, 0, 2, 9}},
        {"cut off", {1, 0, 3, UINT32_MAX, 0, 0, 2, 9}},
        {"no name", {1, 0, 3, 0, 2, 2, 9}},
        {"no name", {1, 0, 3, 0, 1, 2, 9}}, // empty
        {"unknown", {1, 0, 5, 2, 9}},
        {"does not end",
         {1, 0, 1, 0x61616161, 0x61616161, 0x61616161, 0x61616161, 0x61616161, 0x61616161,
          0x61616161, 0x61616161, 0x61616161}},
        {"characters", {1, 0, 1, 0x612f6200, 2, 2, 9}},
        {"characters", {1, 0, 1, 0x1b610000, 2, 2, 9}},
        {"characters", {1, 0, 1, 0, 2, 2, 9}},
    };

    for (unsigned i = 0; i < sizeof(structures) / sizeof(structures[0]); i++) {
        put_structure(structures[i].cells, 12);
        expect_refused(MX_ERR_IO_DATA_INTEGRITY, structures[i].part);
    }
    put_structure((const uint32_t[]){4, 1, 0, 4, 3, 0, 0, 2, 4, 9}, 10);
    EXPECT_OK(parse(good, good_bytes));
}

// Many nodes of one name, below or beside one another.
static mx_status_t parse_many(unsigned count, bool are_nested)
{
    static uint32_t cells[3 * (FDT_TREE_NODES_MAX + 2)];
    static uint8_t large[sizeof(cells) + 44];
    unsigned at = 0;

    cells[at++] = 1;
    cells[at++] = 0;
    for (unsigned i = 1; i < count; i++) {
        cells[at++] = 1;
        cells[at++] = 0x61000000;
        if (!are_nested)
            cells[at++] = 2;
    }
    for (unsigned i = 0; i < (are_nested ? count : 1); i++)
        cells[at++] = 2;
    cells[at++] = 9;
    const uint32_t header[] = {0xd00dfeed, 44 + 4 * at, 44, 40, 40, 17, 16, 0, 2, 4 * at};
    for (unsigned i = 0; i < 4 * (11 + at); i++) {
        const uint32_t cell = i < 40 ? header[i / 4] : i < 44 ? 0x78000000 : cells[i / 4 - 11];
        large[i] = (uint8_t)(cell >> (24 - 8 * (i % 4)));
    }
    return parse(large, 4 * (11 + at));
}

TEST(trees_beyond_the_limits_are_refused)
{
    EXPECT_OK(parse_many(FDT_TREE_NODES_MAX, false));
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, parse_many(FDT_TREE_NODES_MAX + 1, false));
    EXPECT_OK(parse_many(FDT_TREE_DEPTH_MAX, true));
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, parse_many(FDT_TREE_DEPTH_MAX + 1, true));
}
