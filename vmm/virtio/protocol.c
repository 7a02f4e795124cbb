// Messages between the VMM and a device process: see protocol.h.

#include "vmm/virtio/protocol.h"

#include <string.h>

static uint32_t size_of_kind(uint32_t kind)
{
    switch (kind) {
    case VIRTIO_MESSAGE_START:
        return sizeof(struct virtio_message_start);
    case VIRTIO_MESSAGE_QUEUE_START:
        return sizeof(struct virtio_message_queue_start);
    case VIRTIO_MESSAGE_READY:
        return sizeof(struct virtio_message_ready);
    case VIRTIO_MESSAGE_CONFIG_WRITE:
        return sizeof(struct virtio_message_config_write);
    case VIRTIO_MESSAGE_QUEUE_NOTIFY:
        return sizeof(struct virtio_message_queue_notify);
    case VIRTIO_MESSAGE_RESET:
    case VIRTIO_MESSAGE_RAISE_CONFIG:
    case VIRTIO_EVENT_NEEDS_RESET:
        return sizeof(struct virtio_message_header);
    case VIRTIO_EVENT_CONFIG_CHANGED:
        return sizeof(struct virtio_event_config_changed);
    case VIRTIO_EVENT_INTERRUPT:
        return sizeof(struct virtio_event_interrupt);
    default:
        return 0;
    }
}

struct virtio_message_header virtio_message_header_of(enum virtio_message_kind kind)
{
    return (struct virtio_message_header){kind, size_of_kind(kind)};
}

static bool config_write_is_valid(const struct virtio_message_config_write *write)
{
    const uint32_t size = write->size_bytes;
    return size != 0 && size <= sizeof(write->bytes) && (size & (size - 1)) == 0 &&
           write->offset < VIRTIO_CONFIG_BYTES_MAX &&
           size <= VIRTIO_CONFIG_BYTES_MAX - write->offset;
}

static bool fields_are_valid(const union virtio_message *message)
{
    switch (message->header.kind) {
    case VIRTIO_MESSAGE_QUEUE_START:
        return message->queue_start.queue_index < VIRTIO_QUEUES_MAX;
    case VIRTIO_MESSAGE_QUEUE_NOTIFY:
        return message->queue_notify.queue_index < VIRTIO_QUEUES_MAX;
    case VIRTIO_MESSAGE_CONFIG_WRITE:
        return config_write_is_valid(&message->config_write);
    case VIRTIO_EVENT_INTERRUPT:
        return message->interrupt.source < VIRTIO_QUEUES_MAX ||
               message->interrupt.source == VIRTIO_SOURCE_CONFIG;
    case VIRTIO_EVENT_CONFIG_CHANGED:
        return message->config_changed.config_bytes <= VIRTIO_CONFIG_BYTES_MAX;
    default:
        return true;
    }
}

mx_status_t virtio_message_decode(const void *bytes, size_t size_bytes,
                                  union virtio_message *message)
{
    struct virtio_message_header header;

    memset(message, 0, sizeof(*message));
    if (size_bytes < sizeof(header))
        return MX_ERR_INVALID_ARGS;
    memcpy(&header, bytes, sizeof(header));
    const uint32_t expected_bytes = size_of_kind(header.kind);
    if (expected_bytes == 0 || header.size_bytes != expected_bytes || size_bytes != expected_bytes)
        return MX_ERR_INVALID_ARGS;
    memcpy(message, bytes, size_bytes);
    return fields_are_valid(message) ? MX_OK : MX_ERR_OUT_OF_RANGE;
}

static bool description_is_valid(const struct virtio_reply *reply)
{
    const uint16_t size = reply->queue_size_max;
    return reply->queue_count != 0 && reply->queue_count <= VIRTIO_QUEUES_MAX && size != 0 &&
           size <= VIRTQUEUE_SIZE_MAX && (size & (size - 1)) == 0 &&
           reply->config_bytes <= VIRTIO_CONFIG_BYTES_MAX && (reply->features & VIRTIO_F_VERSION_1);
}

mx_status_t virtio_reply_decode(const void *bytes, size_t size_bytes, enum virtio_message_kind kind,
                                struct virtio_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
    if (size_bytes != sizeof(*reply))
        return MX_ERR_INVALID_ARGS;
    memcpy(reply, bytes, sizeof(*reply));
    if (reply->header.kind != kind || reply->header.size_bytes != sizeof(*reply) ||
        reply->status > 0)
        return MX_ERR_INVALID_ARGS;
    if (reply->status == MX_OK && kind == VIRTIO_MESSAGE_START && !description_is_valid(reply))
        return MX_ERR_OUT_OF_RANGE;
    return reply->status;
}
