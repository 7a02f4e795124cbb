// Requests to disks; see block_client.h.
#include <machina_user/block_client.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>

// Longer than a driver waits for its device.
#define CALL_TIMEOUT MX_SEC(60)

static uint32_t size_of(const struct block_message *message)
{
    return (uint32_t)(sizeof(message->request) +
                      message->request.segment_count * sizeof(message->segments[0]));
}

static mx_status_t call(mx_handle_t channel, struct block_message *message, mx_handle_t handle,
                        struct block_reply *reply)
{
    struct mx_channel_call_args args = {
        .request_bytes = message,
        .request_handles = &handle,
        .reply_bytes = reply,
        .request_size_bytes = size_of(message),
        .request_handle_count = handle != MX_HANDLE_INVALID,
        .reply_capacity_bytes = sizeof(*reply),
    };
    mx_status_t status = mx_channel_call(channel, &args, mx_clock_get_monotonic() + CALL_TIMEOUT);

    if (status != MX_OK)
        return status;
    return args.reply_size_bytes == sizeof(*reply) ? reply->status : MX_ERR_IO_DATA_INTEGRITY;
}

mx_status_t block_client_open(struct block_client *client, mx_handle_t channel)
{
    struct block_message message = {.request = {.operation = BLOCK_INFO}};
    struct block_reply reply;
    mx_status_t status = call(channel, &message, MX_HANDLE_INVALID, &reply);

    if (status != MX_OK)
        return status;
    if (reply.block_bytes < 512 || (reply.block_bytes & (reply.block_bytes - 1)) != 0 ||
        reply.transfer_bytes < reply.block_bytes || reply.size_bytes % reply.block_bytes != 0)
        return MX_ERR_IO_DATA_INTEGRITY;
    *client = (struct block_client){channel, reply.size_bytes, reply.block_bytes,
                                    reply.transfer_bytes & ~(reply.block_bytes - 1),
                                    reply.is_read_only != 0};
    return MX_OK;
}

mx_status_t block_client_attach(struct block_client *client, mx_handle_t vmo, uint32_t *memory)
{
    struct block_message message = {.request = {.operation = BLOCK_ATTACH}};
    struct block_reply reply;
    mx_handle_t copy;
    mx_status_t status = mx_handle_duplicate(
        vmo, MX_RIGHT_READ | MX_RIGHT_WRITE | MX_RIGHT_INSPECT | MX_RIGHT_TRANSFER, &copy);

    if (status == MX_OK)
        status = call(client->channel, &message, copy, &reply);
    if (status == MX_OK)
        *memory = reply.memory;
    return status;
}

mx_status_t block_client_split(struct block_client *client, uint64_t offset, uint64_t size_bytes,
                               uint32_t flags, mx_handle_t *channel)
{
    struct block_message message = {
        .request = {
            .operation = BLOCK_OPEN, .offset = offset, .size_bytes = size_bytes, .flags = flags}};
    struct block_reply reply;
    mx_handle_t theirs;
    mx_status_t status = mx_channel_create(channel, &theirs);

    if (status != MX_OK)
        return status;
    status = call(client->channel, &message, theirs, &reply);
    if (status != MX_OK)
        handle_close(*channel);
    return status;
}

static void fill_in(struct block_message *message, enum block_operation operation,
                    uint32_t transaction, uint64_t offset, uint32_t segment_count)
{
    message->request = (struct block_request){.transaction = transaction,
                                              .operation = operation,
                                              .offset = offset,
                                              .segment_count = segment_count};
    for (uint32_t i = 0; i < segment_count; i++)
        message->request.size_bytes += message->segments[i].size_bytes;
}

mx_status_t block_client_transfer(struct block_client *client, struct block_message *message,
                                  enum block_operation operation, uint64_t offset,
                                  uint32_t segment_count)
{
    struct block_reply reply;

    fill_in(message, operation, 0, offset, segment_count);
    return call(client->channel, message, MX_HANDLE_INVALID, &reply);
}

mx_status_t block_client_send(struct block_client *client, struct block_message *message,
                              enum block_operation operation, uint32_t transaction, uint64_t offset,
                              uint32_t segment_count)
{
    fill_in(message, operation, transaction, offset, segment_count);
    return mx_channel_write(client->channel, message, size_of(message), NULL, 0);
}

mx_status_t block_client_receive(struct block_client *client, uint32_t *transaction,
                                 mx_status_t *result)
{
    struct block_reply reply;
    uint32_t actual[2];
    mx_status_t status = mx_channel_read(client->channel, &reply, sizeof(reply), NULL, 0, actual);

    if (status != MX_OK)
        return status;
    if (actual[0] != sizeof(reply))
        return MX_ERR_IO_DATA_INTEGRITY;
    *transaction = reply.transaction;
    *result = reply.status;
    return MX_OK;
}

mx_status_t block_client_flush(struct block_client *client)
{
    struct block_message message;

    return block_client_transfer(client, &message, BLOCK_FLUSH, 0, 0);
}

mx_status_t block_client_copy(struct block_client *client, enum block_operation operation,
                              uint64_t offset, uint64_t size_bytes, uint32_t memory,
                              uint64_t memory_offset)
{
    struct block_message message;

    while (size_bytes != 0) {
        uint32_t part =
            size_bytes < client->transfer_bytes ? (uint32_t)size_bytes : client->transfer_bytes;

        message.segments[0] = (struct block_segment){memory_offset, part, memory};
        mx_status_t status = block_client_transfer(client, &message, operation, offset, 1);
        if (status != MX_OK)
            return status;
        offset += part;
        memory_offset += part;
        size_bytes -= part;
    }
    return MX_OK;
}
