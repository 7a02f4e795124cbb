// The side of keyboards' drivers; see machina_user/keyboard.h.

#include <machina_user/keyboard.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>
#include <machina_user/stream.h>

mx_status_t keyboard_connect(mx_handle_t *stream)
{
    mx_handle_t service = startup_handle_look(MX_STARTUP_SERVICE, MX_SERVICE_KEYBOARDS);
    struct keyboard_connect message = {.operation = KEYBOARD_CONNECT};
    mx_handle_t other;
    mx_status_t status;

    if (service == MX_HANDLE_INVALID)
        return MX_ERR_BAD_STATE;
    status = mx_stream_create(stream, &other);
    if (status != MX_OK)
        return status;
    status = mx_channel_write(service, &message, sizeof(message), &other, 1);
    if (status != MX_OK)
        handle_close(*stream);
    return status;
}

mx_status_t keyboard_send(mx_handle_t stream, const struct keyboard_event *events, size_t count)
{
    return stream_write_all(stream, events, count * sizeof(*events));
}
