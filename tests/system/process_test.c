// Processes: making, starting, ending, and every way a process can misbehave.

#include <stdio.h>
#include <stdlib.h>

#include <machina/syscalls.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "tests/system/child.h"
#include "tests/system/programs/faults.h"
#include "tests/test.h"

#define FAULT_EXIT_CODE (-1)

static mx_status_t create(mx_handle_t *process, mx_handle_t *aspace)
{
    return mx_process_create(own_job(), "made", 4, process, aspace);
}

static bool is_terminated(mx_handle_t process)
{
    return mx_object_wait_one(process, MX_SIGNAL_TERMINATED, deadline_after(MX_SEC(5)), NULL) ==
           MX_OK;
}

TEST(process_ends_with_its_exit_code)
{
    EXPECT_EQ(child_run("exit", "0"), 0);
    EXPECT_EQ(child_run("exit", "7"), 7);
    EXPECT_EQ(child_run("exit", "-3"), -3);
}

TEST(exit_from_any_thread_ends_the_process)
{
    EXPECT_EQ(child_run("exit-from-thread", "5"), 5);
}

TEST(create_checks_job_name_and_pointers)
{
    mx_handle_t process, aspace, event, job;

    ASSERT_OK(mx_event_create(&event));
    job = with_rights(own_job(), MX_RIGHT_INSPECT);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE,
                  mx_process_create(MX_HANDLE_INVALID, "a", 1, &process, &aspace));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_process_create(event, "a", 1, &process, &aspace));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_process_create(job, "a", 1, &process, &aspace));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_process_create(own_job(), (char *)8, 4, &process, &aspace));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_process_create(own_job(), "a", 1, NULL, &aspace));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_process_create(own_job(), "a", 1, &process, NULL));
    EXPECT_NE(mx_process_create(own_job(), "a", MX_NAME_SIZE, &process, &aspace), MX_OK);
    close_handle(job);
    close_handle(event);
}

TEST(failed_creates_leak_nothing)
{
    struct machine_counts before = machine_counts();
    mx_handle_t process, aspace;

    for (int i = 0; i < 10; i++) {
        EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_process_create(own_job(), "a", 1, NULL, &aspace));
        EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                      mx_process_create(own_job(), (char *)8, 4, &process, &aspace));
    }
    // The handle that was returned before the other's pointer failed is the caller's to close.
    EXPECT_LE(machine_counts().objects, before.objects + 10 * 2);
}

TEST(never_started_process_goes_with_its_handles)
{
    struct machine_counts before = machine_counts();
    mx_handle_t process, aspace;

    for (int i = 0; i < 20; i++) {
        ASSERT_OK(create(&process, &aspace));
        close_handle(i % 2 ? process : aspace);
        close_handle(i % 2 ? aspace : process);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
}

// Starts `thread` of `process`; the argument handle is consumed whatever comes of it.
static mx_status_t start(mx_handle_t process, mx_handle_t thread)
{
    mx_handle_t event;
    mx_status_t status = mx_event_create(&event);

    if (status != MX_OK)
        return status;
    status = mx_process_start(process, thread, 0x10000, 0, event, 0);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(event));
    return status;
}

TEST(start_checks_handles_and_state)
{
    mx_handle_t process, aspace, other, other_aspace, thread;

    ASSERT_OK(create(&process, &aspace));
    ASSERT_OK(create(&other, &other_aspace));
    ASSERT_OK(mx_thread_create(process, "t", 1, &thread));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, start(MX_HANDLE_INVALID, thread));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, start(thread, thread));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, start(process, MX_HANDLE_INVALID));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, start(process, process));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, start(other, thread));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE,
                  mx_process_start(process, thread, 0x10000, 0, MX_HANDLE_INVALID, 0));
    // A thread of a process that was never started cannot be started either.
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_thread_start(thread, 0x10000, 0, 0, 0));
    close_handle(thread);
    close_handle(process);
    close_handle(aspace);
    close_handle(other);
    close_handle(other_aspace);
}

TEST(process_with_nothing_mapped_faults_and_ends)
{
    mx_handle_t process, aspace, thread, event;
    int32_t exit_code = 0;

    ASSERT_OK(create(&process, &aspace));
    ASSERT_OK(mx_thread_create(process, "t", 1, &thread));
    ASSERT_OK(mx_event_create(&event));
    ASSERT_OK(mx_process_start(process, thread, 0x10000, 0, event, 0));
    EXPECT_OK(process_wait(process, deadline_after(MX_SEC(5)), &exit_code));
    EXPECT_EQ(exit_code, FAULT_EXIT_CODE);
    ASSERT_OK(mx_event_create(&event));
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_process_start(process, thread, 0x10000, 0, event, 0));
    close_handle(thread);
    close_handle(process);
    close_handle(aspace);
}

TEST(process_starts_at_kernel_and_noncanonical_addresses_only_to_fault)
{
    static const uint64_t entries[] = {
        0,         0xffffffff80100000, 0x8000000000000000, 0x00007ffffffff000, 0x0000800000000000,
        UINT64_MAX};

    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        mx_handle_t process, aspace, thread, event;
        int32_t exit_code = 0;
        ASSERT_OK(create(&process, &aspace));
        ASSERT_OK(mx_thread_create(process, "t", 1, &thread));
        ASSERT_OK(mx_event_create(&event));
        mx_status_t status = mx_process_start(process, thread, entries[i], entries[i], event, 0);
        if (status == MX_OK) {
            EXPECT_OK(process_wait(process, deadline_after(MX_SEC(5)), &exit_code));
            EXPECT_EQ(exit_code, FAULT_EXIT_CODE);
        }
        close_handle(thread);
        close_handle(process);
        close_handle(aspace);
    }
}

TEST(kill_ends_a_process_that_spins)
{
    struct child child;

    ASSERT_OK(child_start(&child, "spin", NULL));
    mx_nanosleep(deadline_after(MX_MSEC(20)));
    EXPECT_OK(mx_task_kill(child.process, 9));
    EXPECT_EQ(child_finish(&child), 9);
}

TEST(kill_ends_a_process_that_sleeps_in_the_kernel)
{
    struct child child;

    ASSERT_OK(child_start(&child, "sleep", NULL));
    mx_nanosleep(deadline_after(MX_MSEC(20)));
    EXPECT_OK(mx_task_kill(child.process, 10));
    EXPECT_EQ(child_finish(&child), 10);
}

TEST(kill_right_after_start_works)
{
    struct machine_counts before = machine_counts();

    for (int i = 0; i < 10; i++) {
        struct child child;
        ASSERT_OK(child_start(&child, "spin", NULL));
        EXPECT_OK(mx_task_kill(child.process, i));
        EXPECT_EQ(child_finish(&child), i);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(kill_checks_handle_type_and_right)
{
    struct child child;
    mx_handle_t event, weak;

    ASSERT_OK(mx_event_create(&event));
    ASSERT_OK(child_start(&child, "sleep", NULL));
    weak = with_rights(child.process, MX_RIGHT_INSPECT);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_task_kill(MX_HANDLE_INVALID, 0));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_task_kill(root_resource(), 0));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_task_kill(weak, 0));
    EXPECT_OK(mx_task_kill(child.process, 1));
    EXPECT_OK(mx_task_kill(child.process, 2)); // the first one counts
    EXPECT_EQ(child_finish(&child), 1);
    close_handle(weak);
    close_handle(event);
}

TEST(killed_before_start_cannot_start)
{
    mx_handle_t process, aspace, thread, event;

    ASSERT_OK(create(&process, &aspace));
    ASSERT_OK(mx_thread_create(process, "t", 1, &thread));
    EXPECT_OK(mx_task_kill(process, 3));
    EXPECT_TRUE(is_terminated(process));
    ASSERT_OK(mx_event_create(&event));
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_process_start(process, thread, 0x10000, 0, event, 0));
    close_handle(thread);
    close_handle(process);
    close_handle(aspace);
}

TEST(process_info_tells_name_threads_and_end)
{
    struct mx_info_process info;
    struct child child;
    char byte;

    ASSERT_OK(child_start(&child, "threads", NULL));
    ASSERT_OK(
        mx_object_wait_one(child.channel, MX_SIGNAL_READABLE, deadline_after(MX_SEC(5)), NULL));
    ASSERT_OK(mx_channel_read(child.channel, &byte, 1, NULL, 0, NULL));
    ASSERT_OK(mx_object_get_info(child.process, MX_INFO_PROCESS, &info, sizeof(info), NULL));
    EXPECT_STR_EQ(info.name, "test_child");
    EXPECT_EQ(info.thread_count, 9u);
    EXPECT_EQ(info.is_terminated, 0u);
    EXPECT_GT(info.mapped_bytes, 0u);
    EXPECT_GT(info.handle_count, 0u);
    ASSERT_OK(mx_task_kill(child.process, 4));
    EXPECT_TRUE(is_terminated(child.process));
    ASSERT_OK(mx_object_get_info(child.process, MX_INFO_PROCESS, &info, sizeof(info), NULL));
    EXPECT_EQ(info.thread_count, 0u);
    EXPECT_EQ(info.handle_count, 0u);
    EXPECT_EQ(info.is_terminated, 1u);
    EXPECT_EQ(info.exit_code, 4);
    EXPECT_EQ(child_finish(&child), 4);
}

TEST(processes_leak_nothing)
{
    struct machine_counts before;

    EXPECT_EQ(child_run("exit", "0"), 0); // what is allocated once
    before = machine_counts();
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(child_run(i % 2 ? "exit" : "exit-from-thread", "0"), 0);
    EXPECT_TRUE(machine_counts_return_to(&before));
    uint64_t free_bytes = machine_counts().free_bytes;
    EXPECT_LE(before.free_bytes, free_bytes + 256 * 1024);
}

// --- what ends a process ------------------------------------------------------------------------

static void expect_fault(const char *name)
{
    EXPECT_EQ(child_run("fault", name), FAULT_EXIT_CODE);
}

TEST(reading_address_zero_ends_the_process)
{
    expect_fault("read-null");
}
TEST(writing_address_zero_ends_the_process)
{
    expect_fault("write-null");
}
TEST(reading_unmapped_memory_ends_the_process)
{
    expect_fault("read-unmapped");
}
TEST(reading_kernel_memory_ends_the_process)
{
    expect_fault("read-kernel");
}
TEST(writing_kernel_memory_ends_the_process)
{
    expect_fault("write-kernel");
}
TEST(noncanonical_access_ends_the_process)
{
    expect_fault("read-noncanonical");
}
TEST(writing_constants_ends_the_process)
{
    expect_fault("write-constant");
}
TEST(writing_code_ends_the_process)
{
    expect_fault("write-code");
}
TEST(jump_to_zero_ends_the_process)
{
    expect_fault("jump-null");
}
TEST(jump_to_unmapped_memory_ends_the_process)
{
    expect_fault("jump-unmapped");
}
TEST(jump_into_the_kernel_ends_the_process)
{
    expect_fault("jump-kernel");
}
TEST(jump_to_noncanonical_ends_the_process)
{
    expect_fault("jump-noncanonical");
}
TEST(executing_data_ends_the_process)
{
    expect_fault("jump-data");
}
TEST(stack_overflow_ends_the_process)
{
    expect_fault("stack-overflow");
}

TEST(privileged_and_faulting_instructions_end_the_process)
{
    static const char *const names[] = {
        FAULTS_PRIVILEGED_NAMES,
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int32_t exit_code = child_run("fault", names[i]);
        if (exit_code != FAULT_EXIT_CODE)
            test_fail(__FILE__, __LINE__, "%s: exit code %d", names[i], exit_code);
    }
}

TEST(random_system_calls_harm_only_the_caller)
{
    struct machine_counts before = machine_counts();
    char seed[16];

    for (int i = 1; i <= 8; i++) {
        struct child child;
        mx_handle_t job; // the child may do with it what it likes
        snprintf(seed, sizeof(seed), "%d", i);
        ASSERT_OK(mx_job_create(own_job(), &job));
        ASSERT_OK(child_start_in(&child, job, "fuzz", seed));
        int32_t exit_code = child_finish(&child);
        close_handle(job);
        if (exit_code == INT32_MIN || exit_code == INT32_MAX)
            test_fail(__FILE__, __LINE__, "seed %d: exit code %d", i, exit_code);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(memory_limit_of_a_job_stops_allocation)
{
    struct child child;
    mx_handle_t job;

    ASSERT_OK(mx_job_create(own_job(), &job));
    ASSERT_OK(mx_job_set_limit(job, MX_JOB_LIMIT_MEMORY, 8 << 20));
    ASSERT_OK(child_start_in(&child, job, "allocate", NULL));
    EXPECT_EQ(child_finish(&child), 0);
    close_handle(job);
}
