// Channels and streams: messages, handles on the way, calls, ends that go.
#include "tests/unit/kernel_fixture.h"

PROCESS_TEST(channel_gives_messages_in_order)
{
    mx_handle_t a, b;
    char text[16] = "";
    uint32_t actual[2];

    ASSERT_OK(mx_channel_create(&a, &b));
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, mx_channel_read(b, text, sizeof(text), NULL, 0, actual));
    EXPECT_OK(mx_channel_write(a, "one", 4, NULL, 0));
    EXPECT_OK(mx_channel_write(a, "three", 6, NULL, 0));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, mx_channel_read(b, text, 3, NULL, 0, actual));
    EXPECT_EQ(actual[0], 4);
    EXPECT_OK(mx_channel_read(b, text, sizeof(text), NULL, 0, actual));
    EXPECT_STR_EQ(text, "one");
    EXPECT_OK(mx_channel_read(b, text, sizeof(text), NULL, 0, actual));
    EXPECT_STR_EQ(text, "three");
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, mx_channel_read(b, text, sizeof(text), NULL, 0, actual));
}

PROCESS_TEST(channel_refuses_messages_beyond_the_limits)
{
    mx_handle_t a, b;

    ASSERT_OK(mx_channel_create(&a, &b));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_channel_write(a, "", MX_CHANNEL_MAX_BYTES + 1, NULL, 0));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_channel_write(a, "", 1, NULL, MX_CHANNEL_MAX_HANDLES + 1));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_channel_write(a, "", UINT32_MAX, NULL, UINT32_MAX));
}

PROCESS_TEST(channel_carries_handles_with_their_rights)
{
    mx_handle_t a, b, event, weak, received[2];
    struct mx_info_handle info;
    uint32_t actual[2];
    char byte;

    ASSERT_OK(mx_channel_create(&a, &b));
    ASSERT_OK(mx_event_create(&event));
    ASSERT_OK(mx_handle_duplicate(event, MX_RIGHT_WAIT | MX_RIGHT_TRANSFER, &weak));
    mx_handle_t sent[2] = {event, weak};
    EXPECT_OK(mx_channel_write(a, "x", 1, sent, 2));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(event));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, mx_channel_read(b, &byte, 1, received, 1, actual));
    EXPECT_EQ(actual[1], 2);
    EXPECT_OK(mx_channel_read(b, &byte, 1, received, 2, actual));
    EXPECT_OK(mx_object_get_info(received[1], MX_INFO_HANDLE, &info, sizeof(info), NULL));
    EXPECT_EQ(info.rights, MX_RIGHT_WAIT | MX_RIGHT_TRANSFER);
    EXPECT_EQ(info.type, MX_OBJECT_EVENT);
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_object_signal(received[1], 0, MX_SIGNAL_SIGNALED));
}

PROCESS_TEST(channel_handle_that_cannot_be_sent_consumes_all)
{
    mx_handle_t a, b, event, fixed;

    ASSERT_OK(mx_channel_create(&a, &b));
    ASSERT_OK(mx_event_create(&event));
    ASSERT_OK(mx_handle_duplicate(event, MX_RIGHT_WAIT, &fixed));
    mx_handle_t sent[2] = {event, fixed};
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_channel_write(a, "x", 1, sent, 2));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(event));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(fixed));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, mx_channel_write(a, "x", 1, &b, 1));
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, mx_channel_write(a, "x", 1, NULL, 0));
}

PROCESS_TEST(channel_write_that_fails_early_consumes_its_handles)
{
    mx_handle_t a, b, event;

    ASSERT_OK(mx_channel_create(&a, &b));
    ASSERT_OK(mx_event_create(&event));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_channel_write(0x7777, "", 0, &event, 1));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(event));
    ASSERT_OK(mx_event_create(&event));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_channel_write(env.aspace, "", 0, &event, 1));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_handle_close(event));
}

PROCESS_TEST(channel_frees_handles_on_the_way_when_it_dies)
{
    mx_handle_t a, b, event;

    ASSERT_OK(mx_channel_create(&a, &b));
    ASSERT_OK(mx_event_create(&event));
    EXPECT_OK(mx_channel_write(a, "x", 1, &event, 1));
    EXPECT_OK(mx_handle_close(b));
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, mx_channel_write(a, "x", 1, NULL, 0));
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, mx_channel_read(a, NULL, 0, NULL, 0, NULL));
    EXPECT_OK(mx_object_wait_one(a, MX_SIGNAL_PEER_CLOSED, 0, NULL));
}

PROCESS_TEST(channel_messages_outlive_the_end_that_sent_them)
{
    mx_handle_t a, b;
    char byte = 0;

    ASSERT_OK(mx_channel_create(&a, &b));
    EXPECT_OK(mx_channel_write(a, "x", 1, NULL, 0));
    EXPECT_OK(mx_handle_close(a));
    EXPECT_OK(mx_channel_read(b, &byte, 1, NULL, 0, NULL));
    EXPECT_EQ(byte, 'x');
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, mx_channel_read(b, &byte, 1, NULL, 0, NULL));
}

// Each channel's end lies in a message of the one before: closing the first must not need stack for
// each.
PROCESS_TEST(channels_nested_in_messages_end_without_recursion)
{
    static bool was_run; // long: once is enough
    mx_handle_t outer, inner, a, b;

    if (was_run)
        return;
    was_run = true;
    ASSERT_OK(mx_channel_create(&outer, &inner));
    for (unsigned i = 0; i < 3000; i++) {
        ASSERT_OK(mx_channel_create(&a, &b));
        // The end that holds all before goes into a message to b.
        ASSERT_OK(mx_channel_write(a, "x", 1, &inner, 1));
        ASSERT_OK(mx_handle_close(a));
        inner = b;
    }
    EXPECT_OK(mx_handle_close(inner));
    EXPECT_OK(mx_object_wait_one(outer, MX_SIGNAL_PEER_CLOSED, 0, NULL));
}

// --- calls
// ----------------------------------------------------------------------------------------------

static mx_handle_t server_end;

static void answer_two_in_reverse(uint64_t argument, uint64_t unused)
{
    uint32_t requests[2][2], actual[2];

    (void)argument;
    (void)unused;
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_OK(mx_object_wait_one(server_end, MX_SIGNAL_READABLE, MX_TIME_INFINITE, NULL));
        EXPECT_OK(mx_channel_read(server_end, requests[i], 8, NULL, 0, actual));
    }
    for (unsigned i = 2; i-- > 0;) {
        requests[i][1] += 100;
        EXPECT_OK(mx_channel_write(server_end, requests[i], 8, NULL, 0));
    }
}

static mx_status_t call_with(mx_handle_t channel, uint32_t value, uint32_t *answer,
                             mx_time_t deadline)
{
    uint32_t request[2] = {0, value}, reply[2] = {0, 0};
    struct mx_channel_call_args args = {.request_bytes = request,
                                        .request_size_bytes = sizeof(request),
                                        .reply_bytes = reply,
                                        .reply_capacity_bytes = sizeof(reply)};
    mx_status_t status = mx_channel_call(channel, &args, deadline);
    *answer = reply[1];
    return status;
}

static void call_and_expect(uint64_t channel, uint64_t unused)
{
    uint32_t answer;

    (void)unused;
    EXPECT_OK(call_with((mx_handle_t)channel, 2, &answer, MX_TIME_INFINITE));
    EXPECT_EQ(answer, 102);
}

PROCESS_TEST(channel_call_gets_its_own_reply)
{
    mx_handle_t a, caller, server;
    uint32_t answer;

    ASSERT_OK(mx_channel_create(&a, &server_end));
    spawn(answer_two_in_reverse, 0, &server);
    spawn(call_and_expect, a, &caller);
    EXPECT_OK(call_with(a, 1, &answer, MX_TIME_INFINITE));
    EXPECT_EQ(answer, 101);
    join(server);
    join(caller);
}

// Adds 100 to what each request says, until the peer closes.
static void serve_until_closed(uint64_t channel, uint64_t unused)
{
    uint32_t message[2];
    struct mx_channel_serve_args args = {.reply_bytes = message,
                                         .request_bytes = message,
                                         .request_capacity_bytes = sizeof(message)};
    mx_status_t status;

    (void)unused;
    while ((status = mx_channel_serve((mx_handle_t)channel, &args, MX_TIME_INFINITE)) == MX_OK) {
        message[1] += 100;
        args.reply_size_bytes = args.request_size_bytes;
    }
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, status);
}

PROCESS_TEST(channel_serve_answers_call_after_call_of_several_threads)
{
    mx_handle_t a, server, caller;
    uint32_t answer;

    ASSERT_OK(mx_channel_create(&a, &server_end));
    spawn(serve_until_closed, server_end, &server);
    spawn(call_and_expect, a, &caller);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_OK(call_with(a, i, &answer, MX_TIME_INFINITE));
        EXPECT_EQ(answer, i + 100);
    }
    join(caller);
    EXPECT_OK(mx_handle_close(a));
    join(server);
}

PROCESS_TEST(channel_serve_times_out_and_the_next_message_waits_for_a_reader)
{
    mx_handle_t a, b;
    uint32_t request[2], actual[2];
    struct mx_channel_serve_args args = {.request_bytes = request, .request_capacity_bytes = 8};

    ASSERT_OK(mx_channel_create(&a, &b));
    EXPECT_STATUS(MX_ERR_TIMED_OUT,
                  mx_channel_serve(b, &args, mx_clock_get_monotonic() + MX_MSEC(1)));
    EXPECT_OK(mx_channel_write(a, "message", 8, NULL, 0));
    EXPECT_OK(mx_channel_read(b, request, 8, NULL, 0, actual));
    EXPECT_EQ(actual[0], 8);
}

PROCESS_TEST(channel_serve_drops_a_request_that_does_not_fit)
{
    mx_handle_t a, b, event;
    uint32_t request[2];
    struct mx_channel_serve_args args = {.request_bytes = request, .request_capacity_bytes = 8};

    ASSERT_OK(mx_channel_create(&a, &b));
    ASSERT_OK(mx_event_create(&event));
    EXPECT_OK(mx_channel_write(a, "x", 1, &event, 1));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, mx_channel_serve(b, &args, MX_TIME_INFINITE));
    EXPECT_EQ(args.request_handle_count, 1);
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, mx_channel_read(b, request, 8, NULL, 0, NULL));
}

PROCESS_TEST(channel_call_times_out_and_a_late_reply_is_a_message)
{
    mx_handle_t a;
    uint32_t answer, request[2], actual[2];

    ASSERT_OK(mx_channel_create(&a, &server_end));
    mx_time_t deadline = mx_clock_get_monotonic() + MX_MSEC(1);
    EXPECT_STATUS(MX_ERR_TIMED_OUT, call_with(a, 1, &answer, deadline));
    EXPECT_OK(mx_channel_read(server_end, request, 8, NULL, 0, actual));
    EXPECT_OK(mx_channel_write(server_end, request, 8, NULL, 0));
    EXPECT_OK(mx_channel_read(a, request, 8, NULL, 0, actual));
}

static void close_handle(uint64_t handle, uint64_t unused)
{
    (void)unused;
    sleep_for(MX_MSEC(1));
    EXPECT_OK(mx_handle_close((mx_handle_t)handle));
}

PROCESS_TEST(channel_call_ends_when_the_peer_closes)
{
    mx_handle_t a;
    uint32_t answer;

    ASSERT_OK(mx_channel_create(&a, &server_end));
    spawn(close_handle, server_end, NULL);
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, call_with(a, 1, &answer, MX_TIME_INFINITE));
}

static void answer_with_handle(uint64_t argument, uint64_t unused)
{
    uint32_t request[2], actual[2];
    mx_handle_t event;

    (void)argument;
    (void)unused;
    EXPECT_OK(mx_object_wait_one(server_end, MX_SIGNAL_READABLE, MX_TIME_INFINITE, NULL));
    EXPECT_OK(mx_channel_read(server_end, request, 8, NULL, 0, actual));
    EXPECT_OK(mx_event_create(&event));
    EXPECT_OK(mx_channel_write(server_end, request, 8, &event, 1));
}

PROCESS_TEST(channel_call_reply_that_does_not_fit_is_dropped_with_its_handles)
{
    mx_handle_t a;
    uint32_t answer;

    ASSERT_OK(mx_channel_create(&a, &server_end));
    spawn(answer_with_handle, 0, NULL);
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, call_with(a, 1, &answer, MX_TIME_INFINITE));
}

PROCESS_TEST(channel_call_needs_room_for_its_transaction)
{
    mx_handle_t a, b;
    char byte = 0;
    struct mx_channel_call_args args = {.request_bytes = &byte, .request_size_bytes = 1};

    ASSERT_OK(mx_channel_create(&a, &b));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_channel_call(a, &args, MX_TIME_INFINITE));
}

// A failed write of the first result must not leave the second handle behind, of which the caller
// knows nothing.
PROCESS_TEST(pair_creation_with_a_bad_pointer_leaves_no_handle)
{
    struct mx_info_process before, after;
    uaddr_t bad = 0x5000;

    EXPECT_OK(mx_object_get_info(env.self, MX_INFO_PROCESS, &before, sizeof(before), NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, HOST_SYSCALL(sys_channel_create(bad, scratch(0))));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, HOST_SYSCALL(sys_channel_create(scratch(0), bad)));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, HOST_SYSCALL(sys_stream_create(bad, scratch(0))));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, HOST_SYSCALL(sys_stream_create(scratch(0), bad)));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  HOST_SYSCALL(sys_process_create(env.job_handle, scratch(0), 1, bad, scratch(0))));
    EXPECT_OK(mx_object_get_info(env.self, MX_INFO_PROCESS, &after, sizeof(after), NULL));
    EXPECT_EQ(after.handle_count, before.handle_count);
}

// --- streams
// --------------------------------------------------------------------------------------------

PROCESS_TEST(stream_carries_bytes_and_says_when_it_is_full)
{
    mx_handle_t a, b;
    static char out[20000], in[20000];
    size_t written, read, total = 0;

    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (char)(i * 7);
    ASSERT_OK(mx_stream_create(&a, &b));
    EXPECT_OK(mx_stream_write(a, out, sizeof(out), &written));
    EXPECT_LT(written, sizeof(out));
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, mx_stream_write(a, out, 1, &read));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_one(a, MX_SIGNAL_WRITABLE, 0, NULL));
    while (total < written) {
        ASSERT_OK(mx_stream_read(b, in + total, 777, &read));
        total += read;
    }
    EXPECT_BYTES_EQ(in, out, written);
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, mx_stream_read(b, in, 1, &read));
    EXPECT_OK(mx_object_wait_one(a, MX_SIGNAL_WRITABLE, 0, NULL));
    EXPECT_OK(mx_stream_write(a, out, 3, &written));
    EXPECT_OK(mx_handle_close(a));
    EXPECT_OK(mx_stream_read(b, in, 10, &read));
    EXPECT_EQ(read, 3);
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, mx_stream_read(b, in, 10, &read));
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, mx_stream_write(b, in, 10, &written));
}
