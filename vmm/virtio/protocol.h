// The messages between the VMM, which holds a virtio device's PCI transport, and the process that
// runs the device, over their control channel.
//
// The VMM sends requests and waits for the answer of each, so that a reset is complete when it
// returns. The device process also sends events, to which there is no answer. Every message is a
// struct of fixed size that opens with a header; neither side trusts the other, so both check size,
// kind and every field.
//
//   START         once; the answer describes the device
//   QUEUE_START   where a queue lies; before READY
//   READY         the driver is ready, with these features; doorbells are answered from now on
//   RESET         everything stops; when the answer comes nothing touches guest memory any more
//   CONFIG_WRITE  the driver wrote the configuration space
//   QUEUE_NOTIFY  a doorbell that did not come by the queue's own trap
//   RAISE_CONFIG  raise the configuration interrupt
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#include "vmm/virtio/device.h"

#define VIRTIO_PROTOCOL_VERSION 1u

enum virtio_message_kind {
    VIRTIO_MESSAGE_START = 1,
    VIRTIO_MESSAGE_QUEUE_START = 2,
    VIRTIO_MESSAGE_READY = 3,
    VIRTIO_MESSAGE_RESET = 4,
    VIRTIO_MESSAGE_CONFIG_WRITE = 5,
    VIRTIO_MESSAGE_QUEUE_NOTIFY = 6,
    VIRTIO_MESSAGE_RAISE_CONFIG = 7,
    VIRTIO_EVENT_NEEDS_RESET = 32,    // a queue is broken; the device has stopped
    VIRTIO_EVENT_CONFIG_CHANGED = 33, // the whole configuration space follows
    VIRTIO_EVENT_INTERRUPT = 34,      // for a source that is routed to the interrupt pin
};

struct virtio_message_header {
    uint32_t kind;
    uint32_t size_bytes; // of the whole message
};

struct virtio_message_start {
    struct virtio_message_header header;
    uint32_t version;
    uint32_t reserved; // zero, here and below
};

struct virtio_message_queue_start {
    struct virtio_message_header header;
    uint16_t queue_index;
    uint16_t size;
    uint32_t reserved;
    uint64_t descriptors;
    uint64_t available;
    uint64_t used;
};

struct virtio_message_ready {
    struct virtio_message_header header;
    uint64_t features;
};

struct virtio_message_config_write {
    struct virtio_message_header header;
    uint32_t offset;
    uint32_t size_bytes; // 1, 2, 4 or 8
    uint8_t bytes[8];
};

struct virtio_message_queue_notify {
    struct virtio_message_header header;
    uint32_t queue_index;
    uint32_t reserved;
};

// RESET, RAISE_CONFIG and NEEDS_RESET are a header alone.

struct virtio_event_interrupt {
    struct virtio_message_header header;
    uint32_t source; // a queue index or VIRTIO_SOURCE_CONFIG
    uint32_t reserved;
};

struct virtio_event_config_changed {
    struct virtio_message_header header;
    uint32_t config_bytes;
    uint32_t reserved;
    uint8_t config[VIRTIO_CONFIG_BYTES_MAX];
};

// The answer to every request; its kind is the request's, or zero if that could not be read. What
// follows `status` is zero unless it answers START with MX_OK.
struct virtio_reply {
    struct virtio_message_header header;
    mx_status_t status;
    uint16_t device_type;
    uint16_t queue_count;
    uint16_t queue_size_max;
    uint16_t config_bytes;
    uint32_t reserved;
    uint64_t features; // all that it offers
    uint8_t config[VIRTIO_CONFIG_BYTES_MAX];
};

_Static_assert(sizeof(struct virtio_message_header) == 8, "message layout");
_Static_assert(sizeof(struct virtio_message_start) == 16, "message layout");
_Static_assert(sizeof(struct virtio_message_queue_start) == 40, "message layout");
_Static_assert(offsetof(struct virtio_message_queue_start, descriptors) == 16, "message layout");
_Static_assert(sizeof(struct virtio_message_ready) == 16, "message layout");
_Static_assert(sizeof(struct virtio_message_config_write) == 24, "message layout");
_Static_assert(sizeof(struct virtio_message_queue_notify) == 16, "message layout");
_Static_assert(sizeof(struct virtio_event_interrupt) == 16, "message layout");
_Static_assert(sizeof(struct virtio_event_config_changed) == 272, "message layout");
_Static_assert(sizeof(struct virtio_reply) == 288, "message layout");
_Static_assert(offsetof(struct virtio_reply, features) == 24, "message layout");

#define VIRTIO_MESSAGE_BYTES_MAX sizeof(struct virtio_reply)

// A message received, large enough for any of them.
union virtio_message {
    struct virtio_message_header header;
    struct virtio_message_start start;
    struct virtio_message_queue_start queue_start;
    struct virtio_message_ready ready;
    struct virtio_message_config_write config_write;
    struct virtio_message_queue_notify queue_notify;
    struct virtio_event_interrupt interrupt;
    struct virtio_event_config_changed config_changed;
};

// Copies a request or event after checking its kind, its size and what its fields can be judged by
// alone. INVALID_ARGS: no such kind, or a wrong size. OUT_OF_RANGE: a field that no device could
// accept.
MX_MUST_CHECK mx_status_t virtio_message_decode(const void *bytes, size_t size_bytes,
                                                union virtio_message *message);

// Copies the answer to a request of `kind`. INVALID_ARGS and OUT_OF_RANGE as above; otherwise the
// status that the device process gave.
MX_MUST_CHECK mx_status_t virtio_reply_decode(const void *bytes, size_t size_bytes,
                                              enum virtio_message_kind kind,
                                              struct virtio_reply *reply);

// A header of a message of this kind; zero bytes if there is no such kind.
struct virtio_message_header virtio_message_header_of(enum virtio_message_kind kind);
