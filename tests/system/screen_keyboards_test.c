// The screen's keyboards with drivers that speak nonsense, flood it, and die: they can press keys,
// and nothing else.
#include <machina/syscalls.h>

#include <machina_user/keyboard.h>

#include "tests/system/child.h"
#include "tests/test.h"
#include "user/services/screen/keyboards.h"

#define FIRST_KEY   100
#define USAGE_A     0x04
#define USAGE_B     0x05
#define USAGE_CAPS  0x39
#define PER_CHANNEL 4
#define TYPED_MAX   4096

static mx_handle_t port, init_side, driver;
static char typed[TYPED_MAX];
static size_t typed_count;

static void note_key(const struct key_result *result)
{
    for (size_t i = 0; i < result->length && typed_count < TYPED_MAX - 1; i++)
        typed[typed_count++] = result->bytes[i];
    typed[typed_count] = '\0';
}

static unsigned no_modes(void)
{
    return 0;
}

static const struct keyboards_ops ops = {note_key, no_modes};

// One round of the screen's loop after another, until nothing is to be done at once. What repeats
// is not waited for.
static void run_screen(void)
{
    struct mx_port_packet packet;

    for (unsigned round = 0; round < 1000; round++) {
        keyboards_pump();
        const bool is_idle = keyboards_deadline() > mx_clock_get_monotonic();
        if (mx_port_wait(port, 0, &packet) == MX_OK)
            EXPECT_TRUE(keyboards_take_packet(packet.key));
        else if (is_idle)
            return;
    }
    EXPECT_TRUE(false);
}

// The screen's end of a channel in which `operation` was asked for in another.
static mx_handle_t give_channel(mx_handle_t through, uint32_t operation)
{
    const struct keyboard_connect message = {.operation = operation};
    mx_handle_t ours = MX_HANDLE_INVALID, theirs;

    if (mx_channel_create(&ours, &theirs) != MX_OK)
        return MX_HANDLE_INVALID;
    EXPECT_OK(mx_channel_write(through, &message, sizeof(message), &theirs, 1));
    run_screen();
    return ours;
}

static void start(void)
{
    mx_handle_t theirs = MX_HANDLE_INVALID;

    typed_count = 0;
    typed[0] = '\0';
    EXPECT_OK(mx_port_create(&port));
    EXPECT_OK(mx_channel_create(&init_side, &theirs));
    keyboards_init(&ops, theirs, port, FIRST_KEY);
    driver = give_channel(init_side, KEYBOARD_ADD_DRIVER);
}

// Everything gone, so that the next test finds all places free.
static void stop(void)
{
    close_handle(driver);
    close_handle(init_side);
    run_screen();
    close_handle(port);
}

static mx_handle_t connect_in(mx_handle_t channel)
{
    const struct keyboard_connect message = {.operation = KEYBOARD_CONNECT};
    mx_handle_t ours = MX_HANDLE_INVALID, theirs;

    if (mx_stream_create(&ours, &theirs) != MX_OK)
        return MX_HANDLE_INVALID;
    EXPECT_OK(mx_channel_write(channel, &message, sizeof(message), &theirs, 1));
    run_screen();
    return ours;
}

static bool is_closed(mx_handle_t handle)
{
    mx_signals_t pending = 0;

    return mx_object_wait_one(handle, MX_SIGNAL_PEER_CLOSED, 0, &pending) == MX_OK;
}

static void press(mx_handle_t stream, uint16_t usage, uint8_t is_pressed)
{
    const struct keyboard_event event = {.usage = usage, .is_pressed = is_pressed};

    EXPECT_OK(mx_stream_write(stream, &event, sizeof(event), NULL));
    run_screen();
}

static void type(mx_handle_t stream, uint16_t usage)
{
    press(stream, usage, 1);
    press(stream, usage, 0);
}

TEST(keyboard_types_what_it_says)
{
    start();
    mx_handle_t keyboard = connect_in(driver);
    type(keyboard, USAGE_A);
    type(keyboard, USAGE_B);
    EXPECT_STR_EQ(typed, "ab");
    close_handle(keyboard);
    stop();
}

TEST(keyboard_whose_driver_dies_stops_repeating_and_frees_its_place)
{
    start();
    mx_handle_t keyboard = connect_in(driver);
    press(keyboard, USAGE_A, 1);
    EXPECT_STR_EQ(typed, "a");
    EXPECT_LT(keyboards_deadline(), MX_TIME_INFINITE); // it will repeat
    // Both go, as when the process ends.
    close_handle(driver);
    close_handle(keyboard);
    run_screen();
    EXPECT_EQ(keyboards_deadline(), MX_TIME_INFINITE);
    mx_nanosleep(mx_clock_get_monotonic() + MX_MSEC(KEY_REPEAT_DELAY_MS + 50));
    run_screen();
    EXPECT_STR_EQ(typed, "a");
    driver = give_channel(init_side, KEYBOARD_ADD_DRIVER);
    for (unsigned i = 0; i < 4 * KEYBOARDS_MAX; i++) {
        keyboard = connect_in(driver);
        EXPECT_FALSE(is_closed(keyboard));
        close_handle(keyboard);
    }
    stop();
}

TEST(keyboard_goes_on_when_its_drivers_channel_is_closed)
{
    start();
    mx_handle_t keyboard = connect_in(driver);
    close_handle(driver);
    run_screen();
    type(keyboard, USAGE_A);
    EXPECT_STR_EQ(typed, "a");
    driver = give_channel(init_side, KEYBOARD_ADD_DRIVER);
    close_handle(keyboard);
    stop();
}

// Random bytes; afterwards it and others still work.
TEST(keyboard_that_sends_nonsense_disturbs_no_other)
{
    uint32_t random = 12345;
    uint8_t bytes[61];

    start();
    mx_handle_t bad = connect_in(driver), good = connect_in(driver);
    for (unsigned i = 0; i < 64; i++) {
        for (size_t j = 0; j < sizeof(bytes); j++) {
            random = random * 1664525 + 1013904223;
            bytes[j] = (uint8_t)(random >> 24);
        }
        EXPECT_OK(mx_stream_write(bad, bytes, sizeof(bytes), NULL));
        run_screen();
    }
    // Usages beyond the page, and states that are neither up nor down, are no keys.
    typed_count = 0;
    press(good, 0xffff, 1);
    press(good, KEYBOARD_USAGES + USAGE_A, 1);
    press(good, USAGE_A, 7);
    press(good, 0, 1);
    EXPECT_EQ(typed_count, 0u);
    type(good, USAGE_B);
    EXPECT_STR_EQ(typed, "b");
    close_handle(bad);
    close_handle(good);
    stop();
}

TEST(keyboard_event_may_come_in_pieces_and_half_of_one_is_forgotten)
{
    const struct keyboard_event event = {.usage = USAGE_A, .is_pressed = 1};

    start();
    mx_handle_t keyboard = connect_in(driver);
    for (size_t i = 0; i < sizeof(event); i++) {
        EXPECT_EQ(typed_count, 0u);
        EXPECT_OK(mx_stream_write(keyboard, (const uint8_t *)&event + i, 1, NULL));
        run_screen();
    }
    EXPECT_STR_EQ(typed, "a");
    EXPECT_OK(mx_stream_write(keyboard, &event, 3, NULL));
    close_handle(keyboard);
    run_screen();
    // The next one in its place begins anew.
    keyboard = connect_in(driver);
    type(keyboard, USAGE_B);
    EXPECT_STR_EQ(typed, "ab");
    close_handle(keyboard);
    stop();
}

TEST(keyboard_that_floods_leaves_others_their_turn)
{
    static const struct keyboard_event events[2] = {{.usage = USAGE_A, .is_pressed = 1},
                                                    {.usage = USAGE_A}};

    start();
    mx_handle_t flooding = connect_in(driver), other = connect_in(driver);
    while (mx_stream_write(flooding, events, sizeof(events), NULL) == MX_OK)
        ;
    EXPECT_OK(
        mx_stream_write(other, &(struct keyboard_event){USAGE_B, 1, {0}}, sizeof(events[0]), NULL));
    struct mx_port_packet packet;
    while (mx_port_wait(port, 0, &packet) == MX_OK)
        EXPECT_TRUE(keyboards_take_packet(packet.key));
    keyboards_pump();
    EXPECT_TRUE(strchr(typed, 'b') != NULL);
    EXPECT_LT(typed_count, 100u);
    close_handle(flooding);
    close_handle(other);
    run_screen();
    stop();
}

TEST(keyboard_that_reads_no_indicators_types_on)
{
    start();
    mx_handle_t keyboard = connect_in(driver);
    for (unsigned i = 0; i < 20001; i++) {
        EXPECT_OK(mx_stream_write(keyboard, &(struct keyboard_event){USAGE_CAPS, i % 2 == 0, {0}},
                                  sizeof(struct keyboard_event), NULL));
        if (i % 32 == 0)
            run_screen();
    }
    press(keyboard, USAGE_CAPS, 0);
    type(keyboard, USAGE_A);
    EXPECT_STR_EQ(typed, "A");
    close_handle(keyboard);
    stop();
}

TEST(keyboards_that_are_too_many_are_closed)
{
    mx_handle_t taken[PER_CHANNEL];

    start();
    for (unsigned i = 0; i < PER_CHANNEL; i++) {
        taken[i] = connect_in(driver);
        EXPECT_FALSE(is_closed(taken[i]));
    }
    mx_handle_t refused = connect_in(driver);
    EXPECT_TRUE(is_closed(refused));
    close_handle(refused);
    // Another driver has places of its own.
    mx_handle_t other = give_channel(init_side, KEYBOARD_ADD_DRIVER);
    mx_handle_t keyboard = connect_in(other);
    EXPECT_FALSE(is_closed(keyboard));
    close_handle(keyboard);
    close_handle(other);
    for (unsigned i = 0; i < PER_CHANNEL; i++)
        close_handle(taken[i]);
    stop();
}

// Sends a message with new channels as its handles, and says how many of them the screen kept.
static unsigned count_kept(mx_handle_t through, const void *bytes, uint32_t size_bytes,
                           uint32_t count)
{
    mx_handle_t ours[MX_CHANNEL_MAX_HANDLES], theirs[MX_CHANNEL_MAX_HANDLES] = {0};
    unsigned kept = 0;

    for (uint32_t i = 0; i < count; i++)
        EXPECT_OK(mx_channel_create(&ours[i], &theirs[i]));
    EXPECT_OK(mx_channel_write(through, bytes, size_bytes, theirs, count));
    run_screen();
    for (uint32_t i = 0; i < count; i++) {
        kept += !is_closed(ours[i]);
        close_handle(ours[i]);
    }
    run_screen();
    return kept;
}

TEST(drivers_message_that_is_none_is_dropped_with_what_it_carries)
{
    struct {
        struct keyboard_connect message;
        uint32_t more;
    } bytes = {.more = 0};

    start();
    // A driver adds neither drivers nor managers, and there are no other operations.
    for (uint32_t operation = 0; operation < 64; operation++) {
        bytes.message.operation = operation == 63 ? UINT32_MAX : operation;
        if (operation != KEYBOARD_CONNECT)
            EXPECT_EQ(count_kept(driver, &bytes, sizeof(bytes.message), 1), 0u);
    }
    // Wrong sizes and numbers of handles, of messages that were good otherwise.
    for (uint32_t operation = KEYBOARD_CONNECT; operation <= KEYBOARD_ADD_MANAGER; operation++) {
        bytes.message.operation = operation;
        EXPECT_EQ(count_kept(init_side, &bytes, sizeof(bytes), 1), 0u);
        EXPECT_EQ(count_kept(init_side, &bytes, 3, 1), 0u);
        EXPECT_EQ(count_kept(init_side, &bytes, sizeof(bytes.message), 0), 0u);
        EXPECT_EQ(count_kept(init_side, &bytes, sizeof(bytes.message), 2), 0u);
        EXPECT_EQ(count_kept(init_side, &bytes, sizeof(bytes.message), MX_CHANNEL_MAX_HANDLES), 0u);
    }
    // A channel is no keyboard.
    bytes.message.operation = KEYBOARD_CONNECT;
    EXPECT_EQ(count_kept(driver, &bytes, sizeof(bytes.message), 1), 0u);
    mx_handle_t keyboard = connect_in(driver);
    type(keyboard, USAGE_A);
    EXPECT_STR_EQ(typed, "a");
    close_handle(keyboard);
    stop();
}

TEST(keyboard_stream_without_the_rights_to_use_it_is_closed)
{
    static const mx_rights_t rights[] = {MX_RIGHT_TRANSFER, MX_RIGHT_TRANSFER | MX_RIGHT_WRITE,
                                         MX_RIGHT_TRANSFER | MX_RIGHT_READ};
    const struct keyboard_connect message = {.operation = KEYBOARD_CONNECT};

    start();
    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        mx_handle_t ours, theirs;
        ASSERT_OK(mx_stream_create(&ours, &theirs));
        mx_handle_t poor = with_rights(theirs, rights[i]);
        close_handle(theirs);
        EXPECT_OK(mx_channel_write(driver, &message, sizeof(message), &poor, 1));
        run_screen();
        EXPECT_TRUE(is_closed(ours));
        close_handle(ours);
    }
    stop();
}

TEST(driver_channels_that_are_too_many_are_closed)
{
    mx_handle_t channels[KEYBOARD_CHANNELS_MAX];

    start();
    mx_handle_t manager = give_channel(init_side, KEYBOARD_ADD_MANAGER);
    // Init's, the manager's and that of start() are there.
    for (unsigned i = 0; i < KEYBOARD_CHANNELS_MAX; i++) {
        channels[i] = give_channel(manager, KEYBOARD_ADD_DRIVER);
        EXPECT_EQ(is_closed(channels[i]), i >= KEYBOARD_CHANNELS_MAX - 3u);
    }
    for (unsigned i = 0; i < KEYBOARD_CHANNELS_MAX; i++)
        close_handle(channels[i]);
    run_screen();
    // Their places are free again.
    mx_handle_t again = give_channel(manager, KEYBOARD_ADD_DRIVER);
    EXPECT_FALSE(is_closed(again));
    close_handle(again);
    close_handle(manager);
    stop();
}
