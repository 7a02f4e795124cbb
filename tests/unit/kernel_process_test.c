// Jobs, processes, threads and the scheduler.
#include "tests/unit/kernel_fixture.h"

// --- processes
// ----------------------------------------------------------------------------------------

struct child {
    mx_handle_t process, aspace, thread, channel;
};

static void make_child(mx_handle_t job, struct child *child)
{
    mx_handle_t stack, theirs;
    uint64_t addr = STACK_BASE;

    EXPECT_OK(mx_process_create(job, "child", &child->process, &child->aspace));
    EXPECT_OK(mx_vmo_create(STACK_BYTES, &stack));
    EXPECT_OK(mx_aspace_map(child->aspace, MX_MAP_READ | MX_MAP_WRITE | MX_MAP_SPECIFIC, stack, 0,
                            STACK_BYTES, &addr));
    EXPECT_OK(mx_handle_close(stack));
    EXPECT_OK(mx_thread_create(child->process, "first", &child->thread));
    EXPECT_OK(mx_channel_create(&child->channel, &theirs));
    EXPECT_OK(mx_handle_close(theirs));
}

static mx_status_t start_child(struct child *child, void (*body)(uint64_t handle, uint64_t arg),
                               uint64_t arg)
{
    mx_handle_t theirs;

    EXPECT_OK(mx_handle_close(child->channel));
    EXPECT_OK(mx_channel_create(&child->channel, &theirs));
    return mx_process_start(child->process, child->thread, (uint64_t)(uintptr_t)body,
                            STACK_BASE + STACK_BYTES, theirs, arg);
}

static void close_child(struct child *child)
{
    EXPECT_OK(mx_handle_close(child->process));
    EXPECT_OK(mx_handle_close(child->aspace));
    EXPECT_OK(mx_handle_close(child->thread));
    EXPECT_OK(mx_handle_close(child->channel));
}

static struct mx_info_process info_of(mx_handle_t process)
{
    struct mx_info_process info = {0};
    EXPECT_OK(mx_object_get_info(process, MX_INFO_PROCESS, &info, sizeof(info), NULL));
    return info;
}

static void exit_with(uint64_t handle, uint64_t code)
{
    EXPECT_NE(handle, 0);
    mx_process_exit((int32_t)code);
}

static void wait_for_ever(uint64_t handle, uint64_t unused)
{
    (void)unused;
    (void)!mx_object_wait_one((mx_handle_t)handle, MX_SIGNAL_READABLE, MX_TIME_INFINITE, NULL);
    EXPECT_TRUE(!"a killed thread came back to its program");
}

PROCESS_TEST(process_runs_and_ends_with_its_code)
{
    struct child child;

    make_child(env.job_handle, &child);
    EXPECT_OK(start_child(&child, exit_with, 42));
    EXPECT_OK(mx_object_wait_one(child.process, MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL));
    EXPECT_EQ(info_of(child.process).exit_code, 42);
    EXPECT_EQ(info_of(child.process).is_terminated, 1);
    EXPECT_STR_EQ(info_of(child.process).name, "child");
    EXPECT_OK(mx_object_wait_one(child.channel, MX_SIGNAL_PEER_CLOSED, 0,
                                 NULL)); // its handles are closed
    EXPECT_STATUS(MX_ERR_BAD_STATE, start_child(&child, exit_with, 1));
    close_child(&child);
}

PROCESS_TEST(process_killed_while_its_thread_is_blocked)
{
    struct child child;

    make_child(env.job_handle, &child);
    EXPECT_OK(start_child(&child, wait_for_ever, 0));
    sleep_for(MX_MSEC(1));
    EXPECT_OK(mx_task_kill(child.process, -7));
    EXPECT_OK(mx_object_wait_one(child.process, MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL));
    EXPECT_OK(mx_object_wait_one(child.thread, MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL));
    EXPECT_EQ(info_of(child.process).exit_code, -7);
    EXPECT_OK(mx_task_kill(child.process, 3)); // too late, and no harm
    EXPECT_EQ(info_of(child.process).exit_code, -7);
    close_child(&child);
}

static void spin_for_ever(uint64_t handle, uint64_t unused)
{
    (void)handle;
    (void)unused;
    for (;;)
        host_user_work(MX_SEC(1));
}

PROCESS_TEST(process_killed_while_it_computes)
{
    struct child child;

    make_child(env.job_handle, &child);
    EXPECT_OK(start_child(&child, spin_for_ever, 0));
    sleep_for(MX_MSEC(3));
    EXPECT_OK(mx_task_kill(child.process, 1));
    EXPECT_OK(mx_object_wait_one(child.process, MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL));
    close_child(&child);
}

static void touch_nothing(uint64_t handle, uint64_t addr)
{
    char byte;

    (void)handle;
    host_user_load(&byte, addr, 1);
    EXPECT_TRUE(!"the access went through");
}

PROCESS_TEST(process_ends_by_its_own_fault)
{
    struct child child;

    make_child(env.job_handle, &child);
    EXPECT_OK(start_child(&child, touch_nothing, 0x1234567000));
    EXPECT_OK(mx_object_wait_one(child.process, MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL));
    EXPECT_EQ(info_of(child.process).exit_code, -1);
    close_child(&child);
}

PROCESS_TEST(process_that_never_started_ends_when_killed_or_forgotten)
{
    struct child killed, forgotten;

    make_child(env.job_handle, &killed);
    make_child(env.job_handle, &forgotten);
    close_child(&forgotten);
    EXPECT_OK(mx_task_kill(killed.process, 2));
    EXPECT_OK(mx_object_wait_one(killed.process, MX_SIGNAL_TERMINATED, 0, NULL));
    EXPECT_STATUS(MX_ERR_BAD_STATE, start_child(&killed, exit_with, 1));
    close_child(&killed);
}

PROCESS_TEST(process_start_checks_its_arguments)
{
    struct child a, b;
    mx_handle_t event;

    make_child(env.job_handle, &a);
    make_child(env.job_handle, &b);
    ASSERT_OK(mx_event_create(&event));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_process_start(a.process, b.thread, 0, 0, event, 0));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(event));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_process_start(a.process, a.thread, 0, 0, 12345, 0));
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_thread_start(a.thread, 0, 0, 0, 0));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_task_kill(a.thread, 0));
    close_child(&a);
    close_child(&b);
}

// --- jobs
// ---------------------------------------------------------------------------------------------

PROCESS_TEST(job_kill_ends_all_below_it_and_takes_no_more)
{
    mx_handle_t top, below, process, aspace;
    struct child running, fresh;

    ASSERT_OK(mx_job_create(env.job_handle, &top));
    ASSERT_OK(mx_job_create(top, &below));
    make_child(below, &running);
    make_child(top, &fresh);
    EXPECT_OK(start_child(&running, wait_for_ever, 0));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_one(top, MX_SIGNAL_TERMINATED, 0, NULL));
    EXPECT_OK(mx_task_kill(top, -3));
    EXPECT_OK(mx_object_wait_one(top, MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL));
    EXPECT_OK(mx_object_wait_one(running.process, MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL));
    EXPECT_EQ(info_of(running.process).exit_code, -3);
    EXPECT_STATUS(MX_ERR_BAD_STATE, start_child(&fresh, exit_with, 0));
    EXPECT_EQ(info_of(fresh.process).exit_code, -3);
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_process_create(below, "late", &process, &aspace));
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_job_create(below, &process));
    close_child(&running);
    close_child(&fresh);
}

PROCESS_TEST(job_limit_counts_what_is_below)
{
    mx_handle_t top, below;
    struct child child;
    struct mx_info_job info;

    ASSERT_OK(mx_job_create(env.job_handle, &top));
    ASSERT_OK(mx_job_create(top, &below));
    EXPECT_OK(mx_object_get_info(top, MX_INFO_JOB, &info, sizeof(info), NULL));
    uint64_t used = info.memory_used_bytes;
    EXPECT_OK(mx_job_set_limit(top, MX_JOB_LIMIT_MEMORY, used));
    EXPECT_STATUS(MX_ERR_NO_MEMORY,
                  mx_process_create(below, "child", &child.process, &child.aspace));
    EXPECT_OK(mx_job_set_limit(top, MX_JOB_LIMIT_MEMORY, used + 100000));
    make_child(below, &child);
    EXPECT_OK(mx_object_get_info(top, MX_INFO_JOB, &info, sizeof(info), NULL));
    EXPECT_GT(info.memory_used_bytes, used);
    EXPECT_EQ(info.process_count, 1);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_job_set_limit(top, 99, 0));
    close_child(&child);
    EXPECT_OK(mx_object_get_info(top, MX_INFO_JOB, &info, sizeof(info), NULL));
    EXPECT_EQ(info.memory_used_bytes, used);
    EXPECT_EQ(info.process_count, 0);
}

PROCESS_TEST(job_tree_has_a_limited_depth)
{
    mx_handle_t job = env.job_handle, inner;
    mx_status_t status = MX_OK;
    unsigned depth = 0;

    while ((status = mx_job_create(job, &inner)) == MX_OK && depth++ < 1000)
        job = inner;
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, status);
    EXPECT_GE(depth, 8);
}

// --- every allocation may fail
// --------------------------------------------------------------------------

static void nothing(uint64_t handle, uint64_t unused)
{
    (void)handle;
    (void)unused;
}

// Each step fails at its Nth allocation, for all N until it succeeds, and leaves nothing behind:
// the fixture counts.
#define UNTIL_OK(call)                                                           \
    do {                                                                         \
        mx_status_t status_ = MX_ERR_NO_MEMORY;                                  \
        for (int64_t failing = 0; status_ != MX_OK && failing < 20; failing++) { \
            heap_allocations_until_failure = failing;                            \
            status_ = (call);                                                    \
            heap_allocations_until_failure = -1;                                 \
            if (status_ != MX_OK)                                                \
                EXPECT_STATUS(MX_ERR_NO_MEMORY, status_);                        \
        }                                                                        \
        EXPECT_OK(status_);                                                      \
    } while (0)

PROCESS_TEST(creation_survives_failure_of_every_allocation)
{
    mx_handle_t a, b, vmo, child, job, process, aspace, thread, port;
    uint64_t addr = 0;

    UNTIL_OK(mx_channel_create(&a, &b));
    UNTIL_OK(mx_channel_write(a, "x", 1, NULL, 0));
    UNTIL_OK(mx_stream_create(&a, &b));
    UNTIL_OK(mx_event_create(&b));
    UNTIL_OK(mx_timer_create(&a));
    UNTIL_OK(mx_port_create(&port));
    UNTIL_OK(mx_object_wait_async(b, port, 0, MX_SIGNAL_SIGNALED, 0));
    UNTIL_OK(mx_vmo_create(1 << 20, &vmo));
    UNTIL_OK(mx_vmo_create_child(vmo, MX_VMO_CHILD_COW, 0, 8192, &child));
    UNTIL_OK(mx_aspace_map(env.aspace, MX_MAP_READ | MX_MAP_WRITE | MX_MAP_POPULATE, child, 0, 8192,
                           &addr));
    UNTIL_OK(mx_aspace_unmap(env.aspace, addr, 4096));
    UNTIL_OK(mx_job_create(env.job_handle, &job));
    UNTIL_OK(mx_process_create(job, "p", &process, &aspace));
    UNTIL_OK(mx_thread_create(process, "t", &thread));
    UNTIL_OK(mx_thread_create(env.self, "t", &thread));
    UNTIL_OK(
        mx_thread_start(thread, (uint64_t)(uintptr_t)nothing, STACK_BASE + 2 * STACK_BYTES, 0, 0));
    join(thread);
}

// --- scheduler
// ------------------------------------------------------------------------------------------

#define SPINNER_COUNT 6
static volatile bool must_stop;
static uint64_t work_done_us[SPINNER_COUNT];

static void count_work(uint64_t index, uint64_t unused)
{
    (void)unused;
    while (!must_stop) {
        host_user_work(MX_USEC(50));
        work_done_us[index] += 50;
    }
}

static void check_fairness(unsigned spinner_count)
{
    mx_handle_t threads[SPINNER_COUNT];
    uint64_t least = UINT64_MAX, most = 0, total = 0;

    must_stop = false;
    memset(work_done_us, 0, sizeof(work_done_us));
    for (unsigned i = 0; i < spinner_count; i++)
        spawn(count_work, i, &threads[i]);
    sleep_for(MX_MSEC(300));
    must_stop = true;
    for (unsigned i = 0; i < spinner_count; i++) {
        join(threads[i]);
        least = work_done_us[i] < least ? work_done_us[i] : least;
        most = work_done_us[i] > most ? work_done_us[i] : most;
        total += work_done_us[i];
    }
    EXPECT_GE(total, 2 * 300000 - 20000); // both CPUs worked all the time
    EXPECT_LT(most - least, 40000);
}

PROCESS_TEST(scheduler_gives_equal_shares_of_two_cpus)
{
    check_fairness(4);
}

PROCESS_TEST(scheduler_gives_equal_shares_when_threads_do_not_divide_evenly)
{
    check_fairness(3);
    check_fairness(5);
}

static mx_time_t woken_after;

static void sleep_and_measure(uint64_t duration, uint64_t unused)
{
    (void)unused;
    mx_time_t deadline = mx_clock_get_monotonic() + (mx_time_t)duration;
    EXPECT_OK(mx_nanosleep(deadline));
    woken_after = mx_clock_get_monotonic() - deadline;
}

PROCESS_TEST(scheduler_lets_a_woken_thread_in_soon)
{
    mx_handle_t sleeper, spinners[4];

    must_stop = false;
    for (unsigned i = 0; i < 4; i++)
        spawn(count_work, i, &spinners[i]);
    spawn(sleep_and_measure, MX_MSEC(50), &sleeper);
    join(sleeper);
    must_stop = true;
    for (unsigned i = 0; i < 4; i++)
        join(spinners[i]);
    EXPECT_LE(woken_after, MX_MSEC(8));
}

PROCESS_TEST(thread_exit_ends_only_the_thread)
{
    mx_handle_t thread;
    struct mx_info_thread info;

    spawn(nothing, 0, &thread);
    EXPECT_OK(mx_object_wait_one(thread, MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL));
    EXPECT_OK(mx_object_get_info(thread, MX_INFO_THREAD, &info, sizeof(info), NULL));
    EXPECT_EQ(info.is_terminated, 1);
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_thread_start(thread, 0, 0, 0, 0));
    mx_thread_yield();
}
