// PVH boot of ELF kernels, with a synthetic vmlinux and with every lie its headers can tell.
#include "tests/unit/linux_loader_fixture.h"
#include "vmm/loader/x86_64/kernel_image.h"
#include "vmm/loader/x86_64/linux_elf.h"

#define SEGMENT_0   64 // program headers
#define SEGMENT_1   (SEGMENT_0 + 56)
#define SEGMENT_2   (SEGMENT_1 + 56)
#define NOTES       0x100
#define NOTES_BYTES (12 + 4 + 4 + 12 + 4 + 8)
#define CODE        0x200
#define CODE_BYTES  0x100
#define IMAGE_BYTES (CODE + CODE_BYTES)
#define LOAD_0      0x400000
#define LOAD_1      0x600000
#define ENTRY       (LOAD_0 + 0x40)

static uint8_t image[IMAGE_BYTES];

static mx_status_t load(void)
{
    return linux_elf_load(&loader_request, &loader_map, &loader_state);
}

static void put_segment(unsigned at, uint32_t type, uint64_t offset, uint64_t address,
                        uint64_t file_bytes, uint64_t memory_bytes)
{
    put(image + at, type, 4);
    put(image + at + 8, offset, 8);
    put(image + at + 16, UINT64_C(0xffffffff80000000) + address, 8);
    put(image + at + 24, address, 8);
    put(image + at + 32, file_bytes, 8);
    put(image + at + 40, memory_bytes, 8);
}

static void set_up(void)
{
    memset(image, 0, sizeof(image));
    memcpy(image, "\177ELF\2\1\1", 7);
    put(image + 16, 2, 2);
    put(image + 18, 62, 2);
    put(image + 32, SEGMENT_0, 8);
    put(image + 54, 56, 2);
    put(image + 56, 3, 2);
    put_segment(SEGMENT_0, 1, CODE, LOAD_0, CODE_BYTES, 0x1000);
    put_segment(SEGMENT_1, 1, CODE, LOAD_1, 0x10, 0x20000);
    put_segment(SEGMENT_2, 4, NOTES, 0, NOTES_BYTES, NOTES_BYTES);
    put(image + NOTES, 4, 4); // another note of Xen first, with a value of 1 byte
    put(image + NOTES + 4, 1, 4);
    put(image + NOTES + 8, 6, 4);
    memcpy(image + NOTES + 12, "Xen", 4);
    put(image + NOTES + 20, 4, 4);
    put(image + NOTES + 24, 8, 4);
    put(image + NOTES + 28, 18, 4);
    memcpy(image + NOTES + 32, "Xen", 4);
    put(image + NOTES + 36, ENTRY, 8);
    memset(image + CODE, 0xc3, CODE_BYTES);
    loader_set_up(image, sizeof(image));
    memset(loader_low + LOAD_0, 0xee, 0x2000);
}

static void expect_refused(mx_status_t status, const char *part)
{
    EXPECT_STATUS(status, load());
    EXPECT_TRUE(strstr(loader_reason, part) != NULL);
    if (!strstr(loader_reason, part))
        printf("# reason: %s\n", loader_reason);
}

TEST(segments_are_loaded_and_their_rest_is_cleared)
{
    set_up();
    ASSERT_OK(load());
    EXPECT_EQ(loader_state.mode, X86_BOOT_MODE_PROTECTED_32);
    EXPECT_EQ(loader_state.rip, ENTRY);
    EXPECT_EQ(loader_state.cr3, 0);
    EXPECT_EQ(guest_read(LOAD_0 + CODE_BYTES - 1, 1), 0xc3);
    EXPECT_EQ(guest_read(LOAD_0 + CODE_BYTES, 8), 0);
    EXPECT_EQ(guest_read(LOAD_0 + 0xfff, 1), 0);
    EXPECT_EQ(guest_read(LOAD_0 + 0x1000, 1), 0xee);
    EXPECT_EQ(loader_state.kernel.start, LOAD_0);
    EXPECT_EQ(loader_state.kernel.size_bytes, LOAD_1 + 0x20000 - LOAD_0);
}

TEST(start_info_describes_the_machine)
{
    static const uint8_t RAMDISK[5000] = {0x30, 0x37};
    set_up();
    loader_request.ramdisk = (struct boot_blob){RAMDISK, sizeof(RAMDISK)};
    ASSERT_OK(load());
    uint64_t info = loader_state.rbx;
    EXPECT_EQ(guest_read(info, 4), 0x336ec578);
    EXPECT_EQ(guest_read(info + 4, 4), 1);
    EXPECT_EQ(guest_read(info + 12, 4), 1);
    uint64_t module = guest_read(info + 16, 8);
    EXPECT_EQ(guest_read(module, 8), LOW_BYTES - 0x2000);
    EXPECT_EQ(guest_read(module + 8, 8), 5000);
    EXPECT_EQ(guest_read(guest_read(info + 24, 8), 8), UINT64_C(0x3d656c6f736e6f63)); // "console="
    EXPECT_EQ(guest_read(info + 32, 8), 0xe0010);
    uint64_t map = guest_read(info + 40, 8);
    EXPECT_EQ(guest_read(info + 48, 4), 4);
    EXPECT_EQ(guest_read(map + 24 + 16, 4), BOOT_E820_RESERVED);
    EXPECT_EQ(guest_read(map + 3 * 24, 8), HIGH_START);
    EXPECT_EQ(guest_read(loader_state.gdt + loader_state.code_selector, 8),
              UINT64_C(0x00cf9b000000ffff));
}

TEST(without_a_ramdisk_there_is_no_module)
{
    set_up();
    ASSERT_OK(load());
    EXPECT_EQ(guest_read(loader_state.rbx + 12, 4), 0);
    EXPECT_EQ(guest_read(loader_state.rbx + 16, 8), 0);
}

TEST(entry_of_4_bytes_is_taken_too)
{
    set_up();
    put(image + NOTES + 24, 4, 4);
    put(image + NOTES + 40, UINT32_MAX, 4);
    EXPECT_OK(load());
    EXPECT_EQ(loader_state.rip, ENTRY);
}

TEST(ramdisk_that_does_not_fit_above_the_kernel_is_refused)
{
    static uint8_t ramdisk[LOW_BYTES - 0x620000 + 1];
    set_up();
    loader_request.ramdisk = (struct boot_blob){ramdisk, sizeof(ramdisk) - 1};
    EXPECT_OK(load());
    loader_request.ramdisk.size_bytes++;
    expect_refused(MX_ERR_NO_MEMORY, "ramdisk");
}

TEST(every_truncation_is_refused)
{
    set_up();
    for (uint64_t size_bytes = 0; size_bytes < IMAGE_BYTES; size_bytes++) {
        uint8_t *copy = malloc(size_bytes ? size_bytes : 1);
        memcpy(copy, image, size_bytes);
        loader_request.kernel = (struct boot_blob){copy, size_bytes};
        loader_reason[0] = '\0';
        EXPECT_NE(load(), MX_OK);
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

TEST(every_lie_in_the_headers_is_refused)
{
    static const struct lie LIES[] = {
        {4, 1, 1, MX_ERR_NOT_SUPPORTED, "class 1"},
        {5, 1, 2, MX_ERR_NOT_SUPPORTED, "ELF header"},
        {16, 2, 1, MX_ERR_NOT_SUPPORTED, "type 1"},
        {18, 2, 183, MX_ERR_NOT_SUPPORTED, "machine 183"},
        {32, 8, UINT64_MAX, MX_ERR_IO_DATA_INTEGRITY, "program headers at"},
        {32, 8, IMAGE_BYTES - 100, MX_ERR_IO_DATA_INTEGRITY, "program headers at"},
        {54, 2, 32, MX_ERR_IO_DATA_INTEGRITY, "of 32 bytes"},
        {56, 2, 0, MX_ERR_IO_DATA_INTEGRITY, "0 program headers"},
        {56, 2, 65, MX_ERR_IO_DATA_INTEGRITY, "65 program headers"},
        {SEGMENT_0 + 8, 8, UINT64_MAX, MX_ERR_IO_DATA_INTEGRITY, "program header 0"},
        {SEGMENT_0 + 24, 8, UINT64_MAX, MX_ERR_NO_MEMORY, "program header 0"},
        {SEGMENT_0 + 24, 8, 0x1000, MX_ERR_NO_MEMORY, "program header 0"}, // over the tables
        {SEGMENT_0 + 32, 8, UINT64_MAX, MX_ERR_IO_DATA_INTEGRITY, "in the file"},
        {SEGMENT_0 + 40, 8, 0xff, MX_ERR_IO_DATA_INTEGRITY, "in the file"},
        {SEGMENT_1 + 40, 8, UINT64_MAX, MX_ERR_NO_MEMORY, "program header 1"},
        {SEGMENT_2 + 8, 8, UINT64_MAX, MX_ERR_NOT_SUPPORTED, "PVH"},
        {SEGMENT_2 + 32, 8, NOTES_BYTES - 1, MX_ERR_NOT_SUPPORTED, "PVH"},
        {NOTES, 4, UINT32_MAX, MX_ERR_NOT_SUPPORTED, "PVH"},
        {NOTES + 4, 4, UINT32_MAX, MX_ERR_NOT_SUPPORTED, "PVH"},
        {NOTES + 20, 4, 5, MX_ERR_NOT_SUPPORTED, "PVH"},
        {NOTES + 24, 4, 2, MX_ERR_NOT_SUPPORTED, "PVH"},
        {NOTES + 32, 4, 0x6e6558ff, MX_ERR_NOT_SUPPORTED, "PVH"},
        {NOTES + 36, 8, LOAD_0 + CODE_BYTES, MX_ERR_IO_DATA_INTEGRITY, "PVH entry"},
        {NOTES + 36, 8, UINT64_MAX, MX_ERR_IO_DATA_INTEGRITY, "PVH entry"},
    };
    for (size_t i = 0; i < sizeof(LIES) / sizeof(LIES[0]); i++) {
        set_up();
        put(image + LIES[i].offset, LIES[i].value, LIES[i].width_bytes);
        expect_refused(LIES[i].status, LIES[i].reason);
    }
}

TEST(kernel_files_are_told_apart_by_their_first_bytes)
{
    set_up();
    EXPECT_EQ(kernel_image_sniff(&loader_request.kernel), KERNEL_IMAGE_LINUX_ELF);
    EXPECT_OK(kernel_image_load(&loader_request, &loader_map, &loader_state));
    memset(image, 0, 4);
    EXPECT_EQ(kernel_image_sniff(&loader_request.kernel), KERNEL_IMAGE_UNKNOWN);
    memcpy(image + 0x202, "HdrS", 4);
    EXPECT_EQ(kernel_image_sniff(&loader_request.kernel), KERNEL_IMAGE_LINUX_BZIMAGE);
    loader_request.kernel.size_bytes = 0x205;
    EXPECT_EQ(kernel_image_sniff(&loader_request.kernel), KERNEL_IMAGE_UNKNOWN);
}

static void expect_advice(const char *bytes, size_t count, const char *advice)
{
    set_up();
    loader_request.kernel = (struct boot_blob){bytes, count};
    EXPECT_STATUS(count ? MX_ERR_NOT_SUPPORTED : MX_ERR_IO_DATA_INTEGRITY,
                  kernel_image_load(&loader_request, &loader_map, &loader_state));
    EXPECT_TRUE(strstr(loader_reason, advice) != NULL);
}

TEST(device_tree_is_refused)
{
    set_up();
    loader_request.device_tree_overlay = (struct boot_blob){"x", 1};
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, load());
    EXPECT_TRUE(strstr(loader_reason, "dtb-overlay") != NULL);
}

TEST(files_that_are_no_kernels_get_a_reason)
{
    expect_advice("", 0, "empty");
    expect_advice("\x1f\x8b\x08", 3, "gzip");
    expect_advice("070701", 6, "ramdisk");
    expect_advice("hello", 5, "neither");
}
