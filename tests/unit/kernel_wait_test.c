// Waiting: signals, timers, futexes, sleep, interrupts, the log.
#include "tests/unit/kernel_fixture.h"

static mx_handle_t shared_event;

static void raise_later(uint64_t delay, uint64_t unused)
{
    (void)unused;
    if (delay != 0)
        sleep_for((mx_time_t)delay);
    EXPECT_OK(mx_object_signal(shared_event, 0, MX_SIGNAL_SIGNALED));
}

PROCESS_TEST(wait_one_returns_when_the_signal_comes)
{
    mx_signals_t pending = 0;

    ASSERT_OK(mx_event_create(&shared_event));
    mx_time_t deadline = mx_clock_get_monotonic() + MX_MSEC(2);
    EXPECT_STATUS(MX_ERR_TIMED_OUT,
                  mx_object_wait_one(shared_event, MX_SIGNAL_SIGNALED, deadline, &pending));
    EXPECT_EQ(pending, 0);
    spawn(raise_later, MX_MSEC(1), NULL);
    EXPECT_OK(mx_object_wait_one(shared_event, MX_SIGNAL_SIGNALED, MX_TIME_INFINITE, &pending));
    EXPECT_EQ(pending, MX_SIGNAL_SIGNALED);
    spawn(raise_later, 0, NULL);
    EXPECT_OK(mx_object_wait_one(shared_event, MX_SIGNAL_SIGNALED, MX_TIME_INFINITE, &pending));
}

PROCESS_TEST(wait_races_with_deadline_and_signal)
{
    mx_handle_t other;

    ASSERT_OK(mx_event_create(&shared_event));
    spawn(raise_later, MX_MSEC(1), &other);
    mx_time_t deadline = mx_clock_get_monotonic() + MX_MSEC(1);
    mx_status_t status = mx_object_wait_one(shared_event, MX_SIGNAL_SIGNALED, deadline, NULL);
    EXPECT_TRUE(status == MX_OK || status == MX_ERR_TIMED_OUT);
    join(other);
    EXPECT_OK(mx_object_wait_one(shared_event, MX_SIGNAL_SIGNALED, 0, NULL));
}

PROCESS_TEST(wait_many_reports_every_item)
{
    mx_handle_t quiet;
    struct mx_wait_item items[3];

    ASSERT_OK(mx_event_create(&shared_event));
    ASSERT_OK(mx_event_create(&quiet));
    spawn(raise_later, MX_MSEC(1), NULL);
    items[0] = (struct mx_wait_item){quiet, MX_SIGNAL_SIGNALED, 99};
    items[1] = (struct mx_wait_item){shared_event, MX_SIGNAL_SIGNALED, 99};
    items[2] = items[1];
    EXPECT_OK(mx_object_wait_many(items, 3, MX_TIME_INFINITE));
    EXPECT_EQ(items[0].pending, 0);
    EXPECT_EQ(items[1].pending, MX_SIGNAL_SIGNALED);
    EXPECT_EQ(items[2].pending, MX_SIGNAL_SIGNALED);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, HOST_SYSCALL(sys_object_wait_many(scratch(0), 17, 0)));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  HOST_SYSCALL(sys_object_wait_many(scratch(0), UINT32_MAX, 0)));
    items[1].handle = 1234567;
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_object_wait_many(items, 3, MX_TIME_INFINITE));
}

PROCESS_TEST(signal_sets_only_what_users_may)
{
    ASSERT_OK(mx_event_create(&shared_event));
    EXPECT_OK(mx_object_signal(shared_event, 0, 1u << 24));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_object_signal(shared_event, 0, MX_SIGNAL_READABLE));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_object_signal(env.job_handle, MX_SIGNAL_SIGNALED, 0));
}

PROCESS_TEST(timer_fires_at_its_deadline_and_can_be_stopped)
{
    mx_handle_t timer;
    mx_time_t start = mx_clock_get_monotonic();

    ASSERT_OK(mx_timer_create(&timer));
    EXPECT_OK(mx_timer_set(timer, start + MX_MSEC(3)));
    EXPECT_OK(mx_object_wait_one(timer, MX_SIGNAL_SIGNALED, MX_TIME_INFINITE, NULL));
    EXPECT_EQ(mx_clock_get_monotonic(), start + MX_MSEC(3));
    EXPECT_OK(mx_timer_set(timer, start + MX_MSEC(5)));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_one(timer, MX_SIGNAL_SIGNALED, 0, NULL));
    EXPECT_OK(mx_timer_cancel(timer));
    EXPECT_STATUS(MX_ERR_TIMED_OUT,
                  mx_object_wait_one(timer, MX_SIGNAL_SIGNALED, start + MX_MSEC(9), NULL));
    EXPECT_OK(mx_timer_set(timer, 0));
    EXPECT_OK(mx_object_wait_one(timer, MX_SIGNAL_SIGNALED, MX_TIME_INFINITE, NULL));
    EXPECT_OK(mx_timer_set(timer, start + MX_SEC(100))); // and closed while it runs
}

static mx_handle_t shared_timer;

static void set_repeatedly(uint64_t argument, uint64_t unused)
{
    (void)argument;
    (void)unused;
    for (unsigned i = 0; i < 6; i++)
        EXPECT_OK(mx_timer_set(shared_timer, mx_clock_get_monotonic() + (i % 2 ? 0 : MX_USEC(1))));
}

PROCESS_TEST(timer_set_by_two_threads_while_it_fires)
{
    mx_handle_t a, b;

    ASSERT_OK(mx_timer_create(&shared_timer));
    spawn(set_repeatedly, 0, &a);
    spawn(set_repeatedly, 0, &b);
    join(a);
    join(b);
    EXPECT_OK(mx_object_wait_one(shared_timer, MX_SIGNAL_SIGNALED, MX_TIME_INFINITE, NULL));
}

// --- futexes
// ----------------------------------------------------------------------------------------------

#define WORD (STACK_BASE + 64)
static unsigned passed_count;

static void lock_and_count(uint64_t argument, uint64_t unused)
{
    uint32_t value, one = 1, zero = 0;

    (void)argument;
    (void)unused;
    for (unsigned i = 0; i < 3; i++) {
        // No atomic operations on user memory here: the coroutines change only at kernel calls.
        for (;;) {
            host_user_load(&value, WORD, 4);
            if (value == 0)
                break;
            mx_status_t status = mx_futex_wait(WORD, 1, MX_TIME_INFINITE);
            EXPECT_TRUE(status == MX_OK || status == MX_ERR_BAD_STATE);
        }
        host_user_store(WORD, &one, 4);
        passed_count++;
        mx_thread_yield();
        host_user_store(WORD, &zero, 4);
        EXPECT_OK(mx_futex_wake(WORD, 1, NULL));
    }
}

PROCESS_TEST(futex_wakes_are_never_lost)
{
    mx_handle_t threads[4];

    passed_count = 0;
    for (unsigned i = 0; i < 4; i++)
        spawn(lock_and_count, 0, &threads[i]);
    for (unsigned i = 0; i < 4; i++)
        join(threads[i]);
    EXPECT_EQ(passed_count, 12);
}

PROCESS_TEST(futex_checks_its_word)
{
    uint32_t value = 5, woken = 9;

    host_user_store(WORD, &value, 4);
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_futex_wait(WORD, 4, MX_TIME_INFINITE));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_futex_wait(WORD + 1, 4, MX_TIME_INFINITE));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_futex_wait(0x5000, 4, MX_TIME_INFINITE));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_futex_wait(WORD, 5, mx_clock_get_monotonic() + 1000));
    EXPECT_OK(mx_futex_wake(WORD, 10, &woken));
    EXPECT_EQ(woken, 0);
    value = 0;
    host_user_store(WORD, &value, 4);
}

// --- device interrupts
// --------------------------------------------------------------------------------------

static mx_handle_t make_interrupt(uint32_t irq)
{
    mx_handle_t interrupt = 0;

    EXPECT_OK(HOST_SYSCALL(sys_interrupt_create(env.channel, irq, scratch(0))));
    get(&interrupt, scratch(0), sizeof(interrupt));
    return interrupt;
}

PROCESS_TEST(interrupt_stays_masked_until_it_is_acknowledged)
{
    mx_handle_t port;
    struct mx_port_packet packet;

    ASSERT_OK(mx_resource_create(env.root_resource, MX_RESOURCE_IRQ, 5, 2, &env.channel));
    mx_handle_t interrupt = make_interrupt(5);
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS,
                  HOST_SYSCALL(sys_interrupt_create(env.channel, 5, scratch(0))));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  HOST_SYSCALL(sys_interrupt_create(env.channel, 7, scratch(0))));
    ASSERT_OK(mx_port_create(&port));
    EXPECT_FALSE(host_raise_interrupt(5));
    EXPECT_OK(HOST_SYSCALL(sys_interrupt_bind(interrupt, port, 77)));
    EXPECT_STATUS(MX_ERR_ALREADY_BOUND, HOST_SYSCALL(sys_interrupt_bind(interrupt, port, 78)));
    EXPECT_TRUE(host_raise_interrupt(5));
    EXPECT_OK(mx_port_wait(port, MX_TIME_INFINITE, &packet));
    EXPECT_EQ(packet.key, 77);
    EXPECT_EQ(packet.type, MX_PACKET_INTERRUPT);
    EXPECT_TRUE(host_interrupt_is_masked(5));
    EXPECT_OK(HOST_SYSCALL(sys_interrupt_ack(interrupt)));
    EXPECT_FALSE(host_interrupt_is_masked(5));
    EXPECT_TRUE(host_raise_interrupt(5));
    EXPECT_OK(mx_port_wait(port, MX_TIME_INFINITE, &packet));
    EXPECT_OK(mx_handle_close(interrupt));
    interrupt = make_interrupt(5);
    EXPECT_OK(mx_handle_close(interrupt));
    EXPECT_TRUE(host_interrupt_is_masked(5));
}

// --- the log
// ------------------------------------------------------------------------------------------------

PROCESS_TEST(log_gives_records_and_says_how_many_were_lost)
{
    struct mx_log_record record;
    mx_handle_t system, log = 0;

    ASSERT_OK(mx_resource_create(env.root_resource, MX_RESOURCE_SYSTEM, 0, 0, &system));
    EXPECT_OK(HOST_SYSCALL(sys_log_create(system, scratch(0))));
    get(&log, scratch(0), sizeof(log));
    for (unsigned i = 0; i < 600; i++) {
        put(scratch(128), "hello", 5);
        ASSERT_OK(HOST_SYSCALL(sys_log_write(log, scratch(128), 5)));
    }
    EXPECT_OK(HOST_SYSCALL(sys_log_read(log, scratch(1024))));
    get(&record, scratch(1024), sizeof(record));
    EXPECT_GE(record.dropped_count, 88);
    EXPECT_EQ(record.size_bytes, 5);
    EXPECT_BYTES_EQ(record.text, "hello", 5);
    for (unsigned i = 0; i < 511; i++)
        EXPECT_OK(HOST_SYSCALL(sys_log_read(log, scratch(1024))));
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, HOST_SYSCALL(sys_log_read(log, scratch(1024))));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_one(log, MX_SIGNAL_READABLE, 0, NULL));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, HOST_SYSCALL(sys_log_write(log, scratch(128), 241)));
    EXPECT_OK(HOST_SYSCALL(sys_log_write(log, scratch(128), 5)));
    EXPECT_OK(mx_object_wait_one(log, MX_SIGNAL_READABLE, 0, NULL));
}
