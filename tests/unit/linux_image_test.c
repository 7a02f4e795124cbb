// Linux/arm64 Images, plain and compressed, with synthetic ones and with every lie a header can
// tell.
#include "tests/unit/arm64_boot_fixture.h"
#include "tests/unit/host_tool.h"
#include "vmm/loader/arm64/linux_image.h"

static uint8_t packed[2 * IMAGE_BYTES];

static void pack(void)
{
    const size_t packed_bytes =
        host_tool_run("gzip -n -c", image, sizeof(image), packed, sizeof(packed));
    request.kernel = (struct boot_blob){packed, packed_bytes};
}

TEST(image_goes_to_the_lowest_place)
{
    set_up();
    EXPECT_OK(load());
    EXPECT_EQ(state.pc, 0x200000);
    EXPECT_EQ(state.kernel.start, 0x200000);
    EXPECT_EQ(state.kernel.size_bytes, IMAGE_SIZE);
    EXPECT_BYTES_EQ(ram + 0x200000, image, sizeof(image));
    EXPECT_EQ(ram[0x200000 + sizeof(image)], 0);
}

TEST(text_offset_is_kept)
{
    set_up();
    put(image + 8, 0x80000, 8);
    request.low_ram.start += 1; // the boundary behind it
    request.low_ram.size_bytes -= 1;
    EXPECT_OK(load());
    EXPECT_EQ(state.pc, 0x480000);
    EXPECT_BYTES_EQ(ram + 0x480000, image, sizeof(image));
}

TEST(compressed_image_is_decompressed_to_its_place)
{
    set_up();
    put(image + 8, 0x1000, 8);
    pack();
    EXPECT_OK(load());
    EXPECT_EQ(state.pc, 0x201000);
    EXPECT_EQ(state.kernel.size_bytes, IMAGE_SIZE);
    EXPECT_BYTES_EQ(ram + 0x201000, image, sizeof(image));
}

struct lie {
    unsigned offset, width_bytes;
    uint64_t value;
    mx_status_t status;
    const char *reason;
};

static const struct lie LIES[] = {
    {0x08, 8, 0x200000, MX_ERR_IO_DATA_INTEGRITY, "text_offset"},
    {0x08, 8, UINT64_MAX, MX_ERR_IO_DATA_INTEGRITY, "text_offset"},
    {0x10, 8, 0, MX_ERR_NOT_SUPPORTED, "3.17"},
    {0x10, 8, IMAGE_BYTES - 1, MX_ERR_IO_DATA_INTEGRITY, "image_size"},
    {0x10, 8, RAM_BYTES, MX_ERR_NO_MEMORY, "more memory"},
    {0x10, 8, UINT64_MAX, MX_ERR_NO_MEMORY, "more memory"},
    {0x10, 8, UINT64_MAX - 0x1fffff, MX_ERR_NO_MEMORY, "more memory"},
    {0x18, 8, 0x0b, MX_ERR_NOT_SUPPORTED, "big-endian"},
    {0x38, 4, 0, MX_ERR_NOT_SUPPORTED, "arm64 Image"},
};

TEST(lies_of_the_header_are_refused)
{
    for (size_t i = 0; i < sizeof(LIES) / sizeof(LIES[0]); i++) {
        set_up();
        put(image + LIES[i].offset, LIES[i].value, LIES[i].width_bytes);
        expect_refused(LIES[i].status, LIES[i].reason);
        pack();
        expect_refused(LIES[i].status, LIES[i].reason);
    }
}

// A PE header at 0x40 with two sections.
static void make_pe(void)
{
    memcpy(image, "MZ", 2);
    put(image + 0x3c, 0x40, 4);
    memcpy(image + 0x40, "PE\0\0", 4);
    put(image + 0x46, 2, 2);
    put(image + 0x54, 16, 2); // of the optional header
    for (unsigned i = 0; i < 2; i++) {
        put(image + 0x68 + 40 * i + 16, 0x1000, 4);
        put(image + 0x68 + 40 * i + 20, 0x1000 + 0x1000 * i, 4);
    }
}

TEST(truncated_file_is_seen_by_its_pe_header)
{
    set_up();
    make_pe();
    EXPECT_OK(load());
    for (uint64_t bytes = 64; bytes < sizeof(image); bytes += 31) {
        request.kernel.size_bytes = bytes;
        expect_refused(MX_ERR_IO_DATA_INTEGRITY, "truncated: ");
    }
    request.kernel.size_bytes = sizeof(image);
    put(image + 0x3c, UINT32_MAX, 4);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "describes 4294967319");
    make_pe();
    put(image + 0x68 + 16, UINT32_MAX, 4);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "describes 4294971391");
    make_pe();
    put(image + 0x46, UINT16_MAX, 2);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "truncated");
    make_pe();
    memcpy(image + 0x40, "XE", 2); // then it is none, and says nothing of its length
    EXPECT_OK(load());
}

TEST(damaged_compression_is_refused)
{
    set_up();
    pack();
    for (size_t bytes = 2; bytes < request.kernel.size_bytes; bytes += 97) {
        struct boot_request cut = request;
        cut.kernel.size_bytes = bytes;
        struct boot_range placed;
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, linux_image_load(&cut, &placed));
        EXPECT_TRUE(strstr(reason, "kernel: compressed file: ") != NULL);
        EXPECT_EQ(placed.size_bytes, 0);
    }
    packed[request.kernel.size_bytes - 6] ^= 1;
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "CRC");
}

TEST(other_files_are_named)
{
    static const struct {
        const char *bytes;
        const char *reason;
    } files[] = {{"\xfd"
                  "7zXZ",
                  "neither"},
                 {"\x28\xb5\x2f\xfd", "zstd"},
                 {"070701", "ramdisk"},
                 {"\xd0\x0d\xfe\xed", "dtb-overlay"},
                 {"!<arch>", "Debian"}};

    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        set_up();
        request.kernel = (struct boot_blob){files[i].bytes, strlen(files[i].bytes)};
        expect_refused(MX_ERR_NOT_SUPPORTED, files[i].reason);
    }
    set_up();
    request.kernel.size_bytes = 63;
    expect_refused(MX_ERR_NOT_SUPPORTED, "neither");
    request.kernel.size_bytes = 0;
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "empty");
}

TEST(ram_that_is_not_there_is_told)
{
    set_up();
    request.low_ram.size_bytes = UINT64_C(1) << 30;
    put(image + 0x10, RAM_BYTES, 8);
    expect_refused(MX_ERR_OUT_OF_RANGE, "does not exist");
}
