// Jobs: the tree, limits, killing, and what they count.

#include <machina/syscalls.h>

#include "tests/system/child.h"
#include "tests/test.h"

static struct mx_info_job info_of(mx_handle_t job)
{
    struct mx_info_job info = {0};

    (void)!mx_object_get_info(job, MX_INFO_JOB, &info, sizeof(info), NULL);
    return info;
}

TEST(new_job_is_empty_and_without_limit)
{
    mx_handle_t job;

    ASSERT_OK(mx_job_create(own_job(), &job));
    EXPECT_EQ(info_of(job).process_count, 0u);
    EXPECT_EQ(info_of(job).memory_limit_bytes, UINT64_MAX);
    close_handle(job);
}

TEST(calls_check_their_arguments)
{
    mx_handle_t job, weak = with_rights(own_job(), MX_RIGHT_INSPECT);

    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_job_create(0, &job));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_job_create(own_process(), &job));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_job_create(weak, &job));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_job_create(own_job(), NULL));
    ASSERT_OK(mx_job_create(own_job(), &job));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_job_set_limit(job, 99, 1));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_job_set_limit(own_process(), MX_JOB_LIMIT_MEMORY, 1));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_job_set_limit(weak, MX_JOB_LIMIT_MEMORY, 1));
    close_handle(job);
    close_handle(weak);
}

TEST(killing_a_job_ends_all_in_its_tree)
{
    struct child children[3];
    mx_handle_t job, inner, process, aspace;

    ASSERT_OK(mx_job_create(own_job(), &job));
    ASSERT_OK(mx_job_create(job, &inner));
    ASSERT_OK(child_start_in(&children[0], job, "sleep", NULL));
    ASSERT_OK(child_start_in(&children[1], inner, "spin", NULL));
    ASSERT_OK(child_start_in(&children[2], inner, "sleep", NULL));
    EXPECT_EQ(info_of(job).process_count, 3u);
    ASSERT_OK(mx_task_kill(job, 12));
    EXPECT_OK(mx_object_wait_one(job, MX_SIGNAL_TERMINATED, deadline_after(MX_SEC(5)), NULL));
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(child_finish(&children[i]), 12);
    EXPECT_EQ(info_of(job).process_count, 0u);
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_process_create(inner, "a", 1, &process, &aspace));
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_job_create(job, &process));
    close_handle(inner);
    close_handle(job);
}

TEST(killed_job_starts_no_process_made_before)
{
    mx_handle_t job, process, aspace, thread, event;

    ASSERT_OK(mx_job_create(own_job(), &job));
    ASSERT_OK(mx_process_create(job, "a", 1, &process, &aspace));
    ASSERT_OK(mx_thread_create(process, "t", 1, &thread));
    ASSERT_OK(mx_task_kill(job, 1));
    ASSERT_OK(mx_event_create(&event));
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_process_start(process, thread, 0x10000, 0, event, 0));
    close_handle(thread);
    close_handle(process);
    close_handle(aspace);
    close_handle(job);
}

TEST(limit_counts_the_whole_tree)
{
    struct child child;
    mx_handle_t job, inner;

    ASSERT_OK(mx_job_create(own_job(), &job));
    ASSERT_OK(mx_job_create(job, &inner));
    ASSERT_OK(mx_job_set_limit(job, MX_JOB_LIMIT_MEMORY, 6 << 20));
    ASSERT_OK(child_start_in(&child, inner, "allocate", NULL));
    EXPECT_EQ(child_finish(&child), 0);
    EXPECT_EQ(info_of(job).memory_limit_bytes, (uint64_t)6 << 20);
    EXPECT_LE(info_of(job).memory_used_bytes, (uint64_t)6 << 20);
    close_handle(inner);
    close_handle(job);
}

TEST(limit_too_small_for_a_process_is_an_error)
{
    mx_handle_t job, process, aspace;

    ASSERT_OK(mx_job_create(own_job(), &job));
    ASSERT_OK(mx_job_set_limit(job, MX_JOB_LIMIT_MEMORY, 0));
    EXPECT_STATUS(MX_ERR_NO_MEMORY, mx_process_create(job, "a", 1, &process, &aspace));
    close_handle(job);
}

TEST(processes_of_a_job_are_listed)
{
    static struct mx_info_process records[8];
    struct child child;
    mx_handle_t job;
    size_t actual = 0;

    ASSERT_OK(mx_job_create(own_job(), &job));
    ASSERT_OK(child_start_in(&child, job, "sleep", NULL));
    ASSERT_OK(mx_object_get_info(job, MX_INFO_JOB_PROCESSES, records, sizeof(records), &actual));
    EXPECT_EQ(actual, sizeof(records[0]));
    EXPECT_STR_EQ(records[0].name, "test_child");
    EXPECT_EQ(records[0].job_koid, info_of(job).koid);
    ASSERT_OK(mx_task_kill(job, 0));
    (void)child_finish(&child);
    close_handle(job);
}

TEST(jobs_leak_nothing_and_give_memory_back)
{
    struct machine_counts before = machine_counts();
    mx_handle_t jobs[10], parent = own_job();

    for (int i = 0; i < 10; i++) {
        ASSERT_OK(mx_job_create(parent, &jobs[i]));
        parent = jobs[i];
    }
    for (int i = 0; i < 10; i++)
        close_handle(jobs[i]);
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(deep_trees_of_jobs_are_refused_or_taken_apart)
{
    struct machine_counts before = machine_counts();
    mx_handle_t job = MX_HANDLE_INVALID, inner;
    mx_status_t status = mx_job_create(own_job(), &job);

    for (int i = 0; i < 5000 && status == MX_OK; i++) {
        status = mx_job_create(job, &inner);
        if (status != MX_OK)
            break;
        close_handle(job);
        job = inner;
    }
    close_handle(job);
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(process_of_a_tree_is_opened_by_its_id)
{
    struct mx_info_process info;
    mx_handle_t job, inner, other, process, weak = with_rights(own_job(), MX_RIGHT_INSPECT);
    struct child child;

    ASSERT_OK(mx_job_create(own_job(), &job));
    ASSERT_OK(mx_job_create(own_job(), &other));
    ASSERT_OK(mx_job_create(job, &inner));
    ASSERT_OK(child_start_in(&child, inner, "sleep", NULL));
    ASSERT_OK(mx_object_get_info(child.process, MX_INFO_PROCESS, &info, sizeof(info), NULL));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_job_open_process(other, info.koid, &process));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_job_open_process(job, UINT64_MAX, &process));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_job_open_process(weak, info.koid, &process));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_job_open_process(own_process(), info.koid, &process));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_job_open_process(0, info.koid, &process));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_job_open_process(job, info.koid, NULL));
    ASSERT_OK(mx_job_open_process(job, info.koid, &process));
    ASSERT_OK(mx_task_kill(process, 21));
    EXPECT_EQ(child_finish(&child), 21);
    close_handle(process);
    close_handle(weak);
    close_handle(inner);
    close_handle(job);
    close_handle(other);
}
