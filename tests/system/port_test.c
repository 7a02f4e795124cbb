// Ports: queued packets and asynchronous waits.

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/test.h"

static mx_handle_t port;

static bool make(void)
{
    return mx_port_create(&port) == MX_OK;
}

static mx_status_t take(struct mx_port_packet *packet)
{
    return mx_port_wait(port, deadline_after(MX_SEC(5)), packet);
}

static mx_status_t take_now(struct mx_port_packet *packet)
{
    return mx_port_wait(port, 0, packet);
}

TEST(packets_come_in_order_with_their_content)
{
    struct mx_port_packet packet = {.type = 77, .status = 5};

    ASSERT_TRUE(make());
    for (uint64_t i = 0; i < 20; i++) {
        packet.key = i;
        packet.user[3] = ~i;
        ASSERT_OK(mx_port_queue(port, &packet));
    }
    for (uint64_t i = 0; i < 20; i++) {
        ASSERT_OK(take_now(&packet));
        EXPECT_EQ(packet.key, i);
        EXPECT_EQ(packet.user[3], ~i);
        EXPECT_EQ(packet.type, (uint32_t)MX_PACKET_USER);
    }
    EXPECT_STATUS(MX_ERR_TIMED_OUT, take_now(&packet));
    close_handle(port);
}

TEST(wait_ends_at_its_deadline)
{
    struct mx_port_packet packet;
    mx_time_t deadline = deadline_after(MX_MSEC(10));

    ASSERT_TRUE(make());
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_port_wait(port, deadline, &packet));
    EXPECT_GE(mx_clock_get_monotonic(), deadline);
    close_handle(port);
}

static void queue_soon(void *argument)
{
    struct mx_port_packet packet = {.key = 42};

    (void)argument;
    mx_nanosleep(deadline_after(MX_MSEC(10)));
    (void)!mx_port_queue(port, &packet);
}

TEST(wait_is_woken_by_a_packet)
{
    struct mx_port_packet packet;
    struct thread *thread;

    ASSERT_TRUE(make());
    ASSERT_OK(thread_create(&thread, "queue", queue_soon, NULL, 0));
    EXPECT_OK(take(&packet));
    EXPECT_EQ(packet.key, 42u);
    thread_join(thread);
    close_handle(port);
}

TEST(calls_check_their_arguments)
{
    struct mx_port_packet packet = {0};
    mx_handle_t weak, event;

    ASSERT_TRUE(make());
    ASSERT_OK(mx_event_create(&event));
    weak = with_rights(port, MX_RIGHT_INSPECT);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_port_create((mx_handle_t *)16));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_port_queue(MX_HANDLE_INVALID, &packet));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_port_queue(event, &packet));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_port_queue(weak, &packet));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_port_queue(port, NULL));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_port_wait(MX_HANDLE_INVALID, 0, &packet));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_port_wait(event, 0, &packet));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_port_wait(weak, 0, &packet));
    ASSERT_OK(mx_port_queue(port, &packet));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_port_wait(port, 0, (struct mx_port_packet *)16));
    close_handle(weak);
    close_handle(event);
    close_handle(port);
}

TEST(queued_packets_are_limited_and_freed)
{
    struct machine_counts before = machine_counts();
    struct mx_port_packet packet = {0};
    mx_status_t status = MX_OK;

    ASSERT_TRUE(make());
    for (int i = 0; i < 1000000 && status == MX_OK; i++)
        status = mx_port_queue(port, &packet);
    EXPECT_EQ(status, MX_ERR_SHOULD_WAIT);
    EXPECT_OK(take_now(&packet));
    EXPECT_OK(mx_port_queue(port, &packet));
    close_handle(port);
    EXPECT_TRUE(machine_counts_return_to(&before));
}

// --- asynchronous waits
// ---------------------------------------------------------------------------

TEST(async_wait_sends_one_packet)
{
    struct mx_port_packet packet;
    mx_handle_t event;

    ASSERT_TRUE(make());
    ASSERT_OK(mx_event_create(&event));
    ASSERT_OK(mx_object_wait_async(event, port, 7, MX_SIGNAL_SIGNALED, 0));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, take_now(&packet));
    ASSERT_OK(mx_object_signal(event, 0, MX_SIGNAL_SIGNALED));
    ASSERT_OK(take(&packet));
    EXPECT_EQ(packet.key, 7u);
    EXPECT_EQ(packet.type, (uint32_t)MX_PACKET_SIGNAL);
    EXPECT_EQ(packet.status, MX_OK);
    EXPECT_EQ(packet.signal.trigger, MX_SIGNAL_SIGNALED);
    EXPECT_EQ(packet.signal.observed & MX_SIGNAL_SIGNALED, MX_SIGNAL_SIGNALED);
    ASSERT_OK(mx_object_signal(event, MX_SIGNAL_SIGNALED, 0));
    ASSERT_OK(mx_object_signal(event, 0, MX_SIGNAL_SIGNALED));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, take_now(&packet));
    close_handle(event);
    close_handle(port);
}

TEST(async_wait_on_a_raised_signal_is_immediate)
{
    struct mx_port_packet packet;
    mx_handle_t event;

    ASSERT_TRUE(make());
    ASSERT_OK(mx_event_create(&event));
    ASSERT_OK(mx_object_signal(event, 0, MX_SIGNAL_SIGNALED));
    ASSERT_OK(mx_object_wait_async(event, port, 8, MX_SIGNAL_SIGNALED, 0));
    ASSERT_OK(take_now(&packet));
    EXPECT_EQ(packet.key, 8u);
    close_handle(event);
    close_handle(port);
}

TEST(async_wait_checks_its_arguments)
{
    mx_handle_t event, weak_event, weak_port;

    ASSERT_TRUE(make());
    ASSERT_OK(mx_event_create(&event));
    weak_event = with_rights(event, MX_RIGHT_INSPECT);
    weak_port = with_rights(port, MX_RIGHT_INSPECT);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_object_wait_async(0, port, 0, MX_SIGNAL_SIGNALED, 0));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_object_wait_async(event, 0, 0, MX_SIGNAL_SIGNALED, 0));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_object_wait_async(event, event, 0, MX_SIGNAL_SIGNALED, 0));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_object_wait_async(weak_event, port, 0, MX_SIGNAL_SIGNALED, 0));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_object_wait_async(event, weak_port, 0, MX_SIGNAL_SIGNALED, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_object_wait_async(event, port, 0, MX_SIGNAL_SIGNALED, 1));
    close_handle(weak_event);
    close_handle(weak_port);
    close_handle(event);
    close_handle(port);
}

TEST(cancel_takes_back_waits_and_queued_packets)
{
    struct mx_port_packet packet;
    mx_handle_t event;

    ASSERT_TRUE(make());
    ASSERT_OK(mx_event_create(&event));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_port_cancel(port, event, 1));
    ASSERT_OK(mx_object_wait_async(event, port, 1, MX_SIGNAL_SIGNALED, 0));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_port_cancel(port, event, 2));
    EXPECT_OK(mx_port_cancel(port, event, 1));
    ASSERT_OK(mx_object_signal(event, 0, MX_SIGNAL_SIGNALED));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, take_now(&packet));
    ASSERT_OK(mx_object_wait_async(event, port, 1, MX_SIGNAL_SIGNALED, 0));
    ASSERT_OK(mx_object_wait_async(event, port, 3, MX_SIGNAL_SIGNALED, 0));
    EXPECT_OK(mx_port_cancel(port, event, 1));
    ASSERT_OK(take_now(&packet));
    EXPECT_EQ(packet.key, 3u);
    EXPECT_STATUS(MX_ERR_TIMED_OUT, take_now(&packet));
    close_handle(event);
    close_handle(port);
}

TEST(async_waits_go_with_port_or_object)
{
    struct machine_counts before = machine_counts();
    mx_handle_t event;

    for (int i = 0; i < 20; i++) {
        ASSERT_TRUE(make());
        ASSERT_OK(mx_event_create(&event));
        for (uint64_t key = 0; key < 10; key++)
            ASSERT_OK(mx_object_wait_async(event, port, key, MX_SIGNAL_SIGNALED, 0));
        if (i % 3 == 0)
            ASSERT_OK(mx_object_signal(event, 0, MX_SIGNAL_SIGNALED));
        close_handle(i % 2 ? event : port);
        close_handle(i % 2 ? port : event);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(end_of_a_process_is_a_packet)
{
    struct mx_port_packet packet;
    struct child child;

    ASSERT_TRUE(make());
    ASSERT_OK(child_start(&child, "exit", "3"));
    ASSERT_OK(mx_object_wait_async(child.process, port, 11, MX_SIGNAL_TERMINATED, 0));
    ASSERT_OK(take(&packet));
    EXPECT_EQ(packet.key, 11u);
    EXPECT_EQ(child_finish(&child), 3);
    close_handle(port);
}

static uint32_t taken_count;

static void take_many(void *argument)
{
    struct mx_port_packet packet;

    (void)argument;
    while (take(&packet) == MX_OK && packet.key != 0)
        __atomic_fetch_add(&taken_count, 1, __ATOMIC_SEQ_CST);
}

TEST(many_takers_get_each_packet_once)
{
    struct mx_port_packet packet = {0};
    struct thread *threads[4];

    taken_count = 0;
    ASSERT_TRUE(make());
    for (int i = 0; i < 4; i++)
        ASSERT_OK(thread_create(&threads[i], "take", take_many, NULL, 0));
    for (uint64_t i = 1; i <= 1000; i++) {
        packet.key = i;
        ASSERT_OK(mx_port_queue(port, &packet));
    }
    packet.key = 0;
    for (int i = 0; i < 4; i++)
        ASSERT_OK(mx_port_queue(port, &packet));
    for (int i = 0; i < 4; i++)
        thread_join(threads[i]);
    EXPECT_EQ(taken_count, 1000u);
    close_handle(port);
}
