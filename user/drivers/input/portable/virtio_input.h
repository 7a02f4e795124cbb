// What a virtio input device says: its configuration and its events.
//
// Virtio 1.2, 5.8.4 "Device configuration layout", 5.8.6 "Device Operation". The event types are
// Linux's.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/drivers/input/portable/key_queue.h"

// The configuration: two bytes are written to select what the rest shows.
#define VIRTIO_INPUT_CONFIG_SELECT    0
#define VIRTIO_INPUT_CONFIG_SUBSELECT 1
#define VIRTIO_INPUT_CONFIG_SIZE      2
#define VIRTIO_INPUT_CONFIG_DATA      8
#define VIRTIO_INPUT_CONFIG_DATA_MAX  128

#define VIRTIO_INPUT_SELECT_NAME   0x01 // data: a text
#define VIRTIO_INPUT_SELECT_EVENTS 0x11 // subselect: event type; data: a bit for each code

#define VIRTIO_INPUT_EVENT_KEY 1

#define VIRTIO_INPUT_EVENT_BYTES 8

struct virtio_input_event {
    uint16_t type;
    uint16_t code;
    uint32_t value; // of a key: 0 released, 1 pressed, 2 repeated by the device
};
_Static_assert(sizeof(struct virtio_input_event) == VIRTIO_INPUT_EVENT_BYTES, "Virtio 5.8.6");

// Whether the codes of key events that a device has, of which `size_bytes` were read, are those of
// a keyboard and not of a mouse's buttons or a remote control: it has the letters, the space and
// the enter key.
bool virtio_input_is_keyboard(const uint8_t *key_bits, size_t size_bytes);

// Queues what one event buffer means; what is no key event, no key, or no change is passed over.
// Nothing is queued for a buffer of which the device did not write all: false. The queue needs room
// for one.
bool virtio_input_event(struct key_state *keys, const uint8_t *bytes, size_t written_bytes,
                        struct key_queue *queue);
