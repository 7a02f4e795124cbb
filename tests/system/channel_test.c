// Channels: messages, handles in them, and calls.

#include <stdlib.h>

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/test.h"

static mx_handle_t ends[2];

static bool make(void)
{
    return mx_channel_create(&ends[0], &ends[1]) == MX_OK;
}

static void close_both(void)
{
    close_handle(ends[0]);
    close_handle(ends[1]);
}

TEST(message_arrives_whole)
{
    char buffer[16] = {0};
    uint32_t actual[2] = {9, 9};

    ASSERT_TRUE(make());
    ASSERT_OK(mx_channel_write(ends[0], "hello", 6, NULL, 0));
    ASSERT_OK(mx_channel_read(ends[1], buffer, sizeof(buffer), NULL, 0, actual));
    EXPECT_STR_EQ(buffer, "hello");
    EXPECT_EQ(actual[0], 6u);
    EXPECT_EQ(actual[1], 0u);
    close_both();
}

TEST(messages_keep_their_order)
{
    uint32_t value;

    ASSERT_TRUE(make());
    for (uint32_t i = 0; i < 100; i++)
        ASSERT_OK(mx_channel_write(ends[0], &i, sizeof(i), NULL, 0));
    for (uint32_t i = 0; i < 100; i++) {
        ASSERT_OK(mx_channel_read(ends[1], &value, sizeof(value), NULL, 0, NULL));
        EXPECT_EQ(value, i);
    }
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT,
                  mx_channel_read(ends[1], &value, sizeof(value), NULL, 0, NULL));
    close_both();
}

TEST(largest_message_fits_and_larger_does_not)
{
    char *bytes = malloc(MX_CHANNEL_MAX_BYTES + 1), *back = calloc(1, MX_CHANNEL_MAX_BYTES);
    uint32_t actual[2];

    ASSERT_TRUE(bytes && back && make());
    memset(bytes, 0x5a, MX_CHANNEL_MAX_BYTES + 1);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_channel_write(ends[0], bytes, MX_CHANNEL_MAX_BYTES + 1, NULL, 0));
    ASSERT_OK(mx_channel_write(ends[0], bytes, MX_CHANNEL_MAX_BYTES, NULL, 0));
    ASSERT_OK(mx_channel_read(ends[1], back, MX_CHANNEL_MAX_BYTES, NULL, 0, actual));
    EXPECT_EQ(actual[0], (uint32_t)MX_CHANNEL_MAX_BYTES);
    EXPECT_BYTES_EQ(bytes, back, MX_CHANNEL_MAX_BYTES);
    close_both();
    free(bytes);
    free(back);
}

TEST(empty_message_is_a_message)
{
    uint32_t actual[2] = {1, 1};

    ASSERT_TRUE(make());
    ASSERT_OK(mx_channel_write(ends[0], NULL, 0, NULL, 0));
    ASSERT_OK(mx_channel_read(ends[1], NULL, 0, NULL, 0, actual));
    EXPECT_EQ(actual[0], 0u);
    close_both();
}

TEST(buffer_too_small_leaves_the_message)
{
    char buffer[8];
    uint32_t actual[2];
    mx_handle_t event, handle;

    ASSERT_TRUE(make());
    ASSERT_OK(mx_event_create(&event));
    ASSERT_OK(mx_channel_write(ends[0], "12345678", 8, &event, 1));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, mx_channel_read(ends[1], buffer, 7, &handle, 1, actual));
    EXPECT_EQ(actual[0], 8u);
    EXPECT_EQ(actual[1], 1u);
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, mx_channel_read(ends[1], buffer, 8, NULL, 0, actual));
    EXPECT_OK(mx_channel_read(ends[1], buffer, 8, &handle, 1, actual));
    close_handle(handle);
    close_both();
}

TEST(handles_move_with_their_rights)
{
    mx_handle_t event, weak, got[2];
    struct mx_info_handle info;
    uint32_t actual[2];

    ASSERT_TRUE(make());
    ASSERT_OK(mx_event_create(&event));
    weak = with_rights(event, MX_RIGHT_TRANSFER | MX_RIGHT_INSPECT);
    mx_handle_t sent[2] = {event, weak};
    ASSERT_OK(mx_channel_write(ends[0], NULL, 0, sent, 2));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(event));
    ASSERT_OK(mx_channel_read(ends[1], NULL, 0, got, 2, actual));
    EXPECT_EQ(actual[1], 2u);
    ASSERT_OK(mx_object_get_info(got[1], MX_INFO_HANDLE, &info, sizeof(info), NULL));
    EXPECT_EQ(info.rights, MX_RIGHT_TRANSFER | MX_RIGHT_INSPECT);
    EXPECT_EQ(info.type, (uint32_t)MX_OBJECT_EVENT);
    EXPECT_OK(mx_object_signal(got[0], 0, MX_SIGNAL_SIGNALED));
    close_handle(got[0]);
    close_handle(got[1]);
    close_both();
}

TEST(failed_write_consumes_its_handles)
{
    struct machine_counts before = machine_counts();
    mx_handle_t handles[3];

    ASSERT_TRUE(make());
    ASSERT_OK(mx_event_create(&handles[0]));
    ASSERT_OK(mx_event_create(&handles[2]));
    handles[1] = 0x7fff0007; // no such handle
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_channel_write(ends[0], NULL, 0, handles, 3));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(handles[0]));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(handles[2]));
    ASSERT_OK(mx_event_create(&handles[0]));
    handles[1] = with_rights(handles[0], MX_RIGHT_WAIT);
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_channel_write(ends[0], NULL, 0, handles, 2));
    close_both();
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(an_end_cannot_be_sent_through_itself)
{
    struct machine_counts before = machine_counts();
    mx_handle_t copy;

    ASSERT_TRUE(make());
    copy = ends[1];
    EXPECT_NE(mx_channel_write(ends[0], NULL, 0, &copy, 1), MX_OK);
    close_handle(ends[0]);
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(write_checks_handles_pointers_and_counts)
{
    static mx_handle_t many[MX_CHANNEL_MAX_HANDLES + 1];
    mx_handle_t read_only;

    ASSERT_TRUE(make());
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_channel_write(MX_HANDLE_INVALID, "a", 1, NULL, 0));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_channel_write(own_job(), "a", 1, NULL, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_channel_write(ends[0], (char *)16, 1, NULL, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_channel_write(ends[0], (char *)0xffffffff80100000, 64, NULL, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_channel_write(ends[0], "a", 1, NULL, 1));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_channel_write(ends[0], "a", 1, many, MX_CHANNEL_MAX_HANDLES + 1));
    ASSERT_OK(mx_handle_replace(ends[0], MX_RIGHT_READ, &read_only));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_channel_write(read_only, "a", 1, NULL, 0));
    ends[0] = read_only;
    close_both();
}

TEST(read_checks_handles_and_pointers)
{
    uint32_t actual[2];

    ASSERT_TRUE(make());
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_channel_read(MX_HANDLE_INVALID, NULL, 0, NULL, 0, NULL));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_channel_read(own_job(), NULL, 0, NULL, 0, NULL));
    ASSERT_OK(mx_channel_write(ends[0], "a", 1, NULL, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_channel_read(ends[1], (char *)16, 1, NULL, 0, actual));
    ASSERT_OK(mx_channel_write(ends[0], "a", 1, NULL, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_channel_read(ends[1], (char *)0xffff800000001000, 1, NULL, 0, actual));
    ASSERT_OK(mx_channel_write(ends[0], "a", 1, NULL, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_channel_read(ends[1], actual, 1, NULL, 0, (uint32_t *)16));
    close_both();
}

TEST(closed_peer_is_told_after_the_last_message)
{
    mx_signals_t pending;
    char byte;

    ASSERT_TRUE(make());
    ASSERT_OK(mx_channel_write(ends[0], "a", 1, NULL, 0));
    close_handle(ends[0]);
    ASSERT_OK(mx_object_wait_one(ends[1], MX_SIGNAL_PEER_CLOSED, 0, &pending));
    EXPECT_EQ(pending & MX_SIGNAL_READABLE, MX_SIGNAL_READABLE);
    EXPECT_OK(mx_channel_read(ends[1], &byte, 1, NULL, 0, NULL));
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, mx_channel_read(ends[1], &byte, 1, NULL, 0, NULL));
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, mx_channel_write(ends[1], &byte, 1, NULL, 0));
    close_handle(ends[1]);
}

TEST(readable_follows_the_queue)
{
    char byte;

    ASSERT_TRUE(make());
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_one(ends[1], MX_SIGNAL_READABLE, 0, NULL));
    ASSERT_OK(mx_channel_write(ends[0], "a", 1, NULL, 0));
    EXPECT_OK(mx_object_wait_one(ends[1], MX_SIGNAL_READABLE, 0, NULL));
    ASSERT_OK(mx_channel_read(ends[1], &byte, 1, NULL, 0, NULL));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_one(ends[1], MX_SIGNAL_READABLE, 0, NULL));
    close_both();
}

TEST(unread_messages_are_limited)
{
    struct machine_counts before = machine_counts();
    mx_status_t status = MX_OK;
    int count = 0;

    ASSERT_TRUE(make());
    while (status == MX_OK && count < 1000000) {
        status = mx_channel_write(ends[0], "a", 1, NULL, 0);
        count++;
    }
    EXPECT_EQ(status, MX_ERR_SHOULD_WAIT);
    close_both();
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(unread_handles_go_with_the_channel)
{
    struct machine_counts before = machine_counts();

    ASSERT_TRUE(make());
    for (int i = 0; i < 50; i++) {
        mx_handle_t event;
        ASSERT_OK(mx_event_create(&event));
        ASSERT_OK(mx_channel_write(ends[i % 2], NULL, 0, &event, 1));
    }
    close_both();
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(nested_channels_are_taken_apart)
{
    struct machine_counts before = machine_counts();
    mx_handle_t outer = MX_HANDLE_INVALID, a, b;

    // Each channel holds the one before as an unread message.
    for (int i = 0; i < 200; i++) {
        ASSERT_OK(mx_channel_create(&a, &b));
        if (outer != MX_HANDLE_INVALID)
            ASSERT_OK(mx_channel_write(a, NULL, 0, &outer, 1));
        close_handle(a);
        outer = b;
    }
    close_handle(outer);
    EXPECT_TRUE(machine_counts_return_to(&before));
}

// --- calls
// ----------------------------------------------------------------------------------------

static void answer(void *argument)
{
    int count = *(int *)argument;
    uint32_t message[4], actual[2];

    for (int i = 0; i < count; i++) {
        if (mx_object_wait_one(ends[1], MX_SIGNAL_READABLE, deadline_after(MX_SEC(5)), NULL) !=
                MX_OK ||
            mx_channel_read(ends[1], message, sizeof(message), NULL, 0, actual) != MX_OK)
            return;
        message[1] += 1;
        if (mx_channel_write(ends[1], message, actual[0], NULL, 0) != MX_OK)
            return;
    }
}

static mx_status_t call(uint32_t value, uint32_t reply[2], uint32_t capacity_bytes,
                        mx_time_t deadline)
{
    uint32_t request[2] = {0, value};
    struct mx_channel_call_args args = {.request_bytes = request,
                                        .request_size_bytes = sizeof(request),
                                        .reply_bytes = reply,
                                        .reply_capacity_bytes = capacity_bytes};

    return mx_channel_call(ends[0], &args, deadline);
}

TEST(call_gets_its_reply)
{
    struct thread *thread;
    uint32_t reply[2];
    int count = 100;

    ASSERT_TRUE(make());
    ASSERT_OK(thread_create(&thread, "answer", answer, &count, 0));
    for (uint32_t i = 0; i < 100; i++) {
        ASSERT_OK(call(i, reply, sizeof(reply), deadline_after(MX_SEC(5))));
        EXPECT_EQ(reply[1], i + 1);
    }
    thread_join(thread);
    close_both();
}

struct caller {
    uint32_t first;
    uint32_t wrong_count;
};

static void call_often(void *argument)
{
    struct caller *caller = argument;
    uint32_t reply[2];

    for (uint32_t i = 0; i < 50; i++) {
        if (call(caller->first + i, reply, sizeof(reply), deadline_after(MX_SEC(5))) != MX_OK ||
            reply[1] != caller->first + i + 1)
            caller->wrong_count++;
    }
}

TEST(calls_of_many_threads_get_their_own_replies)
{
    struct thread *threads[4], *server;
    struct caller callers[4];
    int count = 200;

    ASSERT_TRUE(make());
    ASSERT_OK(thread_create(&server, "answer", answer, &count, 0));
    for (uint32_t i = 0; i < 4; i++) {
        callers[i] = (struct caller){i * 1000, 0};
        ASSERT_OK(thread_create(&threads[i], "call", call_often, &callers[i], 0));
    }
    for (uint32_t i = 0; i < 4; i++) {
        thread_join(threads[i]);
        EXPECT_EQ(callers[i].wrong_count, 0u);
    }
    thread_join(server);
    close_both();
}

TEST(call_times_out_and_its_late_reply_is_an_ordinary_message)
{
    uint32_t reply[2], message[2];

    ASSERT_TRUE(make());
    EXPECT_STATUS(MX_ERR_TIMED_OUT, call(1, reply, sizeof(reply), deadline_after(MX_MSEC(5))));
    ASSERT_OK(mx_channel_read(ends[1], message, sizeof(message), NULL, 0, NULL));
    EXPECT_EQ(message[1], 1u);
    EXPECT_OK(mx_channel_write(ends[1], message, sizeof(message), NULL, 0));
    EXPECT_OK(mx_channel_read(ends[0], reply, sizeof(reply), NULL, 0, NULL));
    close_both();
}

static void close_peer_soon(void *argument)
{
    mx_nanosleep(deadline_after(MX_MSEC(10)));
    close_handle(*(mx_handle_t *)argument);
}

TEST(call_ends_when_the_peer_closes)
{
    struct thread *thread;
    uint32_t reply[2];

    ASSERT_TRUE(make());
    ASSERT_OK(thread_create(&thread, "close", close_peer_soon, &ends[1], 0));
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, call(1, reply, sizeof(reply), deadline_after(MX_SEC(5))));
    thread_join(thread);
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, call(1, reply, sizeof(reply), deadline_after(MX_SEC(5))));
    close_handle(ends[0]);
}

TEST(call_reply_that_does_not_fit_is_dropped)
{
    struct thread *thread;
    uint32_t reply[2];
    int count = 1;

    ASSERT_TRUE(make());
    ASSERT_OK(thread_create(&thread, "answer", answer, &count, 0));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, call(1, reply, 4, deadline_after(MX_SEC(5))));
    thread_join(thread);
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT,
                  mx_channel_read(ends[0], reply, sizeof(reply), NULL, 0, NULL));
    close_both();
}

TEST(call_checks_its_arguments)
{
    struct mx_channel_call_args args = {0};
    uint32_t request = 0;

    ASSERT_TRUE(make());
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_channel_call(ends[0], NULL, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_channel_call(ends[0], &args, 0));
    args.request_bytes = &request;
    args.request_size_bytes = 3;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_channel_call(ends[0], &args, 0));
    args.request_size_bytes = MX_CHANNEL_MAX_BYTES + 1;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_channel_call(ends[0], &args, 0));
    args.request_size_bytes = 4;
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_channel_call(MX_HANDLE_INVALID, &args, 0));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_channel_call(own_job(), &args, 0));
    close_both();
}

TEST(serve_takes_what_waits_and_tells_of_a_closed_peer)
{
    char request[8];
    struct mx_channel_serve_args args = {.request_bytes = request,
                                         .request_capacity_bytes = sizeof(request)};

    ASSERT_TRUE(make());
    ASSERT_OK(mx_channel_write(ends[0], "one", 4, NULL, 0));
    ASSERT_OK(mx_channel_serve(ends[1], &args, 0));
    EXPECT_STR_EQ(request, "one");
    EXPECT_EQ(args.request_size_bytes, 4u);
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_channel_serve(ends[1], &args, deadline_after(MX_MSEC(5))));
    args.reply_bytes = "two";
    args.reply_size_bytes = 4;
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_channel_serve(ends[1], &args, 0));
    ASSERT_OK(mx_channel_read(ends[0], request, sizeof(request), NULL, 0, NULL));
    EXPECT_STR_EQ(request, "two");
    close_handle(ends[0]);
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, mx_channel_serve(ends[1], &args, MX_TIME_INFINITE));
    close_handle(ends[1]);
}

TEST(serve_checks_its_arguments)
{
    struct mx_channel_serve_args args = {.reply_handle_count = 1};
    mx_handle_t event, read_only;

    ASSERT_TRUE(make());
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_channel_serve(ends[0], NULL, 0));
    ASSERT_OK(mx_event_create(&event));
    args.reply_handles = &event;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_channel_serve(ends[0], &args, 0));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(event));
    args.reply_handle_count = 0;
    args.reply_size_bytes = MX_CHANNEL_MAX_BYTES + 1;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_channel_serve(ends[0], &args, 0));
    args.reply_size_bytes = 0;
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_channel_serve(MX_HANDLE_INVALID, &args, 0));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_channel_serve(own_job(), &args, 0));
    ASSERT_OK(mx_handle_replace(ends[0], MX_RIGHT_READ, &read_only));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_channel_serve(read_only, &args, 0));
    close_handle(read_only);
    close_handle(ends[1]);
}

TEST(another_process_answers_with_the_same_handles)
{
    char buffer[64] = {0};
    mx_handle_t event, back;
    struct mx_info_handle before, after;
    struct child child;

    ASSERT_OK(child_start(&child, "echo", NULL));
    ASSERT_OK(mx_event_create(&event));
    ASSERT_OK(mx_object_get_info(event, MX_INFO_HANDLE, &before, sizeof(before), NULL));
    ASSERT_OK(mx_channel_write(child.channel, "there and back", 15, &event, 1));
    ASSERT_OK(
        mx_object_wait_one(child.channel, MX_SIGNAL_READABLE, deadline_after(MX_SEC(5)), NULL));
    ASSERT_OK(mx_channel_read(child.channel, buffer, sizeof(buffer), &back, 1, NULL));
    EXPECT_STR_EQ(buffer, "there and back");
    ASSERT_OK(mx_object_get_info(back, MX_INFO_HANDLE, &after, sizeof(after), NULL));
    EXPECT_EQ(before.koid, after.koid);
    close_handle(back);
    close_handle(child.channel);
    child.channel = MX_HANDLE_INVALID;
    EXPECT_EQ(child_finish(&child), 0);
}
