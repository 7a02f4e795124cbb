// Events and timers.

#include <machina/syscalls.h>

#include "tests/system/child.h"
#include "tests/test.h"

static mx_handle_t timer;

TEST(creates_check_their_pointer)
{
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_event_create(NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_timer_create((mx_handle_t *)0xffffffff80100000));
}

TEST(timer_fires_not_before_its_deadline)
{
    ASSERT_OK(mx_timer_create(&timer));
    for (int i = 0; i < 5; i++) {
        mx_time_t deadline = deadline_after(MX_MSEC(5));
        ASSERT_OK(mx_timer_set(timer, deadline));
        EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_one(timer, MX_SIGNAL_SIGNALED, 0, NULL));
        ASSERT_OK(mx_object_wait_one(timer, MX_SIGNAL_SIGNALED, deadline_after(MX_SEC(5)), NULL));
        EXPECT_GE(mx_clock_get_monotonic(), deadline);
    }
    close_handle(timer);
}

TEST(timer_in_the_past_fires_at_once)
{
    ASSERT_OK(mx_timer_create(&timer));
    ASSERT_OK(mx_timer_set(timer, 1));
    EXPECT_OK(mx_object_wait_one(timer, MX_SIGNAL_SIGNALED, deadline_after(MX_SEC(1)), NULL));
    ASSERT_OK(mx_timer_set(timer, INT64_MIN));
    EXPECT_OK(mx_object_wait_one(timer, MX_SIGNAL_SIGNALED, deadline_after(MX_SEC(1)), NULL));
    close_handle(timer);
}

TEST(canceled_timer_does_not_fire)
{
    ASSERT_OK(mx_timer_create(&timer));
    ASSERT_OK(mx_timer_set(timer, deadline_after(MX_MSEC(5))));
    ASSERT_OK(mx_timer_cancel(timer));
    EXPECT_STATUS(MX_ERR_TIMED_OUT,
                  mx_object_wait_one(timer, MX_SIGNAL_SIGNALED, deadline_after(MX_MSEC(15)), NULL));
    EXPECT_OK(mx_timer_cancel(timer));
    close_handle(timer);
}

TEST(set_again_moves_the_deadline)
{
    ASSERT_OK(mx_timer_create(&timer));
    ASSERT_OK(mx_timer_set(timer, deadline_after(MX_SEC(100))));
    ASSERT_OK(mx_timer_set(timer, deadline_after(MX_MSEC(2))));
    EXPECT_OK(mx_object_wait_one(timer, MX_SIGNAL_SIGNALED, deadline_after(MX_SEC(5)), NULL));
    ASSERT_OK(mx_timer_set(timer, deadline_after(MX_SEC(100))));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_one(timer, MX_SIGNAL_SIGNALED, 0, NULL));
    close_handle(timer);
}

TEST(calls_check_their_arguments)
{
    mx_handle_t weak;

    ASSERT_OK(mx_timer_create(&timer));
    weak = with_rights(timer, MX_RIGHT_WAIT);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_timer_set(0, 0));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_timer_set(own_job(), 0));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_timer_set(weak, 0));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_timer_cancel(weak));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_timer_cancel(own_job()));
    close_handle(weak);
    close_handle(timer);
}

TEST(armed_timers_go_with_their_handles)
{
    struct machine_counts before = machine_counts();

    for (int i = 0; i < 100; i++) {
        ASSERT_OK(mx_timer_create(&timer));
        ASSERT_OK(mx_timer_set(timer, deadline_after(MX_USEC(i * 37))));
        close_handle(timer);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
}
