// What a Multiboot loader passes, as items.
#include "kernel/arch/x86_64/portable/multiboot.h"

#include "boot/zbi_items.h"
#include "tests/test.h"

// Physical addresses are offsets in it.
static uint8_t memory[16384];
static uint8_t container[4096];
static struct multiboot_info info;
static struct zbi_machine machine;
static const char *reason;

#define INFO_AT    0x100u
#define MMAP_AT    0x400u
#define MODULES_AT 0x800u
#define CMDLINE_AT 0x1000u

static const void *map(uint64_t address, uint64_t size_bytes)
{
    bool is_inside = address <= sizeof(memory) && size_bytes <= sizeof(memory) - address;

    return is_inside ? memory + address : NULL;
}

static void add_range(size_t index, uint64_t base, uint64_t size_bytes, uint32_t type)
{
    struct multiboot_mmap_entry entry = {20, base, size_bytes, type};

    memcpy(memory + MMAP_AT + index * sizeof(entry), &entry, sizeof(entry));
}

static void begin(void)
{
    memset(memory, 0, sizeof(memory));
    memset(&info, 0, sizeof(info));
    info.flags = MULTIBOOT_HAS_MMAP;
    info.mmap = MMAP_AT;
    info.mmap_size_bytes = 48;
    add_range(0, 0, 0x9fc00, 1);
    add_range(1, 0x9fc00, 0x400, 2);
}

static mx_status_t describe(void)
{
    struct format_error error;

    memcpy(memory + INFO_AT, &info, sizeof(info));
    mx_status_t status = multiboot_describe(map, INFO_AT, container, sizeof(container), &reason);
    if (status == MX_OK)
        EXPECT_OK(zbi_read_machine(container, sizeof(container), &machine, &error));
    return status;
}

TEST(multiboot_memory_map_becomes_an_e820_table)
{
    begin();
    add_range(2, 0x100000, 0, 1); // empty: left out
    info.mmap_size_bytes = 72;
    ASSERT_OK(describe());
    ASSERT_EQ(zbi_memory_count(&machine), 2u);
    EXPECT_EQ(zbi_memory_at(&machine, 0).size_bytes, 0x9fc00u);
    EXPECT_EQ(zbi_memory_at(&machine, 0).kind, ZBI_MEMORY_RAM);
    EXPECT_EQ(zbi_memory_at(&machine, 1).base, 0x9fc00u);
    EXPECT_EQ(zbi_memory_at(&machine, 1).kind, ZBI_MEMORY_RESERVED);
}

TEST(multiboot_module_and_command_line_become_items)
{
    struct multiboot_module module = {0x200000, 0x201234, 0, 0};
    char text[64] = "";

    begin();
    info.flags |= MULTIBOOT_HAS_MODULES | MULTIBOOT_HAS_CMDLINE;
    info.modules = MODULES_AT;
    info.module_count = 1;
    info.cmdline = CMDLINE_AT;
    memcpy(memory + MODULES_AT, &module, sizeof(module));
    strcpy((char *)memory + CMDLINE_AT, "machina.run=ps");
    ASSERT_OK(describe());
    EXPECT_EQ(machine.container_place.base, 0x200000u);
    EXPECT_EQ(machine.container_place.size_bytes, 0x1234u);
    EXPECT_TRUE(zbi_gather_cmdline(container, sizeof(container), text, sizeof(text)));
    EXPECT_STR_EQ(text, "machina.run=ps");
}

TEST(multiboot_framebuffer_becomes_an_item)
{
    begin();
    info.flags |= MULTIBOOT_HAS_FRAMEBUFFER;
    info.framebuffer = 0xfd000000;
    info.framebuffer_pitch = 1088 * 4;
    info.framebuffer_width = 1024;
    info.framebuffer_height = 768;
    info.framebuffer_bits = 32;
    info.framebuffer_type = MULTIBOOT_FRAMEBUFFER_RGB;
    info.red_bits = info.green_bits = info.blue_bits = 8;
    info.red_shift = 16;
    info.green_shift = 8;
    ASSERT_OK(describe());
    EXPECT_EQ(machine.framebuffer.base, 0xfd000000u);
    EXPECT_EQ(machine.framebuffer.stride_pixels, 1088u);
    EXPECT_EQ(machine.framebuffer.format, ZBI_PIXELS_XRGB);
    info.red_shift = 0;
    info.blue_shift = 16;
    ASSERT_OK(describe());
    EXPECT_EQ(machine.framebuffer.format, ZBI_PIXELS_XBGR);
    // Text, and pixels of other kinds, are none that can be drawn on.
    info.framebuffer_bits = 16;
    ASSERT_OK(describe());
    EXPECT_EQ(machine.framebuffer.width, 0u);
    info.framebuffer_bits = 32;
    info.framebuffer_type = 2;
    ASSERT_OK(describe());
    EXPECT_EQ(machine.framebuffer.width, 0u);
}

TEST(multiboot_information_that_cannot_be_reached_is_refused)
{
    begin();
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, multiboot_describe(map, sizeof(memory) - 8, container,
                                                               sizeof(container), &reason));
    EXPECT_STR_EQ(reason, "the Multiboot loader's information cannot be reached");
    info.mmap = sizeof(memory) - 40;
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, describe());
    EXPECT_STR_EQ(reason, "the Multiboot loader's memory map cannot be reached or is empty");
    begin();
    info.flags |= MULTIBOOT_HAS_MODULES;
    info.module_count = 1;
    info.modules = UINT32_MAX;
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, describe());
    info.modules = MODULES_AT; // ends where it begins
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, describe());
    EXPECT_STR_EQ(reason, "the Multiboot loader's list of modules cannot be reached or is wrong");
}

TEST(multiboot_information_beyond_the_buffer_is_refused)
{
    begin();
    info.mmap_size_bytes = 24 * 250;
    for (size_t i = 0; i < 250; i++)
        add_range(i, i << 20, 1 << 20, 1);
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, describe());
    EXPECT_STR_EQ(reason, "the Multiboot loader's memory map is too long");
    begin();
    info.flags |= MULTIBOOT_HAS_CMDLINE;
    info.cmdline = CMDLINE_AT;
    memset(memory + CMDLINE_AT, 'x', 8192);
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, describe());
    EXPECT_STR_EQ(reason, "the Multiboot loader's command line is too long");
}
