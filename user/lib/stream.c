// Whole reads and writes on streams; see machina_user/stream.h.

#include <machina_user/stream.h>

#include <machina/syscalls.h>

mx_status_t stream_write_all(mx_handle_t stream, const void *bytes, size_t size_bytes)
{
    const char *at = bytes;

    while (size_bytes > 0) {
        size_t written = 0;
        mx_status_t status = mx_stream_write(stream, at, size_bytes, &written);
        if (status == MX_ERR_SHOULD_WAIT)
            status = mx_object_wait_one(stream, MX_SIGNAL_WRITABLE | MX_SIGNAL_PEER_CLOSED,
                                        MX_TIME_INFINITE, NULL);
        if (status != MX_OK)
            return status;
        at += written;
        size_bytes -= written;
    }
    return MX_OK;
}

mx_status_t stream_read_some(mx_handle_t stream, void *bytes, size_t capacity_bytes,
                             mx_time_t deadline, size_t *actual_bytes)
{
    for (;;) {
        mx_status_t status = mx_stream_read(stream, bytes, capacity_bytes, actual_bytes);
        if (status != MX_ERR_SHOULD_WAIT)
            return status;
        status =
            mx_object_wait_one(stream, MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, deadline, NULL);
        if (status != MX_OK)
            return status;
    }
}
