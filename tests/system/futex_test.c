// Futexes.

#include <machina/syscalls.h>
#include <machina_user/mutex.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/test.h"

static uint32_t word;
static uint32_t woken_count;

TEST(wait_refuses_what_it_must)
{
    word = 1;
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_futex_wait(&word, 2, MX_TIME_INFINITE));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_futex_wait(&word, 1, deadline_after(MX_MSEC(2))));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_futex_wait((uint32_t *)((uintptr_t)&word + 1), 1, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_futex_wait((uint32_t *)16, 0, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_futex_wait((uint32_t *)0xffffffff80100000, 0, 0));
}

TEST(wake_without_waiters_wakes_nobody)
{
    uint32_t woken = 7;

    EXPECT_OK(mx_futex_wake(&word, 10, &woken));
    EXPECT_EQ(woken, 0u);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_futex_wake(&word, 1, (uint32_t *)16));
}

static void wait_for_word(void *argument)
{
    (void)argument;
    if (mx_futex_wait(&word, 0, deadline_after(MX_SEC(5))) == MX_OK)
        __atomic_fetch_add(&woken_count, 1, __ATOMIC_SEQ_CST);
}

TEST(wake_wakes_as_many_as_it_says)
{
    struct thread *threads[5];
    uint32_t woken, total = 0;

    word = 0;
    woken_count = 0;
    for (int i = 0; i < 5; i++)
        ASSERT_OK(thread_create(&threads[i], "wait", wait_for_word, NULL, 0));
    for (int i = 0; i < 2000 && total < 2; i++) {
        ASSERT_OK(mx_futex_wake(&word, 2 - total, &woken));
        total += woken;
        mx_nanosleep(deadline_after(MX_MSEC(1)));
    }
    EXPECT_EQ(total, 2u);
    while (total < 5) {
        ASSERT_OK(mx_futex_wake(&word, 100, &woken));
        total += woken;
        mx_nanosleep(deadline_after(MX_MSEC(1)));
    }
    for (int i = 0; i < 5; i++)
        thread_join(threads[i]);
    EXPECT_EQ(woken_count, 5u);
}

static struct mutex mutex;
static uint64_t counter;

static void count(void *argument)
{
    (void)argument;
    for (int i = 0; i < 5000; i++) {
        mutex_lock(&mutex);
        counter++;
        mutex_unlock(&mutex);
    }
}

TEST(locks_on_futexes_exclude_each_other)
{
    struct thread *threads[6];

    counter = 0;
    for (int i = 0; i < 6; i++)
        ASSERT_OK(thread_create(&threads[i], "count", count, NULL, 0));
    for (int i = 0; i < 6; i++)
        thread_join(threads[i]);
    EXPECT_EQ(counter, 30000u);
}
