// Threads: making, starting, ending, information, and that each keeps its registers.

#include <stdlib.h>

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/system/vector_state.h"
#include "tests/test.h"

static void add_one(void *argument)
{
    __atomic_fetch_add((uint32_t *)argument, 1, __ATOMIC_SEQ_CST);
}

TEST(thread_runs_and_ends)
{
    struct thread *thread;
    uint32_t count = 0;

    ASSERT_OK(thread_create(&thread, "add", add_one, &count, 0));
    thread_join(thread);
    EXPECT_EQ(count, 1u);
}

TEST(many_threads_all_run)
{
    struct thread *threads[32];
    uint32_t count = 0;

    for (size_t i = 0; i < 32; i++)
        ASSERT_OK(thread_create(&threads[i], "add", add_one, &count, 0));
    for (size_t i = 0; i < 32; i++)
        thread_join(threads[i]);
    EXPECT_EQ(count, 32u);
}

TEST(threads_leak_nothing)
{
    struct thread *thread;
    uint32_t count = 0;

    ASSERT_OK(thread_create(&thread, "add", add_one, &count, 0));
    thread_join(thread);
    struct machine_counts before = machine_counts();
    for (size_t i = 0; i < 200; i++) {
        ASSERT_OK(thread_create(&thread, "add", add_one, &count, 0));
        thread_join(thread);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(create_checks_its_arguments)
{
    mx_handle_t thread, weak = with_rights(own_process(), MX_RIGHT_INSPECT);

    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_thread_create(MX_HANDLE_INVALID, "t", 1, &thread));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_thread_create(own_job(), "t", 1, &thread));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_thread_create(weak, "t", 1, &thread));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_thread_create(own_process(), (char *)8, 1, &thread));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_thread_create(own_process(), "t", 1, (mx_handle_t *)8));
    EXPECT_NE(mx_thread_create(own_process(), "t", MX_NAME_SIZE, &thread), MX_OK);
    close_handle(weak);
}

TEST(thread_starts_once)
{
    struct thread *thread;
    uint32_t count = 0;

    ASSERT_OK(thread_create(&thread, "add", add_one, &count, 0));
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_thread_start(thread_handle(thread), 0x10000, 0, 0, 0));
    thread_join(thread);
}

TEST(start_checks_handle_type_and_right)
{
    mx_handle_t thread, weak;

    ASSERT_OK(mx_thread_create(own_process(), "t", 1, &thread));
    weak = with_rights(thread, MX_RIGHT_INSPECT);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_thread_start(MX_HANDLE_INVALID, 0, 0, 0, 0));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_thread_start(own_process(), 0, 0, 0, 0));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_thread_start(weak, 0, 0, 0, 0));
    close_handle(weak);
    close_handle(thread);
}

TEST(never_started_thread_goes_with_its_handle)
{
    struct machine_counts before = machine_counts();
    mx_handle_t thread;

    for (int i = 0; i < 20; i++) {
        ASSERT_OK(mx_thread_create(own_process(), "t", 1, &thread));
        close_handle(thread);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
}

static void sleep_a_little(void *argument)
{
    mx_nanosleep(deadline_after(*(mx_time_t *)argument));
}

TEST(info_tells_when_a_thread_has_ended)
{
    struct mx_info_thread info;
    mx_time_t duration = MX_MSEC(50);
    struct thread *thread;

    ASSERT_OK(thread_create(&thread, "sleep", sleep_a_little, &duration, 0));
    ASSERT_OK(mx_object_get_info(thread_handle(thread), MX_INFO_THREAD, &info, sizeof(info), NULL));
    EXPECT_EQ(info.is_terminated, 0u);
    ASSERT_OK(
        mx_object_wait_one(thread_handle(thread), MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL));
    ASSERT_OK(mx_object_get_info(thread_handle(thread), MX_INFO_THREAD, &info, sizeof(info), NULL));
    EXPECT_EQ(info.is_terminated, 1u);
    thread_join(thread);
}

static void spin_for(void *argument)
{
    mx_time_t end = deadline_after(*(mx_time_t *)argument);

    while (mx_clock_get_monotonic() < end)
        continue;
}

TEST(info_counts_cpu_time)
{
    struct mx_info_thread spun, slept;
    mx_time_t duration = MX_MSEC(60);
    struct thread *spinner, *sleeper;

    ASSERT_OK(thread_create(&spinner, "spin", spin_for, &duration, 0));
    ASSERT_OK(thread_create(&sleeper, "sleep", sleep_a_little, &duration, 0));
    ASSERT_OK(
        mx_object_wait_one(thread_handle(spinner), MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL));
    ASSERT_OK(
        mx_object_wait_one(thread_handle(sleeper), MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL));
    ASSERT_OK(
        mx_object_get_info(thread_handle(spinner), MX_INFO_THREAD, &spun, sizeof(spun), NULL));
    ASSERT_OK(
        mx_object_get_info(thread_handle(sleeper), MX_INFO_THREAD, &slept, sizeof(slept), NULL));
    EXPECT_GT(spun.cpu_time_ns, (uint64_t)MX_MSEC(5));
    EXPECT_LT(slept.cpu_time_ns, spun.cpu_time_ns);
    thread_join(spinner);
    thread_join(sleeper);
}

TEST(yield_lets_others_run)
{
    struct thread *thread;
    uint32_t count = 0;

    ASSERT_OK(thread_create(&thread, "add", add_one, &count, 0));
    for (int i = 0; i < 1000000 && __atomic_load_n(&count, __ATOMIC_SEQ_CST) == 0; i++)
        EXPECT_OK(mx_thread_yield());
    EXPECT_EQ(count, 1u);
    thread_join(thread);
}

// --- registers ----------------------------------------------------------------------------------

struct keeper {
    uint64_t seed;
    bool is_kept;
};

static void keep_vector_state(void *argument)
{
    struct keeper *keeper = argument;

    keeper->is_kept = true;
    for (int round = 0; round < 200 && keeper->is_kept; round++) {
        vector_state_load(keeper->seed + (uint64_t)round);
        if (round % 3 == 0)
            mx_thread_yield();
        else if (round % 3 == 1)
            mx_nanosleep(deadline_after(MX_USEC(50)));
        else
            for (volatile int i = 0; i < 20000; i++)
                continue;
        keeper->is_kept = vector_state_is(keeper->seed + (uint64_t)round);
    }
}

TEST(vector_registers_survive_context_switches)
{
    struct keeper keepers[6];
    struct thread *threads[6];

    for (size_t i = 0; i < 6; i++) {
        keepers[i].seed = (i + 1) * 0x0123456789abcdu;
        ASSERT_OK(thread_create(&threads[i], "keep", keep_vector_state, &keepers[i], 0));
    }
    for (size_t i = 0; i < 6; i++) {
        thread_join(threads[i]);
        EXPECT_TRUE(keepers[i].is_kept);
    }
}

static void look_at_vector_state(void *argument)
{
    *(bool *)argument = vector_state_is_initial();
}

TEST(new_thread_starts_with_clean_vector_registers)
{
    struct thread *thread;
    bool is_clean = false;

    vector_state_load(0x1122334455667788);
    ASSERT_OK(thread_create(&thread, "look", look_at_vector_state, &is_clean, 0));
    thread_join(thread);
    EXPECT_TRUE(is_clean);
}

TEST(system_call_keeps_registers)
{
    EXPECT_TRUE(syscall_keeps_registers());
}
