// Scan codes of both sets into keys.

#include "tests/test.h"

#include "user/portable/ps2_scancodes.h"

static struct ps2_scancodes codes;
static struct keyboard_event event;

// Feeds codes and gives what the last one led to.
static enum ps2_result feed(const uint8_t *bytes, size_t count)
{
    enum ps2_result result = PS2_NOTHING;

    for (size_t i = 0; i < count; i++) {
        EXPECT_EQ(result, PS2_NOTHING);
        result = ps2_scancodes_feed(&codes, bytes[i], &event);
    }
    return result;
}

#define FEED(...) feed((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

#define EXPECT_KEY(expected_usage, expected_pressed, ...) \
    do {                                                  \
        EXPECT_EQ(FEED(__VA_ARGS__), PS2_KEY);            \
        EXPECT_EQ(event.usage, expected_usage);           \
        EXPECT_EQ(event.is_pressed, expected_pressed);    \
    } while (0)

TEST(scancodes_of_set_2)
{
    ps2_scancodes_init(&codes, false);
    EXPECT_KEY(0x04, 1, 0x1c);
    EXPECT_KEY(0x04, 0, 0xf0, 0x1c);
    EXPECT_KEY(0x40, 1, 0x83);
    EXPECT_KEY(0x52, 1, 0xe0, 0x75);
    EXPECT_KEY(0x52, 0, 0xe0, 0xf0, 0x75);
    EXPECT_KEY(0x60, 1, 0x75);
    EXPECT_KEY(0xe4, 1, 0xe0, 0x14);
}

TEST(scancodes_of_set_1)
{
    ps2_scancodes_init(&codes, true);
    EXPECT_KEY(0x04, 1, 0x1e);
    EXPECT_KEY(0x04, 0, 0x9e);
    EXPECT_KEY(0x52, 1, 0xe0, 0x48);
    EXPECT_KEY(0x52, 0, 0xe0, 0xc8);
    EXPECT_KEY(0xe1, 1, 0x2a);
    EXPECT_KEY(0xe1, 0, 0xaa);
    EXPECT_KEY(0x45, 1, 0x58);
}

TEST(scancodes_of_a_held_key_give_one_event)
{
    ps2_scancodes_init(&codes, false);
    EXPECT_KEY(0x52, 1, 0xe0, 0x75);
    EXPECT_EQ(FEED(0xe0, 0x75, 0xe0, 0x75), PS2_NOTHING);
    EXPECT_KEY(0x04, 1, 0x1c);
    EXPECT_EQ(FEED(0x1c), PS2_NOTHING);
    EXPECT_KEY(0x52, 0, 0xe0, 0xf0, 0x75);
    EXPECT_KEY(0x04, 0, 0xf0, 0x1c);
    EXPECT_KEY(0x04, 1, 0x1c);
    ps2_scancodes_init(&codes, true);
    EXPECT_KEY(0x04, 1, 0x1e);
    EXPECT_EQ(FEED(0x1e, 0x1e), PS2_NOTHING);
    EXPECT_KEY(0x04, 0, 0x9e);
}

// What was held is let go with the overrun, and so is pressed anew.
TEST(scancodes_of_a_held_key_begin_again_after_an_overrun)
{
    ps2_scancodes_init(&codes, false);
    EXPECT_KEY(0x04, 1, 0x1c);
    EXPECT_EQ(FEED(0x00), PS2_OVERRUN);
    EXPECT_KEY(0x04, 1, 0x1c);
}

TEST(scancodes_leave_out_shifts_that_nobody_pressed)
{
    ps2_scancodes_init(&codes, false);
    EXPECT_EQ(FEED(0xe0, 0x12), PS2_NOTHING);
    EXPECT_KEY(0x46, 1, 0xe0, 0x7c);
    ps2_scancodes_init(&codes, true);
    EXPECT_EQ(FEED(0xe0, 0x2a), PS2_NOTHING);
    EXPECT_KEY(0x46, 1, 0xe0, 0x37);
}

TEST(scancodes_leave_out_pause)
{
    ps2_scancodes_init(&codes, false);
    EXPECT_EQ(FEED(0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77), PS2_NOTHING);
    EXPECT_KEY(0x04, 1, 0x1c);
    ps2_scancodes_init(&codes, true);
    EXPECT_EQ(FEED(0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5), PS2_NOTHING);
    EXPECT_KEY(0x04, 1, 0x1e);
}

TEST(scancodes_tell_overruns_and_restarts)
{
    ps2_scancodes_init(&codes, false);
    EXPECT_EQ(FEED(0xe0, 0x00), PS2_OVERRUN);
    EXPECT_KEY(0x60, 1, 0x75);
    EXPECT_EQ(FEED(0xaa), PS2_RESTARTED);
    ps2_scancodes_init(&codes, true);
    EXPECT_EQ(FEED(0xff), PS2_OVERRUN);
}

TEST(scancodes_ignore_unknown_ones)
{
    ps2_scancodes_init(&codes, false);
    EXPECT_EQ(FEED(0x02, 0x87, 0xe0, 0x01, 0xf0, 0x87), PS2_NOTHING);
    EXPECT_KEY(0x04, 1, 0x1c);
}

// Both sets name the same keys.
TEST(scancodes_of_both_sets_agree)
{
    static const uint8_t set_1[] = {0x01, 0x02, 0x0f, 0x10, 0x1c, 0x2c,
                                    0x39, 0x3b, 0x46, 0x4e, 0x53};
    static const uint8_t set_2[] = {0x76, 0x16, 0x0d, 0x15, 0x5a, 0x1a,
                                    0x29, 0x05, 0x7e, 0x79, 0x71};

    for (size_t i = 0; i < sizeof(set_1); i++) {
        ps2_scancodes_init(&codes, true);
        EXPECT_EQ(FEED(set_1[i]), PS2_KEY);
        uint16_t usage = event.usage;
        ps2_scancodes_init(&codes, false);
        EXPECT_KEY(usage, 1, set_2[i]);
    }
}
