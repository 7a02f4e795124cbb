// The 64-bit boot protocol of Linux/x86, with synthetic images and with every lie a header can
// tell.
#include "tests/unit/linux_loader_fixture.h"
#include "vmm/loader/x86_64/linux_bzimage.h"
#include "vmm/loader/x86_64/x86_boot_tables.h"

#define SETUP_BYTES ((2 + 1) * 512)
#define CODE_BYTES  0x1000
#define IMAGE_BYTES (SETUP_BYTES + CODE_BYTES)
#define INIT_SIZE   0x200000
#define PREFERRED   0x400000

static uint8_t image[IMAGE_BYTES];

static mx_status_t load(void)
{
    return linux_bzimage_load(&loader_request, &loader_map, &loader_state);
}

// A good image that can be loaded anywhere, and a guest to load it.
static void set_up(void)
{
    memset(image, 0, sizeof(image));
    image[0x1f1] = 2;
    put(image + 0x1f4, CODE_BYTES / 16, 4);
    put(image + 0x1fe, 0xaa55, 2);
    put(image + 0x200, 0x6aeb, 2); // ends at 0x26c
    memcpy(image + 0x202, "HdrS", 4);
    put(image + 0x206, 0x020f, 2);
    image[0x211] = 0x01;
    put(image + 0x22c, 0x7fffffff, 4);
    put(image + 0x230, 0x200000, 4);
    image[0x234] = 1;
    put(image + 0x236, 0x0003, 2);
    put(image + 0x238, 2047, 4);
    put(image + 0x258, PREFERRED, 8);
    put(image + 0x260, INIT_SIZE, 4);
    memset(image + SETUP_BYTES, 0xc3, CODE_BYTES);
    loader_set_up(image, sizeof(image));
}

static void expect_refused(mx_status_t status, const char *part)
{
    EXPECT_STATUS(status, load());
    EXPECT_TRUE(strstr(loader_reason, part) != NULL);
    if (!strstr(loader_reason, part))
        printf("# reason: %s\n", loader_reason);
    EXPECT_TRUE(strchr(loader_reason, '\n') == NULL);
}

TEST(code_goes_to_its_preferred_address)
{
    set_up();
    ASSERT_OK(load());
    EXPECT_EQ(loader_state.mode, X86_BOOT_MODE_LONG);
    EXPECT_EQ(loader_state.rip, PREFERRED + 0x200);
    EXPECT_EQ(loader_state.kernel.size_bytes, INIT_SIZE);
    EXPECT_EQ(guest_read(PREFERRED, 1), 0xc3);
    EXPECT_EQ(guest_read(PREFERRED + CODE_BYTES - 1, 1), 0xc3);
}

TEST(zero_page_describes_the_machine)
{
    set_up();
    ASSERT_OK(load());
    uint64_t zero_page = loader_state.rsi;
    EXPECT_EQ(zero_page % 4096, 0);
    EXPECT_EQ(guest_read(zero_page + 0x202, 4), 0x53726448);
    EXPECT_EQ(guest_read(zero_page + 0x210, 1), 0xff);
    EXPECT_EQ(guest_read(zero_page + 0x70, 8), 0xe0010);
    EXPECT_EQ(guest_read(zero_page + 0x1e8, 1), 4);
    EXPECT_EQ(guest_read(zero_page + 0x2d0 + 3 * 20, 8), HIGH_START);
    EXPECT_EQ(guest_read(zero_page + 0x2d0 + 20 + 16, 4), BOOT_E820_RESERVED);
    EXPECT_EQ(guest_read(zero_page + 0x1ef, 1), 0); // sentinel
    EXPECT_EQ(guest_read(zero_page + 0x218, 4), 0);
    EXPECT_EQ(guest_read(zero_page + 0x21c, 4), 0);
    char text[14];
    EXPECT_OK(guest_memory_read(&loader_memory, guest_read(zero_page + 0x228, 4), text, 14));
    EXPECT_STR_EQ(text, "console=ttyS0");
}

TEST(only_the_header_of_the_file_gets_into_the_zero_page)
{
    set_up();
    memset(image + 0x26c, 0xee, 0x100);
    memset(image + 0x100, 0xee, 0xf1);
    ASSERT_OK(load());
    EXPECT_EQ(guest_read(loader_state.rsi + 0x26c, 8), 0);
    EXPECT_EQ(guest_read(loader_state.rsi + 0x1c0, 8), 0);
}

TEST(code_that_does_not_fit_its_preferred_address_goes_to_the_lowest_aligned_one)
{
    set_up();
    put(image + 0x258, 0x10000000, 8);
    ASSERT_OK(load());
    EXPECT_EQ(loader_state.kernel.start, 0x200000);
    put(image + 0x258, UINT64_MAX - 0xfff, 8);
    ASSERT_OK(load());
    EXPECT_EQ(loader_state.kernel.start, 0x200000);
    image[0x234] = 0;
    expect_refused(MX_ERR_NO_MEMORY, "not relocatable");
}

TEST(kernel_that_fits_nowhere_says_how_much_it_needs)
{
    set_up();
    put(image + 0x260, LOW_BYTES, 4);
    expect_refused(MX_ERR_NO_MEMORY, "16777216 bytes");
}

TEST(ramdisk_goes_as_high_as_low_ram_reaches)
{
    static const uint8_t RAMDISK[5000] = {0x30, 0x37};
    set_up();
    loader_request.ramdisk = (struct boot_blob){RAMDISK, sizeof(RAMDISK)};
    ASSERT_OK(load());
    EXPECT_EQ(loader_state.ramdisk.start, LOW_BYTES - 0x2000);
    EXPECT_EQ(guest_read(loader_state.rsi + 0x218, 4), LOW_BYTES - 0x2000);
    EXPECT_EQ(guest_read(loader_state.rsi + 0x21c, 4), 5000);
    EXPECT_EQ(guest_read(loader_state.ramdisk.start, 2), 0x3730);
}

TEST(ramdisk_stays_below_the_kernels_limit)
{
    static const uint8_t RAMDISK[100] = {1};
    set_up();
    put(image + 0x22c, 0x7fffff, 4);
    loader_request.ramdisk = (struct boot_blob){RAMDISK, sizeof(RAMDISK)};
    ASSERT_OK(load());
    EXPECT_EQ(loader_state.ramdisk.start, 0x7ff000);
}

TEST(ramdisk_goes_above_4_gib_only_if_the_kernel_can_take_it_there)
{
    static const uint8_t RAMDISK[0x3000] = {1};
    set_up();
    put(image + 0x22c, PREFERRED + INIT_SIZE + 0x1fff, 4); // room for two pages above the kernel
    loader_request.ramdisk = (struct boot_blob){RAMDISK, sizeof(RAMDISK)};
    ASSERT_OK(load());
    EXPECT_EQ(loader_state.ramdisk.start, HIGH_START + HIGH_BYTES - 0x3000);
    EXPECT_EQ(guest_read(loader_state.rsi + 0xc0, 4), 1);
    EXPECT_EQ(guest_read(loader_state.rsi + 0x218, 4), HIGH_BYTES - 0x3000);
    put(image + 0x236, 0x0001, 2);
    expect_refused(MX_ERR_NO_MEMORY, "ramdisk: 12288 bytes");
}

TEST(ramdisk_does_not_share_a_page_with_the_end_of_the_kernel)
{
    static const uint8_t RAMDISK[0x1000] = {1};
    set_up();
    put(image + 0x260, INIT_SIZE + 0x800, 4);
    put(image + 0x22c, PREFERRED + INIT_SIZE + 0x17ff, 4); // 4 KiB above the kernel, not aligned
    loader_request.ramdisk = (struct boot_blob){RAMDISK, sizeof(RAMDISK)};
    ASSERT_OK(load());
    EXPECT_EQ(loader_state.ramdisk.start, HIGH_START + HIGH_BYTES - 0x1000);
}

TEST(command_line_has_the_kernels_limit)
{
    static char line[2100];
    set_up();
    memset(line, 'a', 2048);
    line[2047] = '\0';
    loader_request.command_line = line;
    EXPECT_OK(load());
    EXPECT_EQ(loader_state.command_line.size_bytes, 2048);
    line[2047] = 'a';
    expect_refused(MX_ERR_INVALID_ARGS, "cmdline: 2048 characters");
    put(image + 0x238, UINT32_MAX, 4);
    EXPECT_OK(load());
}

TEST(no_command_line_is_an_empty_one)
{
    set_up();
    loader_request.command_line = NULL;
    EXPECT_OK(load());
    EXPECT_EQ(loader_state.command_line.size_bytes, 1);
}

TEST(page_tables_map_4_gib_to_itself)
{
    set_up();
    ASSERT_OK(load());
    uint64_t pointers = guest_read(loader_state.cr3, 8) & ~UINT64_C(0xfff);
    for (uint64_t gib = 0; gib < 4; gib++) {
        uint64_t directory = guest_read(pointers + gib * 8, 8) & ~UINT64_C(0xfff);
        EXPECT_EQ(guest_read(directory, 8), gib << 30 | 0x83);
        EXPECT_EQ(guest_read(directory + 511 * 8, 8), (gib << 30 | 511u << 21) + 0x83);
    }
    EXPECT_EQ(guest_read(pointers + 4 * 8, 8), 0);
    EXPECT_EQ(guest_read(loader_state.gdt + 0x10, 8), UINT64_C(0x00af9b000000ffff));
    EXPECT_EQ(loader_state.gdt_limit, 47);
}

TEST(every_truncation_is_refused_with_a_reason)
{
    set_up();
    for (uint64_t size_bytes = 0; size_bytes < IMAGE_BYTES; size_bytes++) {
        uint8_t *copy = malloc(size_bytes ? size_bytes : 1); // the sanitizer guards its end
        memcpy(copy, image, size_bytes);
        loader_request.kernel = (struct boot_blob){copy, size_bytes};
        loader_reason[0] = '\0';
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, load());
        EXPECT_EQ(strncmp(loader_reason, "kernel: ", 8), 0);
        free(copy);
    }
}

struct lie {
    uint16_t offset;
    uint8_t width_bytes;
    uint64_t value;
    mx_status_t status;
    const char *reason;
};

TEST(every_lie_in_the_header_is_refused)
{
    static const struct lie LIES[] = {
        {0x1f1, 1, 255, MX_ERR_IO_DATA_INTEGRITY, "truncated"},
        {0x1f1, 1, 0, MX_ERR_IO_DATA_INTEGRITY, "truncated"}, // 0 stands for 4
        {0x1f4, 4, 0, MX_ERR_IO_DATA_INTEGRITY, "syssize"},
        {0x1f4, 4, UINT32_MAX, MX_ERR_IO_DATA_INTEGRITY, "truncated"},
        {0x1fe, 2, 0, MX_ERR_IO_DATA_INTEGRITY, "0xaa55"},
        {0x201, 1, 0, MX_ERR_IO_DATA_INTEGRITY, "ends at 0x202"},
        {0x201, 1, 0xff, MX_ERR_IO_DATA_INTEGRITY, "ends at 0x301"},
        {0x202, 4, 0, MX_ERR_IO_DATA_INTEGRITY, "HdrS"},
        {0x206, 2, 0x020b, MX_ERR_NOT_SUPPORTED, "protocol 2.11"},
        {0x211, 1, 0, MX_ERR_NOT_SUPPORTED, "zImage"},
        {0x230, 4, 0, MX_ERR_IO_DATA_INTEGRITY, "kernel_alignment"},
        {0x230, 4, 0x300000, MX_ERR_IO_DATA_INTEGRITY, "kernel_alignment"},
        {0x230, 4, 0x80000000, MX_ERR_IO_DATA_INTEGRITY, "kernel_alignment"},
        {0x236, 2, 0, MX_ERR_NOT_SUPPORTED, "64-bit"},
        {0x260, 4, CODE_BYTES - 1, MX_ERR_IO_DATA_INTEGRITY, "init_size"},
        {0x260, 4, UINT32_MAX, MX_ERR_NO_MEMORY, "4294967295 bytes"},
    };
    for (size_t i = 0; i < sizeof(LIES) / sizeof(LIES[0]); i++) {
        set_up();
        put(image + LIES[i].offset, LIES[i].value, LIES[i].width_bytes);
        expect_refused(LIES[i].status, LIES[i].reason);
    }
}

// Struct setup_data: the next one's address, type, size, then the bytes.
TEST(device_tree_is_in_the_setup_data)
{
    static const uint8_t TREE[100] = {0xd0, 0x0d, 0xfe, 0xed};
    set_up();
    loader_request.device_tree_overlay = (struct boot_blob){TREE, sizeof(TREE)};
    EXPECT_OK(load());
    uint64_t data = guest_read(loader_state.rsi + 0x250, 8);
    EXPECT_TRUE(boot_range_contains(&loader_map.tables, data, 16 + sizeof(TREE)));
    EXPECT_EQ(guest_read(data, 8), 0);
    EXPECT_EQ(guest_read(data + 8, 4), 2);
    EXPECT_EQ(guest_read(data + 12, 4), sizeof(TREE));
    EXPECT_EQ(guest_read(data + 16, 4), 0xedfe0dd0);
    loader_request.device_tree_overlay.size_bytes = UINT64_C(1) << 33;
    expect_refused(MX_ERR_INVALID_ARGS, "dtb-overlay");
}

TEST(map_that_promises_absent_memory_is_an_error)
{
    set_up();
    loader_request.low_ram.size_bytes = UINT64_C(0x80000000);
    put(image + 0x258, 0x40000000, 8);
    expect_refused(MX_ERR_OUT_OF_RANGE, "does not exist");
}

TEST(malformed_maps_are_refused)
{
    set_up();
    loader_request.low_ram.size_bytes = UINT64_MAX;
    expect_refused(MX_ERR_INVALID_ARGS, "wrong side");
    set_up();
    loader_request.high_ram = (struct boot_range){HIGH_START, UINT64_MAX};
    expect_refused(MX_ERR_INVALID_ARGS, "wrong side");
    set_up();
    loader_map.e820_count = BOOT_E820_ENTRY_MAX + 1;
    expect_refused(MX_ERR_INVALID_ARGS, "129 entries");
    set_up();
    loader_map.tables.size_bytes = 0x2000;
    expect_refused(MX_ERR_NO_SPACE, "page tables");
}

TEST(reason_may_be_absent_or_tiny)
{
    set_up();
    loader_request.kernel.size_bytes = 10;
    loader_request.reason = NULL;
    loader_request.reason_bytes = 0;
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, load());
    char tiny[4];
    loader_request.reason = tiny;
    loader_request.reason_bytes = sizeof(tiny);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, load());
    EXPECT_STR_EQ(tiny, "ker");
}
