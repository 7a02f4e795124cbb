// The items that describe a machine: what is right comes out, what is not is refused where it is.

#include "tests/test.h"

#include "boot/zbi_items.h"

static uint8_t image[8192];
static struct zbi_machine machine;
static struct format_error error;

static void begin(void)
{
    EXPECT_OK(zbi_create(image, sizeof image));
}

static void add(uint32_t type, uint32_t extra, const void *payload, size_t size_bytes)
{
    EXPECT_OK(zbi_append(image, sizeof image, type, extra, payload, size_bytes, false));
}

static mx_status_t read_machine(void)
{
    return zbi_read_machine(image, sizeof image, &machine, &error);
}

static void expect_refused(uint32_t type, uint32_t extra, const void *payload, size_t size_bytes,
                           const char *reason)
{
    begin();
    add(type, extra, payload, size_bytes);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, read_machine());
    EXPECT_EQ(error.offset, 64u);
    EXPECT_STR_EQ(error.reason, reason);
}

TEST(zbi_items_tell_the_addresses)
{
    uint64_t rsdp = 0xe0000, table = 0x7ff00000, smbios = 0xf0000;

    begin();
    add(ZBI_TYPE_ACPI_RSDP, 0, &rsdp, sizeof rsdp);
    add(ZBI_TYPE_EFI_SYSTEM_TABLE, 0, &table, sizeof table);
    add(ZBI_TYPE_SMBIOS, 0, &smbios, sizeof smbios);
    ASSERT_OK(read_machine());
    EXPECT_EQ(machine.acpi_rsdp, rsdp);
    EXPECT_EQ(machine.efi_system_table, table);
    EXPECT_EQ(machine.smbios, smbios);
    EXPECT_EQ(machine.uart.type, 0u);
    EXPECT_EQ(machine.framebuffer.width, 0u);
    EXPECT_EQ(zbi_memory_count(&machine), 0u);
    expect_refused(ZBI_TYPE_ACPI_RSDP, 0, &rsdp, 4, "the address has less than 8 bytes");
}

TEST(zbi_items_of_unknown_type_are_left_alone)
{
    begin();
    add(0x12345678, 0, "?", 1);
    add(ZBI_TYPE_KERNEL_X64, 0, "0123456789abcdef", 16);
    EXPECT_OK(read_machine());
}

TEST(zbi_items_last_of_a_type_counts)
{
    uint64_t first = 1, second = 2;

    begin();
    add(ZBI_TYPE_ACPI_RSDP, 0, &first, sizeof first);
    add(ZBI_TYPE_ACPI_RSDP, 0, &second, sizeof second);
    ASSERT_OK(read_machine());
    EXPECT_EQ(machine.acpi_rsdp, 2u);
}

TEST(zbi_items_check_the_debug_uart)
{
    struct zbi_debug_uart uart = {0x3f8, ZBI_UART_PORT, 4};

    begin();
    add(ZBI_TYPE_DEBUG_UART, 0, &uart, sizeof uart);
    ASSERT_OK(read_machine());
    EXPECT_BYTES_EQ(&machine.uart, &uart, sizeof uart);
    expect_refused(ZBI_TYPE_DEBUG_UART, 0, &uart, 15, "the debug UART has less than 16 bytes");
    uart.base = 0xfff9;
    expect_refused(ZBI_TYPE_DEBUG_UART, 0, &uart, sizeof uart,
                   "the debug UART's 8 ports are beyond 0xffff");
    uart = (struct zbi_debug_uart){UINT64_MAX - 3, ZBI_UART_MMIO, 4};
    expect_refused(ZBI_TYPE_DEBUG_UART, 0, &uart, sizeof uart,
                   "the debug UART's address is odd or wraps around");
    uart.type = 3;
    expect_refused(ZBI_TYPE_DEBUG_UART, 0, &uart, sizeof uart,
                   "the debug UART's type is not 0 (none), 1 (ports) or 2 (memory)");
}

TEST(zbi_items_take_an_8250_driver_for_the_uart)
{
    const struct zbi_debug_uart older = {0x3f8, ZBI_UART_PORT, 4};
    const struct zbi_driver_ports ports = {.base = 0x2f8, .irq = 3};
    const struct zbi_driver_mmio mmio = {0xfe001000, 20, 0};
    const struct {
        uint32_t extra;
        const void *payload;
        size_t size_bytes;
        struct zbi_debug_uart uart;
    } drivers[] = {
        {ZBI_DRIVER_I8250_PORTS, &ports, sizeof ports, {0x2f8, ZBI_UART_PORT, 3}},
        {ZBI_DRIVER_I8250_MMIO, &mmio, sizeof mmio, {0xfe001000, ZBI_UART_MMIO, 20}},
        {ZBI_DRIVER_I8250_MMIO, &mmio, 12, {0xfe001000, ZBI_UART_MMIO, 20}},
        {ZBI_DRIVER_I8250_MMIO8, &mmio, sizeof mmio, {0xfe001000, ZBI_UART_MMIO8, 20}},
        {ZBI_DRIVER_PL011, &mmio, sizeof mmio, {0x3f8, ZBI_UART_PORT, 4}},
    };

    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        begin();
        add(ZBI_TYPE_DEBUG_UART, 0, &older, sizeof older);
        add(ZBI_TYPE_KERNEL_DRIVER, drivers[i].extra, drivers[i].payload, drivers[i].size_bytes);
        ASSERT_OK(read_machine());
        EXPECT_BYTES_EQ(&machine.uart, &drivers[i].uart, sizeof machine.uart);
    }
}

TEST(zbi_items_check_an_8250_driver)
{
    const struct zbi_driver_ports ports = {.base = 0xfff9};
    const struct zbi_driver_mmio odd = {0xfe001001, 20, 0}, wraps = {UINT64_MAX - 6, 20, 0};

    expect_refused(ZBI_TYPE_KERNEL_DRIVER, ZBI_DRIVER_I8250_PORTS, &ports, 7,
                   "the 8250's ports have less than 8 bytes");
    expect_refused(ZBI_TYPE_KERNEL_DRIVER, ZBI_DRIVER_I8250_PORTS, &ports, sizeof ports,
                   "the debug UART's 8 ports are beyond 0xffff");
    expect_refused(ZBI_TYPE_KERNEL_DRIVER, ZBI_DRIVER_I8250_MMIO, &odd, 11,
                   "the 8250 in memory has less than 12 bytes");
    expect_refused(ZBI_TYPE_KERNEL_DRIVER, ZBI_DRIVER_I8250_MMIO, &odd, sizeof odd,
                   "the debug UART's address is odd or wraps around");
    expect_refused(ZBI_TYPE_KERNEL_DRIVER, ZBI_DRIVER_I8250_MMIO8, &wraps, sizeof wraps,
                   "the debug UART's address is odd or wraps around");
}

static void expect_screen_refused(struct zbi_framebuffer screen, const char *reason)
{
    expect_refused(ZBI_TYPE_FRAMEBUFFER, 0, &screen, sizeof screen, reason);
}

TEST(zbi_items_check_the_framebuffer)
{
    const struct zbi_framebuffer screen = {0x80000000, 1024, 768, 1088, ZBI_PIXELS_XRGB};
    struct zbi_framebuffer bad;

    begin();
    add(ZBI_TYPE_FRAMEBUFFER, 0, &screen, sizeof screen);
    ASSERT_OK(read_machine());
    EXPECT_BYTES_EQ(&machine.framebuffer, &screen, sizeof screen);
    expect_refused(ZBI_TYPE_FRAMEBUFFER, 0, &screen, 23, "the framebuffer has less than 24 bytes");
    bad = screen;
    bad.height = 0;
    expect_screen_refused(bad, "the framebuffer's width or height is 0 or beyond 16384");
    bad.height = 16385;
    expect_screen_refused(bad, "the framebuffer's width or height is 0 or beyond 16384");
    bad = screen;
    bad.stride_pixels = 1023;
    expect_screen_refused(bad, "the framebuffer's stride is below its width or beyond 16384");
    bad = screen;
    bad.format = 1;
    expect_screen_refused(bad, "the framebuffer's pixels are neither XRGB nor XBGR");
    bad = screen;
    bad.base = UINT64_MAX - 1024 * 4 + 1;
    expect_screen_refused(bad, "the framebuffer's address is 0, odd, or wraps around");
}

TEST(zbi_items_read_an_e820_table)
{
    const struct zbi_e820_entry entries[] = {
        {0, 0x9fc00, ZBI_E820_RAM},
        {0xfffc0000, 0x40000, ZBI_E820_RESERVED},
        {UINT64_MAX - 0xfff, 0x1000, ZBI_E820_ACPI_NVS},
    };
    struct zbi_e820_entry wraps = {0x1000, UINT64_MAX, ZBI_E820_RAM};

    begin();
    add(ZBI_TYPE_E820_TABLE, 0, entries, sizeof entries);
    ASSERT_OK(read_machine());
    ASSERT_EQ(zbi_memory_count(&machine), 3u);
    EXPECT_EQ(zbi_memory_at(&machine, 0).size_bytes, 0x9fc00u);
    EXPECT_EQ(zbi_memory_at(&machine, 0).kind, ZBI_MEMORY_RAM);
    EXPECT_EQ(zbi_memory_at(&machine, 1).base, 0xfffc0000u);
    EXPECT_EQ(zbi_memory_at(&machine, 1).kind, ZBI_MEMORY_RESERVED);
    EXPECT_EQ(zbi_memory_at(&machine, 2).kind, ZBI_MEMORY_RESERVED);
    expect_refused(ZBI_TYPE_E820_TABLE, 0, entries, 21,
                   "the E820 table's length is not a multiple of 20");
    expect_refused(ZBI_TYPE_E820_TABLE, 0, entries, 0,
                   "the E820 table's length is not a multiple of 20");
    expect_refused(ZBI_TYPE_E820_TABLE, 0, &wraps, sizeof wraps,
                   "a range of the E820 table wraps around");
}

#define EFI_MMIO 11 // EfiMemoryMappedIO

// A map with descriptors of 48 bytes, as firmware has them.
struct efi_map {
    uint64_t entry_bytes;
    struct {
        struct zbi_efi_memory memory;
        uint64_t more;
    } entries[6];
};

TEST(zbi_items_read_an_efi_memory_map)
{
    const uint64_t wb = ZBI_EFI_ATTRIBUTE_WRITE_BACK;
    struct zbi_e820_entry e820 = {0, 4096, ZBI_E820_RAM};
    struct efi_map map = {
        .entry_bytes = 48,
        .entries = {{{ZBI_EFI_CONVENTIONAL, 0, 0x1000, 0, 2, wb}, 7},
                    {{ZBI_EFI_RUNTIME_DATA, 0, 0x3000, 0, 1, wb | ZBI_EFI_ATTRIBUTE_RUNTIME}, 7},
                    {{ZBI_EFI_BOOT_SERVICES_CODE, 0, 0x4000, 0, 1, wb}, 7},
                    {{ZBI_EFI_CONVENTIONAL, 0, 0x5000, 0, 1, 1}, 7},
                    {{EFI_MMIO, 0, 0xb0000000, 0, 1, 1 | ZBI_EFI_ATTRIBUTE_RUNTIME}, 7},
                    {{ZBI_EFI_CONVENTIONAL, 0, 0x6000, 0, 1, wb | ZBI_EFI_ATTRIBUTE_RUNTIME}, 7}},
    };

    begin();
    add(ZBI_TYPE_EFI_MEMORY_MAP, 0, &map, sizeof map);
    add(ZBI_TYPE_E820_TABLE, 0, &e820, sizeof e820);
    ASSERT_OK(read_machine());
    ASSERT_EQ(zbi_memory_count(&machine), 6u);
    EXPECT_EQ(zbi_memory_at(&machine, 0).base, 0x1000u);
    EXPECT_EQ(zbi_memory_at(&machine, 0).size_bytes, 0x2000u);
    EXPECT_EQ(zbi_memory_at(&machine, 0).kind, ZBI_MEMORY_RAM);
    EXPECT_EQ(zbi_memory_at(&machine, 1).kind, ZBI_MEMORY_RUNTIME);
    EXPECT_EQ(zbi_memory_at(&machine, 2).kind, ZBI_MEMORY_RAM);
    // Not cacheable.
    EXPECT_EQ(zbi_memory_at(&machine, 3).kind, ZBI_MEMORY_RESERVED);
    // A device that run-time services use is a device.
    EXPECT_EQ(zbi_memory_at(&machine, 4).kind, ZBI_MEMORY_RUNTIME_DEVICE);
    EXPECT_EQ(zbi_memory_at(&machine, 5).kind, ZBI_MEMORY_RUNTIME);
}

TEST(zbi_items_check_an_efi_memory_map)
{
    struct efi_map map = {.entry_bytes = 48};

    expect_refused(ZBI_TYPE_EFI_MEMORY_MAP, 0, &map, 7, "the EFI memory map has less than 8 bytes");
    expect_refused(ZBI_TYPE_EFI_MEMORY_MAP, 0, &map, 8 + 49,
                   "the EFI memory map ends within a descriptor");
    map.entry_bytes = 39;
    expect_refused(ZBI_TYPE_EFI_MEMORY_MAP, 0, &map, sizeof map,
                   "the EFI memory map's descriptors have not 40 bytes or more");
    map.entry_bytes = UINT64_MAX - 7;
    expect_refused(ZBI_TYPE_EFI_MEMORY_MAP, 0, &map, sizeof map,
                   "the EFI memory map ends within a descriptor");
    map.entry_bytes = 48;
    map.entries[3].memory.page_count = UINT64_MAX >> 12;
    map.entries[3].memory.base = 0x2000;
    expect_refused(ZBI_TYPE_EFI_MEMORY_MAP, 0, &map, sizeof map,
                   "a range of the EFI memory map wraps around");
    map.entries[3].memory.page_count = UINT64_MAX;
    expect_refused(ZBI_TYPE_EFI_MEMORY_MAP, 0, &map, sizeof map,
                   "a range of the EFI memory map wraps around");
}

TEST(zbi_items_know_where_things_lie_elsewhere)
{
    struct zbi_place image_place = {0x200000, 0x1234}, tree_place = {0x40001000, 0x100000};
    struct zbi_place bad = {0x1008, 1};

    begin();
    add(ZBI_TYPE_DEVICETREE, 0, "tree", 4);
    ASSERT_OK(read_machine());
    EXPECT_BYTES_EQ(machine.device_tree, "tree", 4);
    EXPECT_EQ(machine.device_tree_bytes, 4u);
    add(ZBI_TYPE_PLACE, ZBI_TYPE_CONTAINER, &image_place, sizeof image_place);
    add(ZBI_TYPE_PLACE, ZBI_TYPE_DEVICETREE, &tree_place, sizeof tree_place);
    ASSERT_OK(read_machine());
    EXPECT_BYTES_EQ(&machine.container_place, &image_place, sizeof image_place);
    EXPECT_BYTES_EQ(&machine.device_tree_place, &tree_place, sizeof tree_place);
    EXPECT_TRUE(machine.device_tree == NULL);
    expect_refused(ZBI_TYPE_DEVICETREE, 0, "", 0, "the device tree is empty");
    expect_refused(ZBI_TYPE_PLACE, ZBI_TYPE_CONTAINER, &bad, sizeof bad,
                   "the other container does not begin on a page");
    expect_refused(ZBI_TYPE_PLACE, ZBI_TYPE_CMDLINE, &image_place, sizeof image_place,
                   "only a container or a device tree can have a place");
    expect_refused(ZBI_TYPE_PLACE, ZBI_TYPE_DEVICETREE, &bad, 15, "the place has not 16 bytes");
    bad.size_bytes = UINT64_MAX;
    expect_refused(ZBI_TYPE_PLACE, ZBI_TYPE_DEVICETREE, &bad, sizeof bad,
                   "the place is empty or wraps around");
}

TEST(zbi_items_join_command_lines)
{
    char text[16] = "start";

    begin();
    add(ZBI_TYPE_CMDLINE, 0, "one", 4);
    add(ZBI_TYPE_CMDLINE, 0, "", 1);
    add(ZBI_TYPE_CMDLINE, 0, "no", 2);
    EXPECT_TRUE(zbi_gather_cmdline(image, sizeof image, text, sizeof text));
    EXPECT_STR_EQ(text, "start one no");
    add(ZBI_TYPE_CMDLINE, 0, "123", 4);
    strcpy(text, "start");
    EXPECT_FALSE(zbi_gather_cmdline(image, sizeof image, text, sizeof text));
    EXPECT_STR_EQ(text, "start one no");
}

TEST(zbi_layout_is_checked_without_the_crc)
{
    begin();
    EXPECT_OK(zbi_append(image, sizeof image, ZBI_TYPE_CMDLINE, 0, "text", 5, true));
    image[64] = 'n';
    EXPECT_OK(zbi_check_layout(image, sizeof image, &error));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, zbi_check(image, sizeof image, &error));
    image[36] = 0xff;
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, zbi_check_layout(image, sizeof image, &error));
    EXPECT_EQ(error.offset, 36u);
}
