// USB descriptors, honest and lying.
#include "tests/test.h"
#include "user/drivers/usb/portable/usb_descriptors.h"

static const uint8_t keyboard_device[18] = {18,   1,    0x00, 0x02, 0, 0, 0, 64, 0x27,
                                            0x06, 0x01, 0x00, 0,    0, 1, 4, 11, 1};

// A keyboard with media keys: two interfaces, the first a boot keyboard.
static const uint8_t keyboard_configuration[59] = {
    9, 2,    59,   0, 2, 7, 0,    0xa0, 50,   // configuration 7
    9, 4,    0,    0, 1, 3, 1,    1,    0,    // 9: interface 0
    9, 0x21, 0x11, 1, 0, 1, 0x22, 0x41, 0x01, // 18: HID
    7, 5,    0x81, 3, 8, 0, 10,               // 27: endpoint 1 in
    9, 4,    1,    0, 1, 3, 0,    0,    0,    // 34: interface 1
    9, 0x21, 0x11, 1, 0, 1, 0x22, 0x30, 0x00, // 43: HID
    7, 5,    0x82, 3, 4, 0, 255,              // 52: endpoint 2 in
};

static uint8_t bytes[1024];
static struct usb_configuration configuration;
static struct usb_descriptor_problem problem;

static mx_status_t parse_with(size_t offset, uint8_t value)
{
    memcpy(bytes, keyboard_configuration, sizeof(keyboard_configuration));
    bytes[offset] = value;
    problem = (struct usb_descriptor_problem){9999, NULL};
    return usb_parse_configuration(bytes, sizeof(keyboard_configuration), &configuration, &problem);
}

TEST(usb_device_descriptor_is_read)
{
    struct usb_device_descriptor device;

    ASSERT_OK(usb_parse_device(keyboard_device, sizeof(keyboard_device), &device, &problem));
    EXPECT_EQ(device.usb_version, 0x0200);
    EXPECT_EQ(device.vendor_id, 0x0627);
    EXPECT_EQ(device.product_id, 0x0001);
    EXPECT_EQ(device.max_packet_bytes0, 64);
    EXPECT_EQ(device.configuration_count, 1);
}

TEST(usb_device_descriptor_that_is_cut_or_of_another_type_or_too_short_is_refused)
{
    struct usb_device_descriptor device;

    memcpy(bytes, keyboard_device, sizeof(keyboard_device));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, usb_parse_device(bytes, 17, &device, &problem));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, usb_parse_device(bytes, 0, &device, &problem));
    bytes[0] = 17;
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, usb_parse_device(bytes, 18, &device, &problem));
    EXPECT_EQ(problem.offset, 0);
    bytes[0] = 18;
    bytes[1] = 2;
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, usb_parse_device(bytes, 18, &device, &problem));
    EXPECT_EQ(problem.offset, 1);
    bytes[1] = 1;
    bytes[17] = 0;
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, usb_parse_device(bytes, 18, &device, &problem));
    EXPECT_EQ(problem.offset, 17);
}

TEST(usb_packet_size_is_one_of_four)
{
    uint16_t packet_bytes = 0;

    memcpy(bytes, keyboard_device, sizeof(keyboard_device));
    for (unsigned value = 0; value < 256; value++) {
        const bool is_valid = value == 8 || value == 16 || value == 32 || value == 64;
        bytes[7] = (uint8_t)value;
        EXPECT_STATUS(is_valid ? MX_OK : MX_ERR_IO_DATA_INTEGRITY,
                      usb_parse_packet_size(bytes, 8, &packet_bytes, &problem));
        if (is_valid)
            EXPECT_EQ(packet_bytes, value);
    }
    bytes[7] = 8;
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY,
                  usb_parse_packet_size(bytes, 7, &packet_bytes, &problem));
}

TEST(usb_configuration_of_a_keyboard_is_read)
{
    const struct usb_interface *keyboard;
    const struct usb_endpoint *endpoint;

    ASSERT_OK(parse_with(0, 9));
    EXPECT_EQ(configuration.value, 7);
    EXPECT_FALSE(configuration.is_partial);
    ASSERT_EQ(configuration.interface_count, 2);
    keyboard = usb_find_boot_keyboard(&configuration);
    ASSERT_TRUE(keyboard == &configuration.interfaces[0]);
    EXPECT_TRUE(keyboard->has_hid);
    EXPECT_EQ(keyboard->report_descriptor_bytes, 0x141);
    endpoint = usb_find_interrupt_in(keyboard);
    ASSERT_TRUE(endpoint != NULL);
    EXPECT_EQ(endpoint->address, 0x81);
    EXPECT_EQ(endpoint->max_packet_bytes, 8);
    EXPECT_EQ(endpoint->interval, 10);
    EXPECT_EQ(configuration.interfaces[1].number, 1);
    EXPECT_EQ(configuration.interfaces[1].endpoints[0].interval, 255);
}

TEST(usb_configuration_without_boot_keyboard_has_none)
{
    ASSERT_OK(parse_with(15, 0)); // no boot subclass
    EXPECT_TRUE(usb_find_boot_keyboard(&configuration) == NULL);
    ASSERT_OK(parse_with(16, 2)); // a mouse
    EXPECT_TRUE(usb_find_boot_keyboard(&configuration) == NULL);
    ASSERT_OK(parse_with(14, 8)); // storage; its HID descriptor is nobody's
    EXPECT_TRUE(usb_find_boot_keyboard(&configuration) == NULL);
    EXPECT_FALSE(configuration.interfaces[0].has_hid);
    ASSERT_OK(parse_with(29, 0x01)); // an out endpoint
    EXPECT_TRUE(usb_find_boot_keyboard(&configuration) == NULL);
    ASSERT_OK(parse_with(30, 2)); // a bulk endpoint
    EXPECT_TRUE(usb_find_boot_keyboard(&configuration) == NULL);
    ASSERT_OK(parse_with(12, 1)); // another setting than the one that is on
    EXPECT_TRUE(usb_find_boot_keyboard(&configuration) == NULL);
}

TEST(usb_descriptor_lengths_that_lie_are_refused_where_they_stand)
{
    static const struct {
        size_t offset;
        uint8_t value;
        size_t problem_offset;
    } lies[] = {
        {0, 8, 0},      // configuration shorter than its type
        {0, 60, 2},     // and longer than all
        {2, 8, 2},      // total shorter than the configuration descriptor
        {9, 0, 9},      // no progress
        {9, 1, 9},      // no type
        {9, 8, 9},      // interface too short
        {18, 8, 18},    // HID too short
        {18, 255, 18},  // beyond the end
        {27, 6, 27},    // endpoint too short
        {52, 8, 52},    // beyond the end by one
        {2, 58, 52},    // the total cuts the last one
        {2, 53, 52},    // not even a header
        {29, 0x80, 29}, // endpoint 0
        {31, 0, 31},    // empty packets
        {10, 2, 9},     // a configuration inside
        {10, 9, 27},    // its interface is not known as one: an endpoint in front of all
    };

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, parse_with(lies[i].offset, lies[i].value));
        EXPECT_EQ(problem.offset, lies[i].problem_offset);
        EXPECT_TRUE(problem.text != NULL);
    }
}

TEST(usb_packet_size_of_an_endpoint_is_at_most_1024)
{
    ASSERT_OK(parse_with(32, 0x18)); // further transactions do not count
    EXPECT_EQ(configuration.interfaces[0].endpoints[0].max_packet_bytes, 8);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, parse_with(32, 0x04)); // 1032
    EXPECT_EQ(problem.offset, 31);
}

TEST(usb_configuration_that_was_sent_short_counts_as_far_as_it_is)
{
    memcpy(bytes, keyboard_configuration, sizeof(keyboard_configuration));
    ASSERT_OK(usb_parse_configuration(bytes, 34, &configuration, &problem));
    EXPECT_EQ(configuration.interface_count, 1);
    EXPECT_TRUE(usb_find_boot_keyboard(&configuration) != NULL);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY,
                  usb_parse_configuration(bytes, 8, &configuration, &problem));
    // What lies behind the total is not looked at.
    bytes[2] = 34;
    bytes[34] = 0;
    EXPECT_OK(usb_parse_configuration(bytes, 59, &configuration, &problem));
}

TEST(usb_configuration_keeps_a_bounded_number_of_interfaces_and_endpoints)
{
    size_t size = 9;

    memcpy(bytes, keyboard_configuration, 9);
    for (unsigned i = 0; i < 40; i++, size += 16) {
        memcpy(bytes + size, keyboard_configuration + 9, 9);
        memcpy(bytes + size + 9, keyboard_configuration + 27, 7);
        bytes[size + 2] = (uint8_t)i;
    }
    for (unsigned i = 0; i < 20; i++, size += 7)
        memcpy(bytes + size, keyboard_configuration + 27, 7);
    bytes[2] = (uint8_t)size;
    bytes[3] = (uint8_t)(size >> 8);
    ASSERT_OK(usb_parse_configuration(bytes, size, &configuration, &problem));
    EXPECT_TRUE(configuration.is_partial);
    EXPECT_EQ(configuration.interface_count, USB_INTERFACES_MAX);
    EXPECT_EQ(configuration.interfaces[USB_INTERFACES_MAX - 1].endpoint_count, 1);
}
