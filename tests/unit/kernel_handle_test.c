// Handle tables: rights, stale values, growth, and threads that close what others use.
#include "tests/unit/kernel_fixture.h"

PROCESS_TEST(handle_duplicate_gives_a_subset_of_rights)
{
    mx_handle_t event, weak, more;

    ASSERT_OK(mx_event_create(&event));
    EXPECT_OK(mx_handle_duplicate(event, MX_RIGHT_DUPLICATE | MX_RIGHT_WAIT, &weak));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_handle_duplicate(weak, MX_RIGHT_SIGNAL, &more));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_object_signal(weak, 0, MX_SIGNAL_SIGNALED));
    EXPECT_OK(mx_handle_duplicate(weak, MX_RIGHT_SAME, &more));
    EXPECT_OK(mx_handle_replace(more, MX_RIGHT_WAIT, &more));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_handle_duplicate(more, MX_RIGHT_SAME, &weak));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_handle_replace(more, MX_RIGHTS_ALL, &weak));
    EXPECT_OK(mx_handle_close(more)); // stayed
}

PROCESS_TEST(handle_value_is_dead_after_close)
{
    mx_handle_t event, next;

    ASSERT_OK(mx_event_create(&event));
    EXPECT_OK(mx_handle_close(event));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(event));
    for (unsigned i = 0; i < 100; i++) {
        ASSERT_OK(mx_event_create(&next));
        EXPECT_NE(next, event);
        EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_object_signal(event, 0, MX_SIGNAL_SIGNALED));
        EXPECT_OK(mx_handle_close(next));
    }
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(0));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(UINT32_MAX));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(0x10000));
}

PROCESS_TEST(handle_replace_kills_the_old_value_and_keeps_it_on_failure)
{
    mx_handle_t event, next;

    ASSERT_OK(mx_event_create(&event));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  HOST_SYSCALL(sys_handle_replace(event, MX_RIGHT_SAME, 0x5000)));
    EXPECT_OK(mx_handle_replace(event, MX_RIGHT_SAME, &next));
    EXPECT_NE(next, event);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(event));
    EXPECT_OK(mx_handle_close(next));
}

PROCESS_TEST(handle_of_wrong_type_is_refused)
{
    mx_handle_t event, out;

    ASSERT_OK(mx_event_create(&event));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_vmo_read(event, NULL, 0, 0));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_job_create(event, &out));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_timer_set(event, 0));
}

PROCESS_TEST(handle_table_grows_to_its_limit)
{
    static bool was_run; // long: once is enough
    static mx_handle_t handles[20000];
    mx_handle_t event;
    mx_status_t status = MX_OK;
    unsigned count = 0;

    if (was_run)
        return;
    was_run = true;
    ASSERT_OK(mx_event_create(&event));
    while (count < 20000 &&
           (status = mx_handle_duplicate(event, MX_RIGHT_SAME, &handles[count])) == MX_OK)
        count++;
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, status);
    EXPECT_GT(count, 16000);
    EXPECT_OK(mx_handle_close(handles[777]));
    EXPECT_OK(mx_handle_duplicate(event, MX_RIGHT_SAME, &handles[777]));
    for (unsigned i = 0; i < count; i += 2)
        EXPECT_OK(mx_handle_close(handles[i])); // the rest goes with the process
}

static mx_handle_t shared;

static void close_shared(uint64_t argument, uint64_t unused)
{
    (void)argument;
    (void)unused;
    (void)!mx_handle_close(shared);
}

PROCESS_TEST(handle_closed_while_others_use_the_object)
{
    mx_handle_t closer, copy;

    ASSERT_OK(mx_event_create(&shared));
    spawn(close_shared, 0, &closer);
    for (unsigned i = 0; i < 4; i++) {
        mx_status_t status = mx_object_signal(shared, 0, MX_SIGNAL_SIGNALED);
        EXPECT_TRUE(status == MX_OK || status == MX_ERR_BAD_HANDLE);
        status = mx_handle_duplicate(shared, MX_RIGHT_SAME, &copy);
        EXPECT_TRUE(status == MX_OK || status == MX_ERR_BAD_HANDLE);
    }
    join(closer);
}

// Whatever the order, exactly one of the two values is alive or none.
PROCESS_TEST(handle_replace_races_with_close)
{
    mx_handle_t closer, next = 0;

    ASSERT_OK(mx_event_create(&shared));
    spawn(close_shared, 0, &closer);
    mx_status_t status = mx_handle_replace(shared, MX_RIGHT_SAME, &next);
    join(closer);
    EXPECT_TRUE(status == MX_OK || status == MX_ERR_BAD_HANDLE);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(shared));
    EXPECT_STATUS(status, mx_handle_close(next));
}

PROCESS_TEST(info_says_what_a_handle_is)
{
    mx_handle_t event;
    struct mx_info_handle info;
    size_t actual = 0;

    ASSERT_OK(mx_event_create(&event));
    EXPECT_OK(mx_object_get_info(event, MX_INFO_HANDLE, &info, sizeof(info), &actual));
    EXPECT_EQ(info.type, MX_OBJECT_EVENT);
    EXPECT_EQ(actual, sizeof(info));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL,
                  mx_object_get_info(event, MX_INFO_HANDLE, &info, 3, &actual));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_object_get_info(event, 12345, &info, sizeof(info), NULL));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE,
                  mx_object_get_info(event, MX_INFO_JOB, &info, sizeof(info), NULL));
}

PROCESS_TEST(syscall_number_out_of_range_is_refused)
{
    uint64_t arguments[6] = {0};

    EXPECT_STATUS(MX_ERR_BAD_SYSCALL, HOST_SYSCALL(syscall_dispatch(100000, arguments)));
    EXPECT_STATUS(MX_ERR_BAD_SYSCALL, HOST_SYSCALL(syscall_dispatch(UINT64_MAX, arguments)));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, HOST_SYSCALL(syscall_dispatch(0, arguments)));
}

// Every system call with hostile numbers in every argument: errors, and nothing left behind.
PROCESS_TEST(syscalls_survive_hostile_arguments)
{
    static const uint64_t values[] = {0,          1,         4095,       0x5000,
                                      UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_MAX - 4095};
    mx_handle_t event;

    ASSERT_OK(mx_event_create(&event));
    for (uint64_t number = 0; number < 80; number++) {
        // Not those that end or block this thread for ever.
        if (number == 13 || number == 16 || number == 36)
            continue;
        for (unsigned i = 0; i < ARRAY_COUNT(values); i++) {
            uint64_t v = values[i];
            uint64_t arguments[6] = {event, v, v, v, v, v};
            // wait_one, wait_many: only with deadlines that have passed
            if (number == 3 || number == 4)
                arguments[2] = 0;
            if (number == 3)
                arguments[1] = MX_SIGNAL_SIGNALED;
            (void)HOST_SYSCALL(syscall_dispatch(number, arguments));
            arguments[0] = v;
            if (number != 0 && number != 34)
                (void)HOST_SYSCALL(syscall_dispatch(number, arguments));
            (void)!mx_handle_close(event); // it may be closed already
            ASSERT_OK(mx_event_create(&event));
        }
    }
}
