// Where the parts of a boot image go, and what is refused.
#include "boot/loader/boot_plan.h"
#include "boot/loader/dhcp_reply.h"
#include "tests/test.h"

static uint8_t image[16384 + BOOT_PLAN_SPARE_BYTES];
static uint8_t kernel[4096 - 32];
static struct boot_plan plan;
static struct format_error error;

static size_t make_image(uint32_t type, uint64_t entry, uint64_t reserve_bytes, size_t kernel_bytes)
{
    struct zbi_kernel head = {entry, reserve_bytes};

    memset(kernel, 0x90, sizeof(kernel));
    memcpy(kernel, &head, sizeof(head));
    EXPECT_OK(zbi_create(image, sizeof(image)));
    EXPECT_OK(zbi_append(image, sizeof(image), type, 0, kernel, kernel_bytes, true));
    EXPECT_OK(zbi_append(image, sizeof(image), ZBI_TYPE_CMDLINE, 0, "one", 4, true));
    return zbi_size(image, sizeof(image));
}

TEST(boot_plan_splits_kernel_and_data)
{
    struct zbi_item item;
    size_t size = make_image(ZBI_TYPE_KERNEL_X64, 0x100050, 0x5000, sizeof(kernel));

    ASSERT_OK(boot_plan_make(image, size, ZBI_TYPE_KERNEL_X64, &plan, &error));
    EXPECT_EQ(plan.kernel_bytes, 4096u + 32);
    EXPECT_EQ(plan.reserve_bytes, 0x5000u);
    EXPECT_EQ(plan.entry_offset, 0x50u);
    EXPECT_EQ(plan.data_offset, 4096u);
    uint8_t *data = boot_plan_make_data(image, &plan);
    EXPECT_TRUE(data == image + 4096);
    EXPECT_OK(zbi_check(data, size - 4096, &error));
    ASSERT_TRUE(zbi_find(data, size - 4096, ZBI_TYPE_CMDLINE, &item));
    EXPECT_STR_EQ((const char *)item.payload, "one");
    EXPECT_FALSE(zbi_find(data, size - 4096, ZBI_TYPE_KERNEL_X64, &item));
}

TEST(boot_plan_puts_the_data_of_other_images_on_a_page)
{
    size_t size = make_image(ZBI_TYPE_KERNEL_ARM64, 0x50, 0, 1000);

    ASSERT_OK(boot_plan_make(image, size, ZBI_TYPE_KERNEL_ARM64, &plan, &error));
    uint8_t *data = boot_plan_make_data(image, &plan);
    EXPECT_TRUE(data == image + 4096);
    EXPECT_OK(zbi_check(data, sizeof(image) - 4096, &error));
}

static void expect_refused(mx_status_t status, size_t size, uint32_t type, const char *reason)
{
    EXPECT_STATUS(status, boot_plan_make(image, size, type, &plan, &error));
    EXPECT_STR_EQ(error.reason, reason);
}

TEST(boot_plan_refuses_kernels_for_other_machines)
{
    size_t size = make_image(ZBI_TYPE_KERNEL_ARM64, 0x50, 0, 64);
    expect_refused(MX_ERR_NOT_SUPPORTED, size, ZBI_TYPE_KERNEL_X64,
                   "its kernel is for arm64, not for this machine");
    size = make_image(ZBI_TYPE_KERNEL_X64, 0x100050, 0, 64);
    expect_refused(MX_ERR_NOT_SUPPORTED, size, ZBI_TYPE_KERNEL_ARM64,
                   "its kernel is for x64, not for this machine");
    size = make_image(ZBI_TYPE_BOOTFS, 0, 0, 64);
    expect_refused(MX_ERR_NOT_SUPPORTED, size, ZBI_TYPE_KERNEL_X64,
                   "its first item is not a kernel");
    EXPECT_OK(zbi_create(image, sizeof(image)));
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, 32, ZBI_TYPE_KERNEL_X64, "it is empty");
}

TEST(boot_plan_refuses_damage_and_lies)
{
    size_t size = make_image(ZBI_TYPE_KERNEL_X64, 0x100050, 0, 64);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, size - 8, ZBI_TYPE_KERNEL_X64,
                   "the container is longer than the data");
    image[100] ^= 1;
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, size, ZBI_TYPE_KERNEL_X64,
                   "the item's CRC does not match its contents");
    size = make_image(ZBI_TYPE_KERNEL_X64, 0x100050, 0, 8);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, size, ZBI_TYPE_KERNEL_X64,
                   "the kernel has less than 16 bytes");
    size = make_image(ZBI_TYPE_KERNEL_X64, 0x100080, 0, 64);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, size, ZBI_TYPE_KERNEL_X64,
                   "the kernel's entry is not within the kernel");
    size = make_image(ZBI_TYPE_KERNEL_X64, 0x50, 0, 64);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, size, ZBI_TYPE_KERNEL_X64,
                   "the kernel's entry is not within the kernel");
    size = make_image(ZBI_TYPE_KERNEL_ARM64, UINT64_MAX, 0, 64);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, size, ZBI_TYPE_KERNEL_ARM64,
                   "the kernel's entry is not within the kernel");
    size = make_image(ZBI_TYPE_KERNEL_ARM64, 0x50, UINT64_MAX, 64);
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, size, ZBI_TYPE_KERNEL_ARM64,
                   "the kernel wants more than 1 GiB behind it");
}

// --- where the loader came from
// -------------------------------------------------------------------

static uint8_t packet[512];
static struct dhcp_origin origin;

static void make_packet(const char *file)
{
    static const uint8_t cookie[4] = {99, 130, 83, 99}, server[4] = {10, 0, 2, 2};

    memset(packet, 0, sizeof(packet));
    memcpy(packet + 20, server, sizeof(server));
    memcpy(packet + 108, file, strlen(file));
    memcpy(packet + 236, cookie, sizeof(cookie));
    packet[240] = 255;
}

TEST(dhcp_reply_names_server_and_folder)
{
    make_packet("boot/machina/BOOTX64.EFI");
    ASSERT_TRUE(dhcp_reply_read(packet, sizeof(packet), &origin));
    EXPECT_EQ(origin.server[3], 2u);
    EXPECT_STR_EQ(origin.folder, "boot/machina/");
    make_packet("BOOTX64.EFI");
    ASSERT_TRUE(dhcp_reply_read(packet, sizeof(packet), &origin));
    EXPECT_STR_EQ(origin.folder, "");
}

TEST(dhcp_reply_options_take_the_place_of_fields)
{
    static const uint8_t options[] = {0, 54,  4,   192, 168, 0,   9,  67,
                                      5, 'a', '/', 'b', '.', 'e', 255};

    make_packet("");
    memset(packet + 20, 0, 4);
    memcpy(packet + 240, options, sizeof(options));
    ASSERT_TRUE(dhcp_reply_read(packet, sizeof(packet), &origin));
    EXPECT_EQ(origin.server[0], 192u);
    EXPECT_STR_EQ(origin.folder, "a/");
}

TEST(dhcp_reply_without_a_server_or_with_lying_options_is_none)
{
    static const uint8_t lying[] = {54, 200, 1, 2, 3, 4};

    make_packet("x");
    memset(packet + 20, 0, 4);
    EXPECT_FALSE(dhcp_reply_read(packet, sizeof(packet), &origin));
    memcpy(packet + 240, lying, sizeof(lying));
    EXPECT_FALSE(dhcp_reply_read(packet, 246, &origin));
    EXPECT_FALSE(dhcp_reply_read(packet, 239, &origin));
}

TEST(boot_plan_tells_what_touches_the_kernel_s_place)
{
    const uint64_t base = BOOT_PLAN_KERNEL_BASE, end = base + 0x4000;

    EXPECT_FALSE(boot_plan_place_touches(end, base - 0x1000, 0x1000));
    EXPECT_TRUE(boot_plan_place_touches(end, base - 0x1000, 0x1001));
    EXPECT_TRUE(boot_plan_place_touches(end, base, 1));
    EXPECT_TRUE(boot_plan_place_touches(end, base + 0x1000, 0x1000));
    EXPECT_TRUE(boot_plan_place_touches(end, end - 1, 0x1000));
    EXPECT_FALSE(boot_plan_place_touches(end, end, 0x1000));
    EXPECT_TRUE(boot_plan_place_touches(end, 0, end + 0x1000));
    EXPECT_TRUE(boot_plan_place_touches(end, base - 1, UINT64_MAX));
    EXPECT_FALSE(boot_plan_place_touches(end, base + 1, 0));
}
