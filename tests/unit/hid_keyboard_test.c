// Boot keyboard reports as key changes.
#include "tests/test.h"
#include "tests/unit/key_changes.h"
#include "user/drivers/usb/portable/hid_keyboard.h"

static struct hid_keyboard keyboard;
static struct key_queue queue;

static void start(void)
{
    memset(&keyboard, 0, sizeof(keyboard));
    memset(&queue, 0, sizeof(queue));
}

static mx_status_t report(uint8_t modifiers, uint8_t a, uint8_t b, uint8_t c)
{
    const uint8_t bytes[8] = {modifiers, 0xff, a, b, c, 0, 0, 0};

    return hid_keyboard_report(&keyboard, bytes, sizeof(bytes), &queue);
}

static int next(void)
{
    return take_key_change(&queue);
}

TEST(hid_keyboard_reports_the_difference)
{
    start();
    EXPECT_OK(report(0, 4, 0, 0));
    EXPECT_OK(report(0, 4, 5, 0));
    EXPECT_OK(report(0, 5, 0, 0));
    EXPECT_OK(report(0, 5, 0, 0));
    EXPECT_OK(report(0, 0, 0, 0));
    EXPECT_EQ(next(), 4);
    EXPECT_EQ(next(), 5);
    EXPECT_EQ(next(), -4);
    EXPECT_EQ(next(), -5);
    EXPECT_EQ(next(), 0);
}

TEST(hid_keyboard_releases_first_and_presses_modifiers_before_keys)
{
    start();
    EXPECT_OK(report(0, 9, 0, 0));
    EXPECT_OK(report(0x22, 0x1e, 0x04, 0));
    EXPECT_EQ(next(), 9);
    EXPECT_EQ(next(), -9);
    EXPECT_EQ(next(), 0xe1);
    EXPECT_EQ(next(), 0xe5);
    EXPECT_EQ(next(), 0x1e); // in the order of the report
    EXPECT_EQ(next(), 0x04);
    EXPECT_OK(report(0, 0, 0, 0));
    EXPECT_EQ(next(), -0x04);
    EXPECT_EQ(next(), -0x1e);
    EXPECT_EQ(next(), -0xe1);
    EXPECT_EQ(next(), -0xe5);
    EXPECT_EQ(next(), 0);
}

TEST(hid_keyboard_keeps_keys_on_roll_over_but_takes_modifiers)
{
    start();
    EXPECT_OK(report(0, 4, 5, 0));
    EXPECT_EQ(next(), 4);
    EXPECT_EQ(next(), 5);
    for (uint8_t error = 1; error < 4; error++) {
        EXPECT_OK(report(0x02, error, error, error));
        EXPECT_EQ(next(), 0xe1);
        EXPECT_OK(report(0, error, error, error));
        EXPECT_EQ(next(), -0xe1);
        EXPECT_EQ(next(), 0);
    }
    EXPECT_OK(report(0, 5, 0, 0));
    EXPECT_EQ(next(), -4);
    EXPECT_EQ(next(), 0);
}

TEST(hid_keyboard_says_a_key_once_that_is_reported_twice)
{
    start();
    EXPECT_OK(report(0x01, 4, 4, 0xe0));
    EXPECT_EQ(next(), 0xe0);
    EXPECT_EQ(next(), 4);
    EXPECT_EQ(next(), 0);
    EXPECT_OK(report(0, 0, 4, 0));
    EXPECT_EQ(next(), -0xe0);
    EXPECT_EQ(next(), 0);
}

TEST(hid_keyboard_refuses_short_reports_and_ignores_what_is_behind)
{
    const uint8_t bytes[10] = {0, 0, 4, 0, 0, 0, 0, 0, 5, 6};

    start();
    for (size_t size = 0; size < 8; size++)
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY,
                      hid_keyboard_report(&keyboard, bytes, size, &queue));
    EXPECT_EQ(next(), 0);
    EXPECT_OK(hid_keyboard_report(&keyboard, bytes, sizeof(bytes), &queue));
    EXPECT_EQ(next(), 4);
    EXPECT_EQ(next(), 0);
}

TEST(hid_keyboard_needs_room_for_all_that_a_report_can_mean)
{
    const uint8_t full[8] = {0xff, 0, 4, 5, 6, 7, 8, 9};
    const uint8_t other[8] = {0, 0, 10, 11, 12, 13, 14, 15};
    unsigned count = 0;

    start();
    while (key_queue_room(&queue) >= HID_KEYBOARD_CHANGES_MAX) {
        const uint32_t before = key_queue_used(&queue);
        EXPECT_OK(hid_keyboard_report(&keyboard, count++ % 2 ? other : full, 8, &queue));
        EXPECT_LE(key_queue_used(&queue) - before, HID_KEYBOARD_CHANGES_MAX);
    }
    const uint32_t used = key_queue_used(&queue);
    EXPECT_STATUS(MX_ERR_NO_RESOURCES,
                  hid_keyboard_report(&keyboard, count % 2 ? other : full, 8, &queue));
    EXPECT_EQ(key_queue_used(&queue), used);
    while (next() != 0)
        ;
    EXPECT_OK(hid_keyboard_report(&keyboard, count % 2 ? other : full, 8, &queue));
    EXPECT_EQ(key_queue_used(&queue), 6 + 6 + 8);
}

TEST(key_state_changes_only_what_is_a_key_and_otherwise)
{
    start();
    EXPECT_FALSE(key_state_change(&keyboard.keys, 3, true, &queue));
    EXPECT_FALSE(key_state_change(&keyboard.keys, 256, true, &queue));
    EXPECT_FALSE(key_state_change(&keyboard.keys, 0xffff, true, &queue));
    EXPECT_FALSE(key_state_change(&keyboard.keys, 4, false, &queue));
    EXPECT_TRUE(key_state_change(&keyboard.keys, 255, true, &queue));
    EXPECT_FALSE(key_state_change(&keyboard.keys, 255, true, &queue));
    EXPECT_TRUE(key_state_is_down(&keyboard.keys, 255));
    EXPECT_FALSE(key_state_is_down(&keyboard.keys, 300));
    EXPECT_EQ(next(), 255);
    EXPECT_EQ(next(), 0);
}

TEST(key_state_releases_what_is_down_as_far_as_there_is_room)
{
    start();
    for (uint16_t usage = 4; usage < 4 + 100; usage++)
        EXPECT_TRUE(key_state_change(&keyboard.keys, usage, true, &queue));
    EXPECT_FALSE(key_state_release_all(&keyboard.keys, &queue));
    EXPECT_EQ(key_queue_room(&queue), 0);
    key_queue_drop(&queue, KEY_QUEUE_CAPACITY);
    EXPECT_TRUE(key_state_release_all(&keyboard.keys, &queue));
    EXPECT_EQ(key_queue_used(&queue), 200 - KEY_QUEUE_CAPACITY);
    key_queue_drop(&queue, 1000);
    EXPECT_TRUE(key_state_release_all(&keyboard.keys, &queue));
    EXPECT_EQ(next(), 0);
}
