// Zircon boot images on x86-64: what lies where in the guest, what the kernel is told, and every
// image that is refused.
#include "boot/zbi_items.h"
#include "tests/unit/linux_loader_fixture.h"
#include "tests/unit/zircon_fixture.h"
#include "vmm/loader/x86_64/kernel_image.h"
#include "vmm/loader/x86_64/x86_boot_tables.h"

#define KERNEL_BASE  UINT64_C(0x100000)
#define KERNEL_BYTES (UINT64_C(64) + 16 + ZIRCON_CODE_BYTES + ZIRCON_RESERVE_BYTES)
#define ENTRY        (KERNEL_BASE + 0x58)

static void set_up(void)
{
    memset(loader_low, 0, sizeof(loader_low));
    loader_set_up(zircon_file, zircon_make(ZBI_TYPE_KERNEL_X64, ENTRY));
    loader_map.uart = (struct x86_boot_uart){0x3f8, 4};
}

static mx_status_t load(void)
{
    return kernel_image_load(&loader_request, &loader_map, &loader_state);
}

static void expect_refused(mx_status_t status, const char *part)
{
    EXPECT_STATUS(status, load());
    EXPECT_TRUE(strstr(loader_reason, part) != NULL);
    if (!strstr(loader_reason, part))
        printf("# reason: %s\n", loader_reason);
}

static const void *find(uint32_t type, uint32_t extra, size_t payload_bytes)
{
    return zircon_find(loader_low + loader_state.data.start, loader_state.data.size_bytes, type,
                       extra, payload_bytes);
}

TEST(kernel_lies_at_its_place_and_is_entered_with_its_data)
{
    set_up();
    ASSERT_OK(load());
    EXPECT_EQ(loader_state.mode, X86_BOOT_MODE_LONG);
    EXPECT_EQ(loader_state.rip, ENTRY);
    EXPECT_EQ(loader_state.kernel.start, KERNEL_BASE);
    EXPECT_EQ(loader_state.kernel.size_bytes, KERNEL_BYTES);
    EXPECT_BYTES_EQ(loader_low + KERNEL_BASE, zircon_file, 64 + 16 + ZIRCON_CODE_BYTES);
    EXPECT_EQ(loader_state.data.start, (KERNEL_BASE + KERNEL_BYTES + 0xfff) & ~UINT64_C(0xfff));
    EXPECT_EQ(loader_state.rsi, loader_state.data.start);
    EXPECT_EQ(loader_state.code_selector, X86_BOOT_CODE_64_SELECTOR);
    EXPECT_TRUE(loader_state.cr3 != 0 && loader_state.gdt != 0);
    zircon_check_items(loader_low + loader_state.data.start, loader_state.data.size_bytes,
                       "console=ttyS0");
}

TEST(kernel_is_told_its_machine)
{
    set_up();
    ASSERT_OK(load());
    const uint64_t *rsdp = find(ZBI_TYPE_ACPI_RSDP, 0, 8);
    ASSERT_TRUE(rsdp != NULL);
    EXPECT_EQ(*rsdp, 0xe0010u);
    const struct zbi_e820_entry *e820 = find(ZBI_TYPE_E820_TABLE, 0, 80);
    ASSERT_TRUE(e820 != NULL);
    EXPECT_EQ(e820[2].base, 0x100000u);
    EXPECT_EQ(e820[2].size_bytes, LOW_BYTES - 0x100000);
    EXPECT_EQ(e820[2].type, (uint32_t)BOOT_E820_RAM);
    EXPECT_EQ(e820[3].base, HIGH_START);
    const struct zbi_debug_uart *uart = find(ZBI_TYPE_DEBUG_UART, 0, 16);
    ASSERT_TRUE(uart != NULL);
    EXPECT_EQ(uart->base, 0x3f8u);
    EXPECT_EQ(uart->type, (uint32_t)ZBI_UART_PORT);
    EXPECT_EQ(uart->irq, 4u);
    const struct zbi_driver_ports *driver = find(ZBI_TYPE_KERNEL_DRIVER, ZBI_DRIVER_I8250_PORTS, 8);
    ASSERT_TRUE(driver != NULL);
    EXPECT_EQ(driver->base, 0x3f8);
    EXPECT_EQ(driver->irq, 4u);
}

TEST(image_of_a_kernel_alone_is_started)
{
    static const uint8_t kernel[0x40];
    struct zbi_item item;

    set_up();
    EXPECT_OK(zbi_create(zircon_file, sizeof(zircon_file)));
    EXPECT_OK(zbi_append(zircon_file, sizeof(zircon_file), ZBI_TYPE_KERNEL_X64, 0, kernel,
                         sizeof(kernel), false));
    zircon_put(64, ENTRY, 8);
    loader_request.kernel.size_bytes = zbi_size(zircon_file, sizeof(zircon_file));
    loader_request.command_line = NULL;
    loader_map.rsdp = 0;
    loader_map.uart.port = 0;
    ASSERT_OK(load());
    const uint8_t *data = loader_low + loader_state.data.start;
    EXPECT_TRUE(find(ZBI_TYPE_E820_TABLE, 0, 80) != NULL);
    EXPECT_FALSE(zbi_find(data, loader_state.data.size_bytes, ZBI_TYPE_CMDLINE, &item));
    EXPECT_FALSE(zbi_find(data, loader_state.data.size_bytes, ZBI_TYPE_ACPI_RSDP, &item));
    EXPECT_FALSE(zbi_find(data, loader_state.data.size_bytes, ZBI_TYPE_DEBUG_UART, &item));
}

// Whatever place the kernel's end has in its page: each item keeps its own.
TEST(items_keep_their_place_in_a_page)
{
    static uint8_t kernel[ZIRCON_PAGE_BYTES + 256];
    struct zbi_item in_file, in_guest;

    for (size_t bytes = 0x40; bytes < sizeof(kernel); bytes += 8) {
        set_up();
        EXPECT_OK(zbi_create(zircon_file, sizeof(zircon_file)));
        EXPECT_OK(zbi_append(zircon_file, sizeof(zircon_file), ZBI_TYPE_KERNEL_X64, 0, kernel,
                             bytes, false));
        zircon_put(64, ENTRY, 8);
        EXPECT_OK(
            zbi_append(zircon_file, sizeof(zircon_file), ZBI_TYPE_RAMDISK, 0, "disk", 4, false));
        loader_request.kernel.size_bytes = zbi_size(zircon_file, sizeof(zircon_file));
        ASSERT_OK(load());
        ASSERT_TRUE(zbi_find(zircon_file, sizeof(zircon_file), ZBI_TYPE_RAMDISK, &in_file));
        ASSERT_TRUE(zbi_find(loader_low + loader_state.data.start, loader_state.data.size_bytes,
                             ZBI_TYPE_RAMDISK, &in_guest));
        EXPECT_EQ(in_guest.offset % ZIRCON_PAGE_BYTES, in_file.offset % ZIRCON_PAGE_BYTES);
    }
}

TEST(damaged_images_are_refused_with_the_place)
{
    set_up();
    loader_request.kernel.size_bytes -= 8;
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "offset 0x4: the container is longer than the data");
    set_up();
    loader_request.kernel.size_bytes = 20;
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "the data ends within the container's 32-byte header");
    set_up();
    zircon_file[200] ^= 1;
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "offset 0x3c: the item's CRC does not match");
    set_up();
    zircon_put(36, UINT32_MAX, 4);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "offset 0x24: the item is longer than the container");
    set_up();
    zircon_put(36, 15, 4);
    zircon_put(44, ZBI_FLAG_VERSION, 4);
    zircon_put(60, ZBI_NO_CRC32, 4);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "item's magic is not");
    set_up();
    zircon_put(8, 0, 4);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "offset 0x8: the container's extra field");
}

TEST(images_without_a_kernel_to_start_are_refused)
{
    set_up();
    zircon_put(32, ZBI_TYPE_KERNEL_ARM64, 4);
    zircon_put(44, ZBI_FLAG_VERSION, 4);
    zircon_put(60, ZBI_NO_CRC32, 4);
    expect_refused(MX_ERR_NOT_SUPPORTED, "for arm64; this host runs guests for x64");
    zircon_put(32, ZBI_TYPE_BOOTFS, 4);
    expect_refused(MX_ERR_NOT_SUPPORTED, "begins with an item of type BOOTFS (0x42534642)");
    zircon_put(32, 0x12345678, 4);
    expect_refused(MX_ERR_NOT_SUPPORTED, "type unknown (0x12345678)");
    EXPECT_OK(zbi_create(zircon_file, sizeof(zircon_file)));
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "with nothing in it");
    EXPECT_OK(
        zbi_append(zircon_file, sizeof(zircon_file), ZBI_TYPE_KERNEL_X64, 0, "12345678", 8, false));
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "shorter than its 16-byte head");
}

static void set_head(uint64_t entry, uint64_t reserve_bytes)
{
    set_up();
    zircon_put(44, ZBI_FLAG_VERSION, 4);
    zircon_put(60, ZBI_NO_CRC32, 4);
    zircon_put(64, entry, 8);
    zircon_put(72, reserve_bytes, 8);
}

TEST(lying_kernel_heads_are_refused)
{
    static const uint64_t entries[] = {
        0, 0x58, KERNEL_BASE, KERNEL_BASE + 0x4f, KERNEL_BASE + 80 + ZIRCON_CODE_BYTES, UINT64_MAX};

    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        set_head(entries[i], 0);
        expect_refused(MX_ERR_IO_DATA_INTEGRITY, "is not in the kernel");
    }
    set_head(KERNEL_BASE + 79 + ZIRCON_CODE_BYTES, 0);
    EXPECT_OK(load());
    set_head(ENTRY, UINT64_MAX);
    expect_refused(MX_ERR_NO_MEMORY, "18446744073709551615 more behind them");
    set_head(ENTRY, LOW_BYTES);
    expect_refused(MX_ERR_NO_MEMORY, "give the guest more memory");
}

TEST(guests_too_small_for_the_image_are_refused)
{
    set_up();
    loader_request.low_ram.size_bytes = KERNEL_BYTES - 1;
    expect_refused(MX_ERR_NO_MEMORY, "kernel: needs 1083 bytes and 36864 more");
    set_up();
    loader_request.low_ram.size_bytes = KERNEL_BYTES;
    expect_refused(MX_ERR_NO_MEMORY, "give the guest more memory");
    set_up();
    loader_request.low_ram.size_bytes = KERNEL_BYTES + 0x2000;
    expect_refused(MX_ERR_NO_MEMORY, "bytes of items do not fit");
    set_up();
    loader_request.low_ram = (struct boot_range){0};
    expect_refused(MX_ERR_NO_MEMORY, "give the guest more memory");
    set_up();
    loader_memory.regions[0].size_bytes = KERNEL_BASE + 0x1000;
    expect_refused(MX_ERR_OUT_OF_RANGE, "does not exist");
}

TEST(files_that_a_zircon_kernel_is_not_given_are_refused)
{
    set_up();
    loader_request.ramdisk = (struct boot_blob){"x", 1};
    expect_refused(MX_ERR_INVALID_ARGS, "ramdisk: a Zircon boot image brings its files itself");
    set_up();
    loader_request.device_tree_overlay = (struct boot_blob){"x", 1};
    expect_refused(MX_ERR_NOT_SUPPORTED, "dtb-overlay: a Zircon kernel takes no device tree");
}

TEST(kind_that_the_configuration_names_is_held_to)
{
    static const uint8_t elf[] = "\x7f"
                                 "ELF";

    set_up();
    loader_request.kernel_kind = BOOT_KERNEL_ZIRCON;
    EXPECT_OK(load());
    loader_request.kernel_kind = BOOT_KERNEL_LINUX;
    expect_refused(MX_ERR_INVALID_ARGS, "linux: this is a Zircon boot image");
    loader_request.kernel = (struct boot_blob){elf, sizeof(elf)};
    loader_request.kernel_kind = BOOT_KERNEL_ZIRCON;
    expect_refused(MX_ERR_INVALID_ARGS, "zircon: this is no Zircon boot image");
    loader_request.kernel_kind = BOOT_KERNEL_LINUX;
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, "kernel: truncated");
}
