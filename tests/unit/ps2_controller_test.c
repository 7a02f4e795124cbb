// The PS/2 controller's driver against a controller and a keyboard that are there, absent, mute or
// broken. Time goes on in pauses only.
#include "tests/test.h"

#include "user/portable/ps2_controller.h"
#include "user/portable/ps2_scancodes.h"

#define PAUSE_NS       100000
#define SECOND_NS      1000000000ll
#define TRICKLE_NS     200000000ll
#define ACK            0xfa
#define RESEND         0xfe
#define PASSED         0xaa
#define QUEUE_BYTES    512
#define CONFIG_COMMAND 0x60

enum fault {
    FAULT_NONE,
    FAULT_ABSENT,     // all ones
    FAULT_BUSY,       // takes nothing
    FAULT_MUTE,       // takes everything, and says nothing
    FAULT_CHATTER,    // always has another byte
    FAULT_TRICKLE,    // has one after a while, again and again
    FAULT_SELF_TEST,  // fails it
    FAULT_CONFIG,     // loses its configuration's answer after the self-test
    FAULT_NO_KEYBOARD // the controller alone is there
};

static struct {
    enum fault fault;
    int64_t now_ns;
    int64_t read_ns; // when a byte was read last
    uint8_t output[QUEUE_BYTES];
    size_t first, count;
    bool is_from_mouse; // what is in the queue
    uint8_t command;    // that wants a data byte
    uint8_t config;
    bool is_tested;
    unsigned accesses;
    // The keyboard: what it says before each acknowledgement, and to how many bytes it says RESEND.
    const uint8_t *typed;
    size_t typed_count;
    unsigned resends;
    uint8_t told[32];
    size_t told_count;
} fake;

static void put(uint8_t byte)
{
    if (fake.count < QUEUE_BYTES)
        fake.output[(fake.first + fake.count++) % QUEUE_BYTES] = byte;
}

static uint8_t read_status(void)
{
    fake.accesses++;
    if (fake.fault == FAULT_ABSENT)
        return 0xff;
    if (fake.fault == FAULT_BUSY)
        return 0x02;
    if (fake.fault == FAULT_CHATTER)
        return 0x01;
    if (fake.fault == FAULT_TRICKLE)
        return fake.now_ns - fake.read_ns >= TRICKLE_NS ? 0x01 : 0;
    return fake.count == 0 ? 0 : fake.is_from_mouse ? 0x21 : 0x01;
}

static uint8_t read_data(void)
{
    fake.accesses++;
    fake.read_ns = fake.now_ns;
    if (fake.count == 0 || fake.fault == FAULT_CHATTER || fake.fault == FAULT_TRICKLE)
        return 0;
    fake.count--;
    uint8_t byte = fake.output[fake.first];
    fake.first = (fake.first + 1) % QUEUE_BYTES;
    return byte;
}

static bool write_command(uint8_t value)
{
    EXPECT_FALSE(fake.fault == FAULT_BUSY);
    fake.command = value == CONFIG_COMMAND ? value : 0;
    if (fake.fault == FAULT_MUTE)
        return true;
    if (value == 0x20 && !(fake.fault == FAULT_CONFIG && fake.is_tested))
        put(fake.config);
    if (value == 0xaa) {
        fake.is_tested = true;
        put(fake.fault == FAULT_SELF_TEST ? 0xfc : 0x55);
    }
    return true;
}

static void tell_fake_keyboard(uint8_t value)
{
    if (fake.told_count < sizeof(fake.told))
        fake.told[fake.told_count++] = value;
    for (size_t i = 0; i < fake.typed_count; i++)
        put(fake.typed[i]);
    if (fake.resends != 0) {
        fake.resends--;
        put(RESEND);
        return;
    }
    put(ACK);
    if (value == 0xff)
        put(PASSED);
}

static bool write_data(uint8_t value)
{
    if (fake.command == CONFIG_COMMAND)
        fake.config = value;
    else if (fake.fault != FAULT_NO_KEYBOARD && fake.fault != FAULT_MUTE)
        tell_fake_keyboard(value);
    fake.command = 0;
    return true;
}

static int64_t now_ns(void)
{
    return fake.now_ns;
}

static void pause_a_while(void)
{
    fake.now_ns += PAUSE_NS;
}

static const struct ps2_controller_ops ops = {read_status,   read_data, write_data,
                                              write_command, now_ns,    pause_a_while};
static struct ps2_controller controller;

// What ps2_controller_start says of a controller with this fault.
static const char *start(enum fault fault)
{
    memset(&fake, 0, sizeof(fake));
    fake.fault = fault;
    fake.config = 0x45; // interrupts and translation, as firmware leaves it
    const char *problem = ps2_controller_start(&controller, &ops);
    return problem ? problem : "";
}

static void expect_taken(const uint8_t *bytes, size_t count)
{
    uint8_t byte;

    for (size_t i = 0; i < count; i++) {
        ASSERT_TRUE(ps2_controller_take(&controller, &byte));
        EXPECT_EQ(byte, bytes[i]);
    }
    EXPECT_FALSE(ps2_controller_take(&controller, &byte));
}

TEST(ps2_controller_starts_with_its_keyboard)
{
    EXPECT_STR_EQ(start(FAULT_NONE), "");
    EXPECT_EQ(fake.config, 0x04);
    EXPECT_FALSE(controller.is_translated);
    EXPECT_TRUE(ps2_keyboard_reset(&controller));
    EXPECT_TRUE(ps2_keyboard_start(&controller));
    EXPECT_TRUE(ps2_controller_enable_interrupt(&controller) == NULL);
    EXPECT_EQ(fake.config, 0x05);
    ps2_keyboard_show(&controller, KEYBOARD_CAPS_LOCK | KEYBOARD_SCROLL_LOCK);
    static const uint8_t told[] = {0xff, 0xf0, 2, 0xf4, 0xed, 5};
    ASSERT_EQ(fake.told_count, sizeof(told));
    EXPECT_TRUE(memcmp(fake.told, told, sizeof(told)) == 0);
}

TEST(ps2_controller_that_is_absent_mute_or_broken_is_told_of)
{
    static const struct {
        enum fault fault;
        const char *problem;
    } cases[] = {
        {FAULT_ABSENT, "there is none"},           {FAULT_BUSY, "it takes no commands"},
        {FAULT_MUTE, "it does not answer"},        {FAULT_CHATTER, "its self-test failed"},
        {FAULT_SELF_TEST, "its self-test failed"}, {FAULT_CONFIG, "it cannot be set up"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        EXPECT_STR_EQ(start(cases[i].fault), cases[i].problem);
        // By its own clock, which goes on only while it waits.
        EXPECT_TRUE(fake.now_ns < SECOND_NS);
        EXPECT_TRUE(fake.accesses < 20000);
    }
}

TEST(ps2_keyboard_that_is_not_there_is_given_up)
{
    EXPECT_STR_EQ(start(FAULT_NO_KEYBOARD), "");
    EXPECT_FALSE(ps2_keyboard_reset(&controller));
    EXPECT_FALSE(ps2_keyboard_start(&controller));
    EXPECT_TRUE(ps2_controller_enable_interrupt(&controller) == NULL);
    EXPECT_TRUE(fake.now_ns < SECOND_NS);
}

TEST(ps2_controller_that_breaks_later_does_not_hold_its_driver)
{
    uint8_t byte;

    EXPECT_STR_EQ(start(FAULT_NONE), "");
    for (enum fault fault = FAULT_ABSENT; fault <= FAULT_TRICKLE; fault++) {
        fake.fault = fault;
        fake.now_ns = fake.read_ns = 0;
        fake.count = 0;
        fake.accesses = 0;
        ps2_keyboard_show(&controller, KEYBOARD_NUM_LOCK);
        EXPECT_FALSE(ps2_keyboard_reset(&controller));
        EXPECT_TRUE(fake.now_ns < 3 * SECOND_NS);
        EXPECT_TRUE(fake.accesses < 40000);
    }
    fake.fault = FAULT_ABSENT;
    EXPECT_FALSE(ps2_controller_take(&controller, &byte));
}

TEST(ps2_keyboard_that_wants_a_byte_again_gets_it)
{
    EXPECT_STR_EQ(start(FAULT_NONE), "");
    fake.resends = 2;
    EXPECT_TRUE(ps2_keyboard_start(&controller));
    EXPECT_EQ(fake.told_count, 5u);
    fake.resends = UINT32_MAX;
    EXPECT_FALSE(ps2_keyboard_start(&controller));
}

TEST(ps2_keys_that_come_before_an_acknowledgement_are_kept)
{
    static const uint8_t typed[] = {0x1c, 0xf0, 0x1c, 0x32};
    static const uint8_t all[] = {0x1c, 0xf0, 0x1c, 0x32, 0x1c, 0xf0, 0x1c, 0x32, 0xf0, 0x32};

    EXPECT_STR_EQ(start(FAULT_NONE), "");
    fake.typed = typed;
    fake.typed_count = sizeof(typed);
    ps2_keyboard_show(&controller, KEYBOARD_CAPS_LOCK);
    EXPECT_EQ(fake.told_count, 2u);
    // What comes later is behind them.
    put(0xf0);
    put(0x32);
    expect_taken(all, sizeof(all));
}

TEST(ps2_keys_that_cannot_be_kept_are_an_overrun)
{
    static uint8_t typed[40];
    struct ps2_scancodes codes;
    struct keyboard_event event;
    uint8_t byte;

    memset(typed, 0x1c, sizeof(typed));
    EXPECT_STR_EQ(start(FAULT_NONE), "");
    fake.typed = typed;
    fake.typed_count = sizeof(typed);
    ps2_keyboard_show(&controller, KEYBOARD_CAPS_LOCK);
    ps2_scancodes_init(&codes, false);
    for (size_t i = 0; i < PS2_TYPED_MAX - 1; i++) {
        ASSERT_TRUE(ps2_controller_take(&controller, &byte));
        EXPECT_NE(ps2_scancodes_feed(&codes, byte, &event), PS2_OVERRUN);
    }
    ASSERT_TRUE(ps2_controller_take(&controller, &byte));
    EXPECT_EQ(ps2_scancodes_feed(&codes, byte, &event), PS2_OVERRUN);
    EXPECT_FALSE(ps2_controller_take(&controller, &byte));
}

TEST(ps2_bytes_of_a_mouse_are_no_keys)
{
    EXPECT_STR_EQ(start(FAULT_NONE), "");
    put(0x1c);
    put(0x32);
    fake.is_from_mouse = true;
    expect_taken(NULL, 0);
    EXPECT_EQ(fake.count, 0u);
}
