// Handles: close, duplicate, replace, rights, and values that name nothing.

#include <machina/syscalls.h>

#include "tests/system/child.h"
#include "tests/test.h"

static mx_rights_t rights_of(mx_handle_t handle)
{
    struct mx_info_handle info = {0};

    return mx_object_get_info(handle, MX_INFO_HANDLE, &info, sizeof(info), NULL) == MX_OK
               ? info.rights
               : 0;
}

TEST(close_ends_a_handle)
{
    mx_handle_t event;

    ASSERT_OK(mx_event_create(&event));
    EXPECT_NE(event, MX_HANDLE_INVALID);
    EXPECT_OK(mx_handle_close(event));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(event));
}

TEST(values_that_name_nothing_are_refused)
{
    static const mx_handle_t values[] = {0, 0xffffffff, 0x10000, 0xffff, 0x80000000, 0x7fffffff};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(values[i]));
}

TEST(old_value_is_not_valid_for_a_new_object)
{
    mx_handle_t first, second;

    ASSERT_OK(mx_event_create(&first));
    close_handle(first);
    ASSERT_OK(mx_event_create(&second));
    EXPECT_NE(first, second);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_object_signal(first, 0, MX_SIGNAL_SIGNALED));
    close_handle(second);
}

TEST(duplicate_names_the_same_object_with_fewer_rights)
{
    struct mx_info_handle first, second;
    mx_handle_t event, copy;

    ASSERT_OK(mx_event_create(&event));
    ASSERT_OK(mx_handle_duplicate(event, MX_RIGHT_WAIT | MX_RIGHT_INSPECT, &copy));
    EXPECT_EQ(rights_of(copy), MX_RIGHT_WAIT | MX_RIGHT_INSPECT);
    ASSERT_OK(mx_object_get_info(event, MX_INFO_HANDLE, &first, sizeof(first), NULL));
    ASSERT_OK(mx_object_get_info(copy, MX_INFO_HANDLE, &second, sizeof(second), NULL));
    EXPECT_EQ(first.koid, second.koid);
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_object_signal(copy, 0, MX_SIGNAL_SIGNALED));
    close_handle(event);
    EXPECT_OK(mx_object_get_info(copy, MX_INFO_HANDLE, &second, sizeof(second), NULL));
    close_handle(copy);
}

TEST(duplicate_checks_its_arguments)
{
    mx_handle_t event, weak, copy;

    ASSERT_OK(mx_event_create(&event));
    weak = with_rights(event, MX_RIGHT_INSPECT | MX_RIGHT_DUPLICATE);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_handle_duplicate(weak, MX_RIGHT_SIGNAL, &copy));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_handle_duplicate(event, 1u << 20, &copy));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_handle_duplicate(event, MX_RIGHT_SAME, NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_handle_duplicate(event, MX_RIGHT_SAME, (mx_handle_t *)0xffff800000000000));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_duplicate(MX_HANDLE_INVALID, MX_RIGHT_SAME, &copy));
    close_handle(weak);
    weak = with_rights(event, MX_RIGHT_INSPECT);
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_handle_duplicate(weak, MX_RIGHT_SAME, &copy));
    close_handle(weak);
    close_handle(event);
}

TEST(replace_takes_rights_away_for_good)
{
    mx_handle_t event, weaker, again;

    ASSERT_OK(mx_event_create(&event));
    ASSERT_OK(mx_handle_replace(event, MX_RIGHT_INSPECT, &weaker));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(event));
    EXPECT_EQ(rights_of(weaker), MX_RIGHT_INSPECT);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_handle_replace(weaker, MX_RIGHT_WAIT, &again));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_handle_replace(weaker, MX_RIGHT_SAME, (mx_handle_t *)16));
    EXPECT_OK(mx_handle_close(weaker)); // the failures left it
}

TEST(table_is_limited_and_recovers)
{
    struct machine_counts before = machine_counts();
    static mx_handle_t handles[20000];
    mx_status_t status = MX_OK;
    size_t count = 0;

    while (count < 20000 && (status = mx_event_create(&handles[count])) == MX_OK)
        count++;
    EXPECT_EQ(status, MX_ERR_NO_RESOURCES);
    EXPECT_GT(count, 8000u);
    while (count > 0)
        close_handle(handles[--count]);
    EXPECT_TRUE(machine_counts_return_to(&before));
}
