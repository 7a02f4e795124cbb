// Requests to the guest manager; see machina_user/guest_client.h.

#include <machina_user/guest_client.h>

#include <stdbool.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>

// Launching checks files and gets memory; everything else is quick.
#define CALL_TIMEOUT MX_SEC(60)

static union guest_client_reply reply_buffer;

// Whether `bytes` hold a list of `count` elements behind its head, with at most `max` of them.
static bool is_list_whole(size_t bytes, size_t head_bytes, size_t element_bytes, uint32_t count,
                          uint32_t max)
{
    return count <= max && bytes >= head_bytes + count * element_bytes;
}

static bool is_list_reply_sound(struct guest_list_reply *list, size_t bytes)
{
    if (!is_list_whole(bytes, offsetof(struct guest_list_reply, entries), sizeof(list->entries[0]),
                       list->count, GUEST_LIST_MAX))
        return false;
    for (uint32_t i = 0; i < list->count; i++) {
        list->entries[i].package[GUEST_NAME_SIZE - 1] = '\0';
        list->entries[i].reason[GUEST_REASON_SIZE - 1] = '\0';
    }
    return true;
}

static bool is_packages_reply_sound(struct guest_packages_reply *packages, size_t bytes)
{
    if (!is_list_whole(bytes, offsetof(struct guest_packages_reply, names),
                       sizeof(packages->names[0]), packages->count, GUEST_PACKAGES_MAX))
        return false;
    for (uint32_t i = 0; i < packages->count; i++)
        packages->names[i][GUEST_NAME_SIZE - 1] = '\0';
    return true;
}

static bool is_reply_sound(uint32_t operation, size_t bytes)
{
    if (bytes < sizeof(struct guest_reply))
        return false;
    reply_buffer.header.message[GUEST_MESSAGE_SIZE - 1] = '\0';
    if (reply_buffer.header.status != MX_OK)
        return true;
    if (operation == GUEST_LIST)
        return is_list_reply_sound(&reply_buffer.list, bytes);
    if (operation == GUEST_PACKAGES)
        return is_packages_reply_sound(&reply_buffer.packages, bytes);
    if (operation == GUEST_STATS)
        return is_list_whole(bytes, offsetof(struct guest_stats_reply, vcpus),
                             sizeof(reply_buffer.stats.vcpus[0]), reply_buffer.stats.count,
                             MX_GUEST_MAX_VCPUS);
    return true;
}

mx_status_t guest_client_call(mx_handle_t manager, void *request, size_t request_bytes,
                              union guest_client_reply **reply, mx_handle_t *stream)
{
    mx_handle_t handle = MX_HANDLE_INVALID;
    struct mx_channel_call_args args = {
        .request_bytes = request,
        .reply_bytes = &reply_buffer,
        .reply_handles = &handle,
        .request_size_bytes = (uint32_t)request_bytes,
        .reply_capacity_bytes = sizeof(reply_buffer),
        .reply_handle_capacity = 1,
    };
    mx_status_t status;

    reply_buffer.header.message[0] = '\0';
    *reply = &reply_buffer;
    if (manager == MX_HANDLE_INVALID)
        return MX_ERR_BAD_STATE;
    status = mx_channel_call(manager, &args, mx_clock_get_monotonic() + CALL_TIMEOUT);
    if (status != MX_OK)
        return status;
    if (args.reply_handle_count == 0)
        handle = MX_HANDLE_INVALID;
    status = is_reply_sound(((struct guest_request *)request)->operation, args.reply_size_bytes)
                 ? reply_buffer.header.status
                 : MX_ERR_IO_DATA_INTEGRITY;
    if (status == MX_OK && stream && handle == MX_HANDLE_INVALID)
        status = MX_ERR_IO_DATA_INTEGRITY;
    if (status == MX_OK && stream)
        *stream = handle;
    else
        handle_close(handle);
    return status;
}

mx_status_t guest_client_connect(mx_handle_t manager, mx_handle_t *channel)
{
    struct guest_request request = {.operation = GUEST_CONNECT};
    mx_handle_t server;
    mx_status_t status;

    if (manager == MX_HANDLE_INVALID)
        return MX_ERR_BAD_STATE;
    status = mx_channel_create(channel, &server);
    if (status != MX_OK)
        return status;
    status = mx_channel_write(manager, &request, sizeof(request), &server, 1);
    if (status != MX_OK)
        handle_close(*channel);
    return status;
}
