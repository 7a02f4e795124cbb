// The virtio console: one port, a receive queue (to the guest) and a transmit queue (from it),
// between the driver and a byte stream.
//
// Both directions have back pressure. A transmit chain that the stream takes only in part is held,
// with a count of the bytes already taken; input is taken from the stream only when the driver has
// given a buffer.
//
// Virtio 1.2: 5.3 "Console Device".
#pragma once

#include "vmm/virtio/device.h"

#define VIRTIO_CONSOLE_RECEIVE_QUEUE  0u
#define VIRTIO_CONSOLE_TRANSMIT_QUEUE 1u
#define VIRTIO_CONSOLE_F_SIZE         (UINT64_C(1) << 0)

// The byte stream. Bytes are in private memory. Neither function blocks.
struct virtio_console_stream_ops {
    // Takes bytes from the guest; returns how many, less than size_bytes when the stream is full.
    size_t (*transmit)(void *context, const uint8_t *bytes, size_t size_bytes);
    // Gives bytes for the guest; returns how many, zero when there are none now.
    size_t (*receive)(void *context, uint8_t *bytes, size_t capacity_bytes);
};

struct virtio_console {
    struct virtio_device device;
    const struct virtio_console_stream_ops *stream;
    void *context;
    uint16_t column_count; // zero: the size is unknown and F_SIZE is not offered
    uint16_t row_count;
    uint32_t transmit_offset; // how much of the chain held in the transmit queue was taken
};

// When the stream has input, or takes output again, after VIRTIO_HELD, its owner notifies the
// receive or the transmit queue (device_host_doorbell).
void virtio_console_init(struct virtio_console *console,
                         const struct virtio_console_stream_ops *stream, void *context,
                         uint16_t column_count, uint16_t row_count);
