// The device process' side of a virtio device: see device_host.h.

#include "vmm/virtio/device_host.h"

#include <string.h>

uint64_t device_host_features(const struct device_host *host)
{
    return host->device->ops->features(host->device) | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX |
           VIRTIO_F_VERSION_1;
}

static void host_raise(void *context, uint16_t source)
{
    const struct device_host *host = context;
    host->ops->raise_interrupt(host->context, source);
}

static void stop_queues(struct device_host *host)
{
    for (unsigned i = 0; i < host->device->queue_count; i++)
        virtqueue_stop(&host->queues[i]);
    host->pending_queues = 0;
    host->is_ready = false;
}

static void host_reset(struct device_host *host)
{
    stop_queues(host);
    host->is_broken = false;
    host->device->driver_features = 0;
    host->device->ops->reset(host->device);
}

void device_host_init(struct device_host *host, struct virtio_device *device,
                      const struct guest_memory *memory, const struct device_host_ops *ops,
                      void *context)
{
    memset(host, 0, sizeof(*host));
    host->device = device;
    host->memory = memory;
    host->ops = ops;
    host->context = context;
    device->queues = host->queues;
    device->raise_interrupt = host_raise;
    device->context = host;
    host_reset(host);
}

// --- doorbells
// --------------------------------------------------------------------------------------

static void report_broken(struct device_host *host)
{
    const struct virtio_message_header event = virtio_message_header_of(VIRTIO_EVENT_NEEDS_RESET);

    stop_queues(host);
    host->is_broken = true;
    host->ops->send_event(host->context, &event, sizeof(event));
}

static void work_on_queue(struct device_host *host, unsigned queue_index)
{
    const uint64_t bit = UINT64_C(1) << queue_index;
    const enum virtio_progress progress =
        host->device->ops->queue_notify(host->device, queue_index, DEVICE_HOST_BUDGET);

    host->pending_queues &= ~bit;
    if (host->queues[queue_index].is_broken)
        report_broken(host);
    else if (progress == VIRTIO_MORE)
        host->pending_queues |= bit;
}

bool device_host_doorbell(struct device_host *host, unsigned queue_index)
{
    if (host->is_ready && queue_index < host->device->queue_count &&
        virtqueue_is_running(&host->queues[queue_index]))
        work_on_queue(host, queue_index);
    return host->pending_queues != 0;
}

bool device_host_continue(struct device_host *host)
{
    for (unsigned i = 0; i < host->device->queue_count; i++) {
        if (host->pending_queues & (UINT64_C(1) << i))
            device_host_doorbell(host, i);
    }
    return host->pending_queues != 0;
}

void device_host_config_changed(struct device_host *host)
{
    struct virtio_event_config_changed event = {
        .header = virtio_message_header_of(VIRTIO_EVENT_CONFIG_CHANGED),
        .config_bytes = host->device->config_bytes,
    };

    host->device->ops->config_read(host->device, event.config);
    host->ops->send_event(host->context, &event, sizeof(event));
    if (host->is_ready)
        host->ops->raise_interrupt(host->context, VIRTIO_SOURCE_CONFIG);
}

// --- messages
// ---------------------------------------------------------------------------------------

static mx_status_t handle_start(struct device_host *host, const struct virtio_message_start *start,
                                struct virtio_reply *reply)
{
    const struct virtio_device *device = host->device;

    if (start->version != VIRTIO_PROTOCOL_VERSION)
        return MX_ERR_NOT_SUPPORTED;
    if (host->is_started)
        return MX_ERR_BAD_STATE;
    host->is_started = true;
    reply->device_type = device->type;
    reply->queue_count = device->queue_count;
    reply->queue_size_max = device->queue_size_max;
    reply->config_bytes = device->config_bytes;
    reply->features = device_host_features(host);
    device->ops->config_read(device, reply->config);
    return MX_OK;
}

static mx_status_t handle_queue_start(struct device_host *host,
                                      const struct virtio_message_queue_start *start)
{
    const struct virtqueue_layout layout = {
        .size = start->size,
        .descriptors = start->descriptors,
        .available = start->available,
        .used = start->used,
    };

    if (host->is_ready || host->is_broken)
        return MX_ERR_BAD_STATE;
    if (start->queue_index >= host->device->queue_count ||
        start->size > host->device->queue_size_max)
        return MX_ERR_OUT_OF_RANGE;
    struct virtqueue *queue = &host->queues[start->queue_index];
    if (virtqueue_is_running(queue))
        return MX_ERR_BAD_STATE;
    return virtqueue_start(queue, host->memory, &layout);
}

static mx_status_t handle_ready(struct device_host *host, uint64_t features)
{
    if (host->is_ready || host->is_broken)
        return MX_ERR_BAD_STATE;
    if ((features & ~device_host_features(host)) != 0 || !(features & VIRTIO_F_VERSION_1))
        return MX_ERR_OUT_OF_RANGE;
    host->device->driver_features = features;
    host->is_ready = true;
    for (unsigned i = 0; i < host->device->queue_count; i++) {
        virtqueue_set_features(&host->queues[i], (features & VIRTIO_F_INDIRECT_DESC) != 0,
                               (features & VIRTIO_F_EVENT_IDX) != 0);
        // Another vCPU may have rung before this message came; its chains must not wait.
        if (virtqueue_is_running(&host->queues[i]))
            host->pending_queues |= UINT64_C(1) << i;
    }
    return MX_OK;
}

static mx_status_t handle_config_write(struct device_host *host,
                                       const struct virtio_message_config_write *write)
{
    struct virtio_device *device = host->device;

    if (write->offset >= device->config_bytes ||
        write->size_bytes > device->config_bytes - write->offset)
        return MX_ERR_OUT_OF_RANGE;
    if (device->ops->config_write)
        device->ops->config_write(device, write->offset, write->bytes, write->size_bytes);
    return MX_OK;
}

static mx_status_t handle_queue_notify(struct device_host *host, uint32_t queue_index)
{
    if (!host->is_ready)
        return MX_ERR_BAD_STATE;
    if (queue_index >= host->device->queue_count)
        return MX_ERR_OUT_OF_RANGE;
    if (virtqueue_is_running(&host->queues[queue_index]))
        host->pending_queues |= UINT64_C(1) << queue_index;
    return MX_OK;
}

static mx_status_t handle_request(struct device_host *host, const union virtio_message *message,
                                  struct virtio_reply *reply)
{
    if (message->header.kind == VIRTIO_MESSAGE_START)
        return handle_start(host, &message->start, reply);
    if (!host->is_started)
        return MX_ERR_BAD_STATE;
    switch (message->header.kind) {
    case VIRTIO_MESSAGE_QUEUE_START:
        return handle_queue_start(host, &message->queue_start);
    case VIRTIO_MESSAGE_READY:
        return handle_ready(host, message->ready.features);
    case VIRTIO_MESSAGE_RESET:
        host_reset(host);
        return MX_OK;
    case VIRTIO_MESSAGE_CONFIG_WRITE:
        return handle_config_write(host, &message->config_write);
    case VIRTIO_MESSAGE_QUEUE_NOTIFY:
        return handle_queue_notify(host, message->queue_notify.queue_index);
    case VIRTIO_MESSAGE_RAISE_CONFIG:
        host->ops->raise_interrupt(host->context, VIRTIO_SOURCE_CONFIG);
        return MX_OK;
    default:
        return MX_ERR_NOT_SUPPORTED;
    }
}

void device_host_handle_message(struct device_host *host, const void *message, size_t size_bytes,
                                struct virtio_reply *reply)
{
    union virtio_message decoded;

    memset(reply, 0, sizeof(*reply));
    mx_status_t status = virtio_message_decode(message, size_bytes, &decoded);
    if (status == MX_OK)
        status = handle_request(host, &decoded, reply);
    reply->header.kind = decoded.header.kind;
    reply->header.size_bytes = sizeof(*reply);
    reply->status = status;
}
