// A virtio device under test: in a device_host, brought up by the messages that the VMM would send,
// with one software driver per queue.
#pragma once

#include "tests/unit/virtqueue_driver.h"
#include "vmm/virtio/device_host.h"

#define FIXTURE_QUEUES_MAX 4u

struct virtio_fixture {
    struct device_host host;
    struct virtqueue_driver queues[FIXTURE_QUEUES_MAX];
    unsigned queue_count;
    unsigned interrupt_counts[FIXTURE_QUEUES_MAX];
    unsigned config_interrupt_count;
    unsigned event_count;
    union virtio_message last_event;
    struct virtio_reply reply;
};

static inline void fixture_raise(void *context, uint16_t source)
{
    struct virtio_fixture *fixture = context;
    if (source < FIXTURE_QUEUES_MAX)
        fixture->interrupt_counts[source]++;
    else
        fixture->config_interrupt_count++;
}

static inline void fixture_event(void *context, const void *message, size_t size_bytes)
{
    struct virtio_fixture *fixture = context;
    fixture->event_count++;
    if (virtio_message_decode(message, size_bytes, &fixture->last_event))
        abort();
}

static const struct device_host_ops fixture_ops = {.raise_interrupt = fixture_raise,
                                                   .send_event = fixture_event};

// Sends a message and returns the status of the answer.
static inline mx_status_t fixture_send(struct virtio_fixture *fixture, const void *message,
                                       size_t size_bytes)
{
    device_host_handle_message(&fixture->host, message, size_bytes, &fixture->reply);
    return fixture->reply.status;
}

static inline mx_status_t fixture_send_bare(struct virtio_fixture *fixture,
                                            enum virtio_message_kind kind)
{
    const struct virtio_message_header message = virtio_message_header_of(kind);
    return fixture_send(fixture, &message, sizeof(message));
}

static inline mx_status_t fixture_send_start(struct virtio_fixture *fixture)
{
    const struct virtio_message_start message = {virtio_message_header_of(VIRTIO_MESSAGE_START),
                                                 VIRTIO_PROTOCOL_VERSION, 0};
    return fixture_send(fixture, &message, sizeof(message));
}

static inline mx_status_t fixture_send_queue_start(struct virtio_fixture *fixture, unsigned index)
{
    const struct virtqueue_layout *layout = &fixture->queues[index].layout;
    const struct virtio_message_queue_start message = {
        .header = virtio_message_header_of(VIRTIO_MESSAGE_QUEUE_START),
        .queue_index = (uint16_t)index,
        .size = layout->size,
        .descriptors = layout->descriptors,
        .available = layout->available,
        .used = layout->used,
    };
    return fixture_send(fixture, &message, sizeof(message));
}

static inline mx_status_t fixture_send_ready(struct virtio_fixture *fixture, uint64_t features)
{
    const struct virtio_message_ready message = {virtio_message_header_of(VIRTIO_MESSAGE_READY),
                                                 features | VIRTIO_F_VERSION_1};
    return fixture_send(fixture, &message, sizeof(message));
}

// Hosts a device and gives it queues of `size`, not started.
static inline void fixture_init(struct virtio_fixture *fixture, struct virtio_device *device,
                                uint16_t size)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->queue_count = device->queue_count;
    for (unsigned i = 0; i < fixture->queue_count; i++)
        driver_init(&fixture->queues[i], size, i ? &fixture->queues[0] : NULL,
                    i * DRIVER_QUEUE_BYTES);
    for (unsigned i = 1; i < fixture->queue_count; i++)
        fixture->queues[i].buffer_offset = 0x30000 + i * 0x10000;
    device_host_init(&fixture->host, device, &fixture->queues[0].memory, &fixture_ops, fixture);
}

// Brings the device up with these features besides VERSION_1.
static inline mx_status_t fixture_bring_up(struct virtio_fixture *fixture, uint64_t features)
{
    mx_status_t status = fixture_send_start(fixture);
    for (unsigned i = 0; i < fixture->queue_count && status == MX_OK; i++)
        status = fixture_send_queue_start(fixture, i);
    if (status == MX_OK)
        status = fixture_send_ready(fixture, features);
    if (status == MX_OK)
        device_host_continue(&fixture->host);
    return status;
}

static inline void fixture_destroy(struct virtio_fixture *fixture)
{
    driver_destroy(&fixture->queues[0]);
}
