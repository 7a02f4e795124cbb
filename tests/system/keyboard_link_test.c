// The stream between a keyboard's driver and a reader that is slow.
#include <machina/syscalls.h>

#include <machina_user/keyboard.h>

#include "tests/system/child.h"
#include "tests/test.h"
#include "user/drivers/input/keyboard_link.h"

#define KEY 7

static struct keyboard_link link;
static struct key_queue queue;
static struct key_state keys;
static mx_handle_t reader, port;
static unsigned pressed; // how many changes have been made

static bool start(void)
{
    memset(&link, 0, sizeof(link));
    memset(&queue, 0, sizeof(queue));
    memset(&keys, 0, sizeof(keys));
    pressed = 0;
    if (mx_port_create(&port) != MX_OK || mx_stream_create(&link.stream, &reader) != MX_OK)
        return false;
    link.port = port;
    link.key = KEY;
    return true;
}

static void stop(void)
{
    keyboard_link_close(&link);
    close_handle(reader);
    close_handle(port);
}

// One key after the other goes down, and then one after the other up.
static uint16_t usage_of(unsigned change)
{
    return (uint16_t)(KEY_USAGE_FIRST + change % 200);
}

static bool is_press(unsigned change)
{
    return change / 200 % 2 == 0;
}

// Makes changes until the queue is full.
static void fill_queue(void)
{
    while (key_state_change(&keys, usage_of(pressed), is_press(pressed), &queue))
        pressed++;
}

static void fill_all(void)
{
    do {
        fill_queue();
        keyboard_link_send(&link, &queue);
    } while (key_queue_room(&queue) > 0);
}

// Reads `size_bytes` at a time until there is no more, and compares what came with what was made
// from `taken` on.
static unsigned take_all(unsigned taken, size_t size_bytes)
{
    static union {
        uint8_t bytes[sizeof(struct keyboard_event)];
        struct keyboard_event event;
    } next;
    static size_t have;
    size_t actual;

    while (mx_stream_read(reader, next.bytes + have,
                          size_bytes < sizeof(next) - have ? size_bytes : sizeof(next) - have,
                          &actual) == MX_OK) {
        have += actual;
        if (have < sizeof(next))
            continue;
        have = 0;
        EXPECT_EQ(next.event.usage, usage_of(taken));
        EXPECT_EQ(next.event.is_pressed, is_press(taken));
        taken++;
    }
    return taken;
}

TEST(keyboard_link_loses_nothing_when_the_reader_is_slow)
{
    struct mx_port_packet packet;
    unsigned taken = 0;

    ASSERT_TRUE(start());
    for (unsigned round = 0; round < 5; round++) {
        fill_all();
        EXPECT_TRUE(link.is_waiting_to_write);
        taken = take_all(taken, round == 0 ? 8 : round);
        EXPECT_LT(taken, pressed);
        ASSERT_OK(mx_port_wait(port, deadline_after(MX_SEC(10)), &packet));
        EXPECT_EQ(packet.key, KEY);
        uint8_t indicators;
        EXPECT_FALSE(keyboard_link_receive(&link, packet.signal.trigger, &indicators));
        EXPECT_FALSE(link.is_waiting_to_write);
        keyboard_link_send(&link, &queue);
        EXPECT_EQ(key_queue_used(&queue), 0);
        taken = take_all(taken, 8);
        EXPECT_EQ(taken, pressed);
    }
    stop();
}

TEST(keyboard_link_sends_the_rest_of_an_event_that_went_in_parts)
{
    unsigned taken = 0;
    uint8_t bytes[3];
    size_t actual;

    ASSERT_TRUE(start());
    fill_all();
    // Room for three bytes, and then for all.
    struct keyboard_event event = {0};
    ASSERT_OK(mx_stream_read(reader, bytes, sizeof(bytes), &actual));
    memcpy(&event, bytes, sizeof(bytes));
    EXPECT_EQ(event.usage, usage_of(0));
    keyboard_link_send(&link, &queue);
    EXPECT_EQ(link.sent_bytes, 3);
    uint8_t rest[5];
    ASSERT_OK(mx_stream_read(reader, rest, sizeof(rest), &actual));
    taken = take_all(1, 8);
    keyboard_link_send(&link, &queue);
    EXPECT_EQ(link.sent_bytes, 0);
    EXPECT_EQ(take_all(taken, 8), pressed);
    stop();
}

TEST(keyboard_link_drops_what_a_reader_that_has_gone_does_not_take)
{
    ASSERT_TRUE(start());
    close_handle(reader);
    reader = MX_HANDLE_INVALID;
    fill_queue();
    keyboard_link_send(&link, &queue);
    EXPECT_EQ(key_queue_used(&queue), 0);
    keyboard_link_close(&link);
    keyboard_link_send(&link, &queue);
    keyboard_link_close(&link);
    close_handle(port);
}

TEST(keyboard_link_tells_the_indicators_that_were_asked_for_last)
{
    struct mx_port_packet packet;
    const uint8_t asked[] = {1, 2, 6};
    uint8_t indicators = 0;
    size_t actual;

    ASSERT_TRUE(start());
    ASSERT_OK(mx_object_wait_async(link.stream, port, KEY,
                                   MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0));
    ASSERT_OK(mx_stream_write(reader, asked, sizeof(asked), &actual));
    ASSERT_OK(mx_port_wait(port, deadline_after(MX_SEC(10)), &packet));
    EXPECT_TRUE(keyboard_link_receive(&link, packet.signal.trigger, &indicators));
    EXPECT_EQ(indicators, 6);
    EXPECT_TRUE(link.is_waiting_to_read);
    stop();
}
