// What all objects have: signals, waits, information.

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/test.h"

#define USER_SIGNAL (1u << 24)

static mx_handle_t event;

static bool make(void)
{
    return mx_event_create(&event) == MX_OK;
}

TEST(wait_one_tells_what_is_up)
{
    mx_signals_t pending = 0;

    ASSERT_TRUE(make());
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_one(event, MX_SIGNAL_SIGNALED, 0, &pending));
    EXPECT_EQ(pending, 0u);
    ASSERT_OK(mx_object_signal(event, 0, MX_SIGNAL_SIGNALED | USER_SIGNAL));
    EXPECT_OK(mx_object_wait_one(event, MX_SIGNAL_SIGNALED, 0, &pending));
    EXPECT_EQ(pending, MX_SIGNAL_SIGNALED | USER_SIGNAL);
    close_handle(event);
}

static void signal_soon(void *argument)
{
    (void)argument;
    mx_nanosleep(deadline_after(MX_MSEC(10)));
    (void)!mx_object_signal(event, 0, MX_SIGNAL_SIGNALED);
}

TEST(wait_one_is_woken)
{
    struct thread *thread;

    ASSERT_TRUE(make());
    ASSERT_OK(thread_create(&thread, "signal", signal_soon, NULL, 0));
    EXPECT_OK(mx_object_wait_one(event, MX_SIGNAL_SIGNALED, deadline_after(MX_SEC(5)), NULL));
    thread_join(thread);
    close_handle(event);
}

TEST(wait_one_checks_its_arguments)
{
    mx_handle_t weak;

    ASSERT_TRUE(make());
    weak = with_rights(event, MX_RIGHT_INSPECT);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_object_wait_one(0, MX_SIGNAL_SIGNALED, 0, NULL));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_object_wait_one(weak, MX_SIGNAL_SIGNALED, 0, NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_object_wait_one(event, MX_SIGNAL_SIGNALED, 0, (mx_signals_t *)16));
    close_handle(weak);
    close_handle(event);
}

TEST(wait_many_waits_for_any)
{
    struct mx_wait_item items[MX_WAIT_MANY_MAX];

    for (size_t i = 0; i < MX_WAIT_MANY_MAX; i++) {
        items[i] = (struct mx_wait_item){.waitfor = MX_SIGNAL_SIGNALED};
        ASSERT_OK(mx_event_create(&items[i].handle));
    }
    EXPECT_STATUS(MX_ERR_TIMED_OUT,
                  mx_object_wait_many(items, MX_WAIT_MANY_MAX, deadline_after(MX_MSEC(2))));
    ASSERT_OK(mx_object_signal(items[7].handle, 0, MX_SIGNAL_SIGNALED));
    EXPECT_OK(mx_object_wait_many(items, MX_WAIT_MANY_MAX, MX_TIME_INFINITE));
    for (size_t i = 0; i < MX_WAIT_MANY_MAX; i++) {
        EXPECT_EQ(items[i].pending, i == 7 ? MX_SIGNAL_SIGNALED : 0);
        close_handle(items[i].handle);
    }
}

TEST(wait_many_checks_its_arguments)
{
    struct mx_wait_item items[MX_WAIT_MANY_MAX + 1] = {{0}};

    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_object_wait_many(items, MX_WAIT_MANY_MAX + 1, 0));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_object_wait_many(items, 1, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_object_wait_many(NULL, 1, 0));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_many(items, 0, deadline_after(MX_MSEC(1))));
}

TEST(signal_changes_only_what_it_may)
{
    mx_handle_t channel, peer, weak;

    ASSERT_TRUE(make());
    weak = with_rights(event, MX_RIGHT_WAIT);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_object_signal(event, 0, MX_SIGNAL_READABLE));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_object_signal(event, MX_SIGNAL_TERMINATED, 0));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_object_signal(weak, 0, MX_SIGNAL_SIGNALED));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_object_signal(0, 0, MX_SIGNAL_SIGNALED));
    ASSERT_OK(mx_channel_create(&channel, &peer));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_object_signal(channel, 0, MX_SIGNAL_SIGNALED));
    EXPECT_OK(mx_object_signal(channel, 0, USER_SIGNAL));
    EXPECT_OK(mx_object_wait_one(channel, USER_SIGNAL, 0, NULL));
    EXPECT_OK(mx_object_signal(channel, USER_SIGNAL, 0));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_one(channel, USER_SIGNAL, 0, NULL));
    close_handle(channel);
    close_handle(peer);
    close_handle(weak);
    close_handle(event);
}

TEST(info_checks_its_arguments)
{
    struct mx_info_job info;
    size_t actual = 0;
    mx_handle_t weak = with_rights(own_job(), MX_RIGHT_MANAGE);

    EXPECT_OK(mx_object_get_info(own_job(), MX_INFO_JOB, &info, sizeof(info), &actual));
    EXPECT_EQ(actual, sizeof(info));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL,
                  mx_object_get_info(own_job(), MX_INFO_JOB, &info, sizeof(info) - 1, &actual));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_object_get_info(own_job(), 999, &info, sizeof(info), NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_object_get_info(own_job(), 0, &info, sizeof(info), NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_object_get_info(own_job(), MX_INFO_JOB, NULL, sizeof(info), NULL));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE,
                  mx_object_get_info(own_process(), MX_INFO_JOB, &info, sizeof(info), NULL));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_object_get_info(weak, MX_INFO_JOB, &info, sizeof(info), NULL));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_object_get_info(0, MX_INFO_JOB, &info, sizeof(info), NULL));
    close_handle(weak);
}

TEST(machine_info_is_sane)
{
    struct mx_info_memory memory;
    struct mx_info_system system;
    struct mx_info_cpu cpus[8];
    size_t actual = 0;

    ASSERT_OK(mx_object_get_info(system_resource(), MX_INFO_MEMORY, &memory, sizeof(memory), NULL));
    EXPECT_LT(memory.free_bytes, memory.total_bytes);
    EXPECT_GT(memory.object_count, 10u);
    EXPECT_GT(memory.handle_count, 10u);
    ASSERT_OK(mx_object_get_info(system_resource(), MX_INFO_SYSTEM, &system, sizeof(system), NULL));
    EXPECT_GE(system.cpu_count, 1u);
    EXPECT_NE(system.cpu_name[0], 0);
    EXPECT_NE(system.version[0], 0);
    ASSERT_OK(mx_object_get_info(system_resource(), MX_INFO_CPUS, cpus, sizeof(cpus), &actual));
    EXPECT_EQ(actual, system.cpu_count * sizeof(cpus[0]));
    EXPECT_GT(cpus[0].context_switches, 0u);
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_object_get_info(root_resource(), MX_INFO_MEMORY, &memory,
                                                           sizeof(memory), NULL));
}
