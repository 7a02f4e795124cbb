// Talking to the guest manager; see manager_link.h.
#include "vmm/monitor/manager_link.h"

#include <stdio.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>

#define CALL_TIMEOUT   MX_SEC(10)
#define LAUNCH_TIMEOUT MX_SEC(10)

static bool launch_is_sound(const struct manager_launch *launch, size_t size_bytes)
{
    const size_t bytes = launch->header.override_bytes;
    size_t string_count = 0;

    if (size_bytes < sizeof(launch->header) || launch->header.header.kind != VMM_LAUNCH ||
        bytes != size_bytes - sizeof(launch->header) ||
        (bytes > 0 && launch->overrides[bytes - 1] != '\0'))
        return false;
    for (size_t i = 0; i < bytes; i++)
        string_count += launch->overrides[i] == '\0';
    return string_count == 2 * (size_t)launch->header.override_count;
}

mx_status_t manager_wait_for_launch(struct guest *guest, struct manager_launch *launch)
{
    uint32_t actual[2] = {0, 0};
    mx_status_t status =
        mx_object_wait_one(guest->manager, MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED,
                           mx_clock_get_monotonic() + LAUNCH_TIMEOUT, NULL);

    if (status == MX_OK)
        status = mx_channel_read(guest->manager, launch, sizeof(*launch), NULL, 0, actual);
    if (status == MX_OK && !launch_is_sound(launch, actual[0]))
        status = MX_ERR_IO_DATA_INTEGRITY;
    return status;
}

const char *manager_next_override(const struct manager_launch *launch, size_t *at,
                                  const char **value)
{
    const char *key = launch->overrides + *at;

    if (*at >= launch->header.override_bytes)
        return NULL;
    *value = key + strlen(key) + 1;
    *at = (size_t)(*value - launch->overrides) + strlen(*value) + 1;
    return key;
}

// A call; `handle` gets what comes with the reply, or MX_HANDLE_INVALID. The status is the
// manager's.
static mx_status_t call(struct guest *guest, void *request, size_t request_bytes,
                        struct vmm_reply *reply, mx_handle_t *handle)
{
    struct mx_channel_call_args args = {.request_bytes = request,
                                        .reply_bytes = reply,
                                        .reply_handles = handle,
                                        .request_size_bytes = (uint32_t)request_bytes,
                                        .reply_capacity_bytes = sizeof(*reply),
                                        .reply_handle_capacity = 1};

    *handle = MX_HANDLE_INVALID;
    reply->message[0] = '\0';
    mx_status_t status =
        mx_channel_call(guest->manager, &args, mx_clock_get_monotonic() + CALL_TIMEOUT);
    if (status != MX_OK)
        return status;
    if (args.reply_size_bytes != sizeof(*reply))
        return MX_ERR_IO_DATA_INTEGRITY;
    reply->message[sizeof(reply->message) - 1] = '\0';
    return reply->status;
}

mx_status_t manager_open(struct guest *guest, enum vmm_file_kind kind, const char *path,
                         bool is_writable, struct manager_file *file)
{
    struct vmm_open request = {
        .header.kind = VMM_OPEN, .file_kind = kind, .is_writable = is_writable};
    struct vmm_reply reply;

    file->reason[0] = '\0';
    if (strlen(path) >= sizeof(request.path))
        return MX_ERR_BAD_PATH;
    memcpy(request.path, path, strlen(path) + 1);
    mx_status_t status = call(guest, &request, sizeof(request), &reply, &file->handle);
    if (status == MX_OK && file->handle == MX_HANDLE_INVALID)
        status = MX_ERR_IO_DATA_INTEGRITY;
    file->size_bytes = reply.size_bytes;
    file->is_extent = reply.is_extent != 0;
    memcpy(file->reason, reply.message, sizeof(file->reason));
    return status;
}

mx_status_t manager_reserve(struct guest *guest, uint64_t extra_bytes, char *message,
                            size_t message_bytes)
{
    struct vmm_reserve request = {.header.kind = VMM_RESERVE,
                                  .memory_bytes = guest->config.memory_bytes,
                                  .extra_bytes = extra_bytes,
                                  .cpu_count = guest->config.cpu_count,
                                  .has_console = guest->config.has_console};
    struct vmm_reply reply;
    mx_handle_t nothing;
    const mx_status_t status = call(guest, &request, sizeof(request), &reply, &nothing);

    handle_close(nothing);
    if (status != MX_OK)
        snprintf(message, message_bytes, "%s",
                 reply.message[0] ? reply.message : mx_status_string(status));
    return status;
}

mx_status_t manager_tell_running(struct guest *guest)
{
    const struct vmm_header event = {.kind = VMM_RUNNING};
    mx_handle_t view;
    const mx_status_t status =
        mx_handle_duplicate(guest->handle, MX_RIGHT_INSPECT | MX_RIGHT_TRANSFER, &view);

    return status == MX_OK ? mx_channel_write(guest->manager, &event, sizeof(event), &view, 1)
                           : status;
}

void manager_tell_ended(struct guest *guest, mx_handle_t serial)
{
    // If it cannot be sent the manager sees the process end, and says so in its list.
    (void)!mx_channel_write(guest->manager, &guest->end, sizeof(guest->end), &serial,
                            serial != MX_HANDLE_INVALID ? 1 : 0);
}

mx_status_t manager_read_command(struct guest *guest, struct vmm_attach *command,
                                 mx_handle_t *stream)
{
    uint32_t actual[2];

    *stream = MX_HANDLE_INVALID;
    *command = (struct vmm_attach){.terminal = VMM_TERMINAL_SERIAL};
    mx_status_t status =
        mx_channel_read(guest->manager, command, sizeof(*command), stream, 1, actual);
    if (status == MX_OK && actual[0] < sizeof(command->header)) {
        handle_close(*stream);
        status = MX_ERR_IO_DATA_INTEGRITY;
    }
    return status;
}
