// The side of keyboards' drivers; see machina_user/keyboard.h.

#include <machina_user/keyboard.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>
#include <machina_user/stream.h>

// Gives the screen one of two ends; *ours is the other, and closed if the screen does not get its
// own.
static mx_status_t give(mx_handle_t service, uint32_t operation, mx_handle_t theirs,
                        mx_handle_t *ours)
{
    const struct keyboard_connect message = {.operation = operation};
    const mx_status_t status = mx_channel_write(service, &message, sizeof(message), &theirs, 1);

    if (status != MX_OK)
        handle_close(*ours);
    return status;
}

mx_status_t keyboard_connect(mx_handle_t *stream)
{
    const mx_handle_t service = startup_handle_look(MX_STARTUP_SERVICE, MX_SERVICE_KEYBOARDS);
    mx_handle_t theirs;

    if (service == MX_HANDLE_INVALID)
        return MX_ERR_BAD_STATE;
    const mx_status_t status = mx_stream_create(stream, &theirs);
    return status == MX_OK ? give(service, KEYBOARD_CONNECT, theirs, stream) : status;
}

static mx_status_t add_channel(mx_handle_t service, uint32_t operation, mx_handle_t *channel)
{
    mx_handle_t theirs;
    const mx_status_t status = mx_channel_create(channel, &theirs);

    return status == MX_OK ? give(service, operation, theirs, channel) : status;
}

mx_status_t keyboard_add_driver(mx_handle_t service, mx_handle_t *channel)
{
    return add_channel(service, KEYBOARD_ADD_DRIVER, channel);
}

mx_status_t keyboard_add_manager(mx_handle_t service, mx_handle_t *channel)
{
    return add_channel(service, KEYBOARD_ADD_MANAGER, channel);
}

mx_status_t keyboard_send(mx_handle_t stream, const struct keyboard_event *events, size_t count)
{
    return stream_write_all(stream, events, count * sizeof(*events));
}
