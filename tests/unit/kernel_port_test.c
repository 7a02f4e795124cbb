// Ports: packets in order, coalescing, what happens when either side goes.
#include "tests/unit/kernel_fixture.h"

PROCESS_TEST(port_gives_packets_in_order)
{
    mx_handle_t port;
    struct mx_port_packet packet = {.key = 1}, out;

    ASSERT_OK(mx_port_create(&port));
    for (packet.key = 1; packet.key <= 3; packet.key++)
        EXPECT_OK(mx_port_queue(port, &packet));
    for (uint64_t key = 1; key <= 3; key++) {
        EXPECT_OK(mx_port_wait(port, 0, &out));
        EXPECT_EQ(out.key, key);
        EXPECT_EQ(out.type, MX_PACKET_USER);
    }
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_port_wait(port, 0, &out));
}

// --- several threads
// ----------------------------------------------------------------------------------

static mx_handle_t shared_port, shared_event;

#define ROUND_COUNT 60
static mx_handle_t answer_port;

// The deadline makes a wait look at the clock, between its look at the queue and its sleep.
static void pass_on(mx_handle_t from, mx_handle_t to)
{
    struct mx_port_packet packet;

    for (unsigned i = 0; i < ROUND_COUNT; i++) {
        ASSERT_OK(mx_port_wait(from, mx_clock_get_monotonic() + MX_SEC(1), &packet));
        packet.key++;
        ASSERT_OK(mx_port_queue(to, &packet));
    }
}

static void answer_packets(uint64_t argument, uint64_t unused)
{
    (void)argument;
    (void)unused;
    pass_on(shared_port, answer_port);
}

PROCESS_TEST(port_waiter_never_sleeps_through_a_packet)
{
    struct mx_port_packet packet = {.key = 0};

    ASSERT_OK(mx_port_create(&shared_port));
    ASSERT_OK(mx_port_create(&answer_port));
    spawn(answer_packets, 0, NULL);
    ASSERT_OK(mx_port_queue(shared_port, &packet));
    pass_on(answer_port, shared_port);
    EXPECT_OK(mx_port_wait(shared_port, 0, &packet));
    EXPECT_EQ(packet.key, 2 * ROUND_COUNT);
}

PROCESS_TEST(port_wait_times_out_at_its_deadline)
{
    struct mx_port_packet packet;

    ASSERT_OK(mx_port_create(&shared_port));
    mx_time_t deadline = mx_clock_get_monotonic() + MX_MSEC(5);
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_port_wait(shared_port, deadline, &packet));
    EXPECT_EQ(mx_clock_get_monotonic(), deadline);
}

static void close_shared_port(uint64_t argument, uint64_t unused)
{
    (void)argument;
    (void)unused;
    EXPECT_OK(mx_handle_close(shared_port));
}

PROCESS_TEST(port_closed_while_packets_are_queued_loses_nothing)
{
    mx_handle_t closer;
    struct mx_port_packet packet = {.key = 1};

    ASSERT_OK(mx_port_create(&shared_port));
    spawn(close_shared_port, 0, &closer);
    for (unsigned i = 0; i < 4; i++)
        (void)!mx_port_queue(shared_port, &packet);
    join(closer);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_port_queue(shared_port, &packet));
}

PROCESS_TEST(port_refuses_more_than_its_share_of_packets)
{
    struct mx_port_packet packet = {.key = 1};
    mx_status_t status = MX_OK;
    unsigned count = 0;

    static bool was_run; // long: once is enough
    if (was_run)
        return;
    was_run = true;
    ASSERT_OK(mx_port_create(&shared_port));
    while ((status = mx_port_queue(shared_port, &packet)) == MX_OK && count < 100000)
        count++;
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, status);
    EXPECT_GT(count, 100);
    EXPECT_OK(mx_port_wait(shared_port, 0, &packet));
    EXPECT_OK(mx_port_queue(shared_port, &packet));
}

// --- asynchronous waits
// -------------------------------------------------------------------------------

PROCESS_TEST(async_wait_queues_one_packet_when_the_signal_comes)
{
    mx_handle_t port, event;
    struct mx_port_packet packet;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_OK(mx_event_create(&event));
    EXPECT_OK(mx_object_wait_async(event, port, 7, MX_SIGNAL_SIGNALED, 0));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_port_wait(port, 0, &packet));
    EXPECT_OK(mx_object_signal(event, 0, MX_SIGNAL_SIGNALED));
    EXPECT_OK(mx_object_signal(event, MX_SIGNAL_SIGNALED, 0));
    EXPECT_OK(mx_object_signal(event, 0, MX_SIGNAL_SIGNALED));
    EXPECT_OK(mx_port_wait(port, 0, &packet));
    EXPECT_EQ(packet.key, 7);
    EXPECT_EQ(packet.type, MX_PACKET_SIGNAL);
    EXPECT_TRUE(packet.signal.observed & MX_SIGNAL_SIGNALED);
    EXPECT_EQ(packet.signal.trigger, MX_SIGNAL_SIGNALED);
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_port_wait(port, 0, &packet));
}

PROCESS_TEST(async_wait_on_a_signal_that_is_up_fires_at_once)
{
    mx_handle_t port, event;
    struct mx_port_packet packet;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_OK(mx_event_create(&event));
    EXPECT_OK(mx_object_signal(event, 0, MX_SIGNAL_SIGNALED));
    EXPECT_OK(mx_object_wait_async(event, port, 7, MX_SIGNAL_SIGNALED, 0));
    EXPECT_OK(mx_port_wait(port, 0, &packet));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_object_wait_async(event, port, 7, MX_SIGNAL_SIGNALED, 1));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, mx_object_wait_async(port, port, 7, MX_SIGNAL_READABLE, 0));
}

PROCESS_TEST(port_cancel_takes_back_waits_and_queued_packets)
{
    mx_handle_t port, event;
    struct mx_port_packet packet;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_OK(mx_event_create(&event));
    EXPECT_OK(mx_object_wait_async(event, port, 7, MX_SIGNAL_SIGNALED, 0));
    EXPECT_OK(mx_object_wait_async(event, port, 8, MX_SIGNAL_SIGNALED, 0));
    EXPECT_OK(mx_object_signal(event, 0, MX_SIGNAL_SIGNALED));
    EXPECT_OK(mx_port_cancel(port, event, 7));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_port_cancel(port, event, 7));
    EXPECT_OK(mx_port_wait(port, 0, &packet));
    EXPECT_EQ(packet.key, 8);
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_port_wait(port, 0, &packet));
}

static void cancel_and_signal(uint64_t argument, uint64_t unused)
{
    (void)argument;
    (void)unused;
    for (unsigned i = 0; i < 4; i++)
        (void)!mx_port_cancel(shared_port, shared_event, 1);
    (void)!mx_object_signal(shared_event, 0, MX_SIGNAL_SIGNALED);
}

PROCESS_TEST(async_wait_started_while_another_thread_cancels_it)
{
    mx_handle_t other;

    ASSERT_OK(mx_port_create(&shared_port));
    ASSERT_OK(mx_event_create(&shared_event));
    spawn(cancel_and_signal, 0, &other);
    for (unsigned i = 0; i < 4; i++)
        EXPECT_OK(mx_object_wait_async(shared_event, shared_port, 1, MX_SIGNAL_SIGNALED, 0));
    join(other);
}

PROCESS_TEST(async_wait_keeps_no_port_open)
{
    mx_handle_t port, event;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_OK(mx_event_create(&event));
    EXPECT_OK(mx_object_wait_async(event, port, 1, MX_SIGNAL_SIGNALED, 0));
    EXPECT_OK(mx_handle_close(port));
    EXPECT_OK(mx_object_signal(event, 0, MX_SIGNAL_SIGNALED));
}
