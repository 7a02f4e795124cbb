// Many threads and processes on all CPUs: storms of wake-ups and kills, migration, and nothing left
// behind.

#include <stdlib.h>

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/test.h"

// A bit for each that runs threads.
static uint64_t usable_cpus(void)
{
    struct mx_info_cpu infos[64];
    uint64_t cpus = 0;
    size_t actual_bytes = 0;

    (void)!mx_object_get_info(system_resource(), MX_INFO_CPUS, infos, sizeof(infos), &actual_bytes);
    for (size_t i = 0; i < actual_bytes / sizeof(infos[0]); i++)
        cpus |= (uint64_t)(infos[i].runs_threads != 0) << (infos[i].cpu & 63);
    return cpus;
}

static uint32_t is_over;
static uint64_t progress[8];

static void spin(void *argument)
{
    uint64_t *mine = argument;

    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST))
        ++*(volatile uint64_t *)mine;
}

TEST(spinning_threads_share_the_cpus_fairly)
{
    struct thread *threads[8];
    uint64_t least = UINT64_MAX, most = 0;

    is_over = 0;
    memset(progress, 0, sizeof(progress));
    for (int i = 0; i < 8; i++)
        ASSERT_OK(thread_create(&threads[i], "spin", spin, &progress[i], 0));
    mx_nanosleep(deadline_after(MX_MSEC(600)));
    __atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 8; i++) {
        thread_join(threads[i]);
        least = progress[i] < least ? progress[i] : least;
        most = progress[i] > most ? progress[i] : most;
    }
    EXPECT_GT(least, 0u);
    EXPECT_LT(most / 10, least);
}

TEST(all_cpus_take_part)
{
    struct thread *threads[8];
    struct mx_info_thread info;
    uint64_t cpus_seen = 0;

    is_over = 0;
    for (int i = 0; i < 8; i++)
        ASSERT_OK(thread_create(&threads[i], "spin", spin, &progress[i], 0));
    mx_nanosleep(deadline_after(MX_MSEC(100)));
    for (int i = 0; i < 8; i++) {
        ASSERT_OK(mx_object_get_info(thread_handle(threads[i]), MX_INFO_THREAD, &info, sizeof(info),
                                     NULL));
        cpus_seen |= UINT64_C(1) << (info.last_cpu & 63);
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 8; i++)
        thread_join(threads[i]);
    EXPECT_EQ(cpus_seen, usable_cpus());
}

// --- storms
// -----------------------------------------------------------------------------------------

static mx_handle_t baton[2];

static void pass(void *argument)
{
    mx_handle_t own = baton[*(int *)argument], other = baton[1 - *(int *)argument];

    for (int i = 0; i < 3000; i++) {
        if (mx_object_wait_one(own, MX_SIGNAL_SIGNALED, deadline_after(MX_SEC(10)), NULL) != MX_OK)
            return;
        if (mx_object_signal(own, MX_SIGNAL_SIGNALED, 0) != MX_OK ||
            mx_object_signal(other, 0, MX_SIGNAL_SIGNALED) != MX_OK)
            return;
        __atomic_fetch_add(&progress[0], 1, __ATOMIC_SEQ_CST);
    }
}

TEST(no_wake_up_is_lost_in_a_ping_pong)
{
    struct thread *threads[2];
    int sides[2] = {0, 1};

    progress[0] = 0;
    for (int i = 0; i < 2; i++)
        ASSERT_OK(mx_event_create(&baton[i]));
    for (int i = 0; i < 2; i++)
        ASSERT_OK(thread_create(&threads[i], "pass", pass, &sides[i], 0));
    ASSERT_OK(mx_object_signal(baton[0], 0, MX_SIGNAL_SIGNALED));
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    for (int i = 0; i < 2; i++)
        close_handle(baton[i]);
    EXPECT_EQ(progress[0], 6000u);
}

static mx_handle_t gate;

static void wait_at_gate(void *argument)
{
    (void)argument;
    if (mx_object_wait_one(gate, MX_SIGNAL_SIGNALED, deadline_after(MX_SEC(10)), NULL) == MX_OK)
        __atomic_fetch_add(&progress[1], 1, __ATOMIC_SEQ_CST);
}

TEST(one_signal_wakes_all_waiters)
{
    struct thread *threads[32];

    for (int round = 0; round < 5; round++) {
        progress[1] = 0;
        ASSERT_OK(mx_event_create(&gate));
        for (int i = 0; i < 32; i++)
            ASSERT_OK(thread_create(&threads[i], "gate", wait_at_gate, NULL, 0));
        mx_nanosleep(deadline_after(MX_MSEC(round)));
        ASSERT_OK(mx_object_signal(gate, 0, MX_SIGNAL_SIGNALED));
        for (int i = 0; i < 32; i++)
            thread_join(threads[i]);
        EXPECT_EQ(progress[1], 32u);
        close_handle(gate);
    }
}

static void churn(void *argument)
{
    uint64_t seed = *(uint64_t *)argument;

    for (int i = 0; i < 300; i++) {
        mx_handle_t a, b, event;
        size_t size = MX_PAGE_SIZE * (1 + (seed >> 33) % 32);
        char *memory = map_new(size, NULL);
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        if (memory != NULL) {
            memory[seed % size] = 1;
            unmap(memory, size);
        }
        if (mx_channel_create(&a, &b) != MX_OK || mx_event_create(&event) != MX_OK)
            return;
        if (mx_channel_write(a, &seed, sizeof(seed), &event, 1) != MX_OK)
            return;
        close_handle(seed & 4096 ? a : b);
        close_handle(seed & 4096 ? b : a);
    }
}

TEST(objects_made_and_freed_on_all_cpus_leave_nothing)
{
    struct machine_counts before;
    struct thread *threads[6];
    uint64_t seeds[6];

    for (int round = 0; round < 2; round++) {
        before = machine_counts();
        for (int i = 0; i < 6; i++) {
            seeds[i] = (uint64_t)i * 77777 + 5;
            ASSERT_OK(thread_create(&threads[i], "churn", churn, &seeds[i], 0));
        }
        for (int i = 0; i < 6; i++)
            thread_join(threads[i]);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
    EXPECT_LE(before.free_bytes, machine_counts().free_bytes + (512 << 10));
}

TEST(kill_storm_leaves_nothing)
{
    struct machine_counts before;
    struct child children[6];

    EXPECT_EQ(child_run("exit", "0"), 0);
    before = machine_counts();
    for (int round = 0; round < 6; round++) {
        mx_handle_t job;
        ASSERT_OK(mx_job_create(own_job(), &job));
        for (int i = 0; i < 6; i++)
            ASSERT_OK(child_start_in(&children[i], job,
                                     i % 2   ? "threads"
                                     : i % 3 ? "guest-spin"
                                             : "spin",
                                     NULL));
        mx_nanosleep(deadline_after(MX_MSEC(round * 4)));
        ASSERT_OK(mx_task_kill(job, 3));
        for (int i = 0; i < 6; i++) {
            int32_t exit_code = child_finish(&children[i]);
            EXPECT_EQ(exit_code, 3);
        }
        close_handle(job);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
    EXPECT_LE(before.free_bytes, machine_counts().free_bytes + (1 << 20));
}
