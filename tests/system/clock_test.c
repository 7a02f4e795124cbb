// The monotonic clock and sleep.

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/test.h"

TEST(clock_never_goes_back)
{
    mx_time_t before = mx_clock_get_monotonic();

    for (int i = 0; i < 100000; i++) {
        mx_time_t now = mx_clock_get_monotonic();
        if (now < before)
            test_fail(__FILE__, __LINE__, "%ld after %ld", now, before);
        before = now;
    }
    EXPECT_GT(before, 0);
}

static mx_time_t shared_time;

static void follow_clock(void *argument)
{
    for (int i = 0; i < 50000; i++) {
        mx_time_t seen = __atomic_load_n(&shared_time, __ATOMIC_SEQ_CST);
        mx_time_t now = mx_clock_get_monotonic();
        if (now < seen)
            ++*(uint32_t *)argument;
        __atomic_store_n(&shared_time, now, __ATOMIC_SEQ_CST);
    }
}

TEST(clocks_of_all_cpus_agree)
{
    struct thread *threads[4];
    uint32_t wrong_counts[4] = {0};

    for (int i = 0; i < 4; i++)
        ASSERT_OK(thread_create(&threads[i], "clock", follow_clock, &wrong_counts[i], 0));
    for (int i = 0; i < 4; i++) {
        thread_join(threads[i]);
        EXPECT_EQ(wrong_counts[i], 0u);
    }
}

TEST(sleep_lasts_at_least_as_long_as_it_should)
{
    static const mx_time_t durations[] = {0, MX_USEC(1), MX_USEC(100), MX_MSEC(1), MX_MSEC(20)};

    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        mx_time_t deadline = deadline_after(durations[i]);
        EXPECT_OK(mx_nanosleep(deadline));
        EXPECT_GE(mx_clock_get_monotonic(), deadline);
    }
}

TEST(sleep_until_the_past_returns_at_once)
{
    mx_time_t before = mx_clock_get_monotonic();

    EXPECT_OK(mx_nanosleep(0));
    EXPECT_OK(mx_nanosleep(INT64_MIN));
    EXPECT_LT(mx_clock_get_monotonic() - before, MX_SEC(1));
}
