// The bytes of a small tree, what dtc makes of it, and every way to break one.
#include <string.h>

#include "tests/unit/host_tool.h"
#include "vmm/arm64/fdt_builder.h"

static uint8_t blob[4096];
static struct fdt_builder builder;
static size_t blob_bytes;

static void build(void)
{
    static const char *const names[] = {"one", "", "three"};

    fdt_builder_begin_node(&builder, "");
    fdt_builder_put_string(&builder, "model", "m");
    fdt_builder_put_u32(&builder, "#size-cells", 2);
    fdt_builder_begin_node_at(&builder, "device", 0x8001000ffull);
    fdt_builder_put_strings(&builder, "names", names, 3);
    fdt_builder_put_empty(&builder, "empty");
    fdt_builder_put_u64(&builder, "wide", 0x0123456789abcdefull);
    fdt_builder_put_property(&builder, "model", "\x01\x02\x03\x04\x05", 5);
    fdt_builder_end_node(&builder);
    fdt_builder_begin_node(&builder, "last");
    fdt_builder_end_node(&builder);
    fdt_builder_end_node(&builder);
}

TEST(header_and_blocks_are_those_of_version_17)
{
    static const uint8_t expected[] = {
        0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 80, // magic, total size
        0,    0,    0,    56,   0, 0, 0, 72, // structure, strings
        0,    0,    0,    40,   0, 0, 0, 17, // reservations, version
        0,    0,    0,    16,   0, 0, 0, 5,  // compatible, boot CPU
        0,    0,    0,    2,    0, 0, 0, 16, // sizes
        0,    0,    0,    0,    0, 0, 0, 0,  0, 0, 0, 0,
        0,    0,    0,    0,    0, 0, 0, 1,  0, 0, 0, 0, // begin ""
        0,    0,    0,    2,    0, 0, 0, 9,              // end node, end
        'x',  0,    0,    0,    0, 0, 0, 0,
    };

    fdt_builder_init(&builder, blob, sizeof(blob));
    fdt_builder_begin_node(&builder, "");
    fdt_builder_end_node(&builder);
    memcpy(builder.strings, "x", 2);
    builder.strings_bytes = 2;
    EXPECT_OK(fdt_builder_finish(&builder, 5, &blob_bytes));
    EXPECT_EQ(blob_bytes, 76);
    EXPECT_BYTES_EQ(blob + 8, expected + 8, 68);
}

TEST(dtc_reads_what_was_built)
{
    static const char expected[] = "/dts-v1/;\n\n/ {\n"
                                   "\tmodel = \"m\";\n"
                                   "\t#size-cells = <0x02>;\n\n"
                                   "\tdevice@8001000ff {\n"
                                   "\t\tnames = \"one\\0\\0three\";\n"
                                   "\t\tempty;\n"
                                   "\t\twide = <0x1234567 0x89abcdef>;\n"
                                   "\t\tmodel = [01 02 03 04 05];\n"
                                   "\t};\n\n"
                                   "\tlast {\n\t};\n};\n";
    char source[2000];

    fdt_builder_init(&builder, blob, sizeof(blob));
    build();
    EXPECT_OK(fdt_builder_finish(&builder, 0, &blob_bytes));
    const size_t size = host_tool_run("dtc -q -f -I dtb -O dts", blob, blob_bytes, source, 1999);
    source[size] = '\0';
    EXPECT_STR_EQ(source, expected);
}

TEST(tree_that_does_not_fit_is_refused_and_writes_nothing_behind)
{
    fdt_builder_init(&builder, blob, sizeof(blob));
    build();
    EXPECT_OK(fdt_builder_finish(&builder, 0, &blob_bytes));
    const size_t needed = blob_bytes;
    for (size_t capacity = 0; capacity < needed; capacity++) {
        uint8_t *exact = malloc(capacity + !capacity);
        fdt_builder_init(&builder, exact, capacity);
        build();
        EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, fdt_builder_finish(&builder, 0, &blob_bytes));
        free(exact);
    }
}

TEST(calls_out_of_order_are_refused)
{
    fdt_builder_init(&builder, blob, sizeof(blob));
    EXPECT_STATUS(MX_ERR_BAD_STATE, fdt_builder_finish(&builder, 0, &blob_bytes));
    fdt_builder_init(&builder, blob, sizeof(blob));
    fdt_builder_begin_node(&builder, "");
    EXPECT_STATUS(MX_ERR_BAD_STATE, fdt_builder_finish(&builder, 0, &blob_bytes));
    fdt_builder_init(&builder, blob, sizeof(blob));
    build();
    fdt_builder_end_node(&builder);
    EXPECT_STATUS(MX_ERR_BAD_STATE, fdt_builder_finish(&builder, 0, &blob_bytes));
    fdt_builder_init(&builder, blob, sizeof(blob));
    build();
    build();
    EXPECT_STATUS(MX_ERR_BAD_STATE, fdt_builder_finish(&builder, 0, &blob_bytes));
    fdt_builder_init(&builder, blob, sizeof(blob));
    fdt_builder_begin_node(&builder, "");
    fdt_builder_begin_node(&builder, "child");
    fdt_builder_end_node(&builder);
    fdt_builder_put_empty(&builder, "late");
    fdt_builder_end_node(&builder);
    EXPECT_STATUS(MX_ERR_BAD_STATE, fdt_builder_finish(&builder, 0, &blob_bytes));
}

TEST(names_without_end_do_not_fit)
{
    static uint8_t room[1 << 20];
    char name[16];

    fdt_builder_init(&builder, room, sizeof(room));
    fdt_builder_begin_node(&builder, "");
    for (unsigned i = 0; i < FDT_BUILDER_STRINGS_BYTES / 8; i++) {
        snprintf(name, sizeof(name), "name%08u", i);
        fdt_builder_put_empty(&builder, name);
    }
    fdt_builder_end_node(&builder);
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, fdt_builder_finish(&builder, 0, &blob_bytes));
}
