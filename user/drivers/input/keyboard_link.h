// A keyboard's stream to the screen (<machina_user/keyboard.h>), without ever waiting: what the
// screen does not take yet stays in the keyboard's queue.
#pragma once

#include <stdbool.h>

#include <machina/types.h>

#include "user/drivers/input/portable/key_queue.h"

struct keyboard_link {
    mx_handle_t stream; // MX_HANDLE_INVALID: not open
    mx_handle_t port;
    uint64_t key; // of packets on the port: the stream can be read or written again
    bool is_waiting_to_write, is_waiting_to_read;
    uint8_t sent_bytes; // of the oldest event of the queue
};

// Connects to the screen; then packets of type MX_PACKET_SIGNAL with `key` come on `port`.
// BAD_STATE: there is no screen.
MX_MUST_CHECK mx_status_t keyboard_link_open(struct keyboard_link *link, mx_handle_t port,
                                             uint64_t key);
void keyboard_link_close(struct keyboard_link *link);

// Takes out of the queue what the screen takes. Also to be called for every packet.
void keyboard_link_send(struct keyboard_link *link, struct key_queue *queue);

// For every packet, with its `signal.trigger`: notes it, and says which indicators shall be lit.
// False: they are as they were.
bool keyboard_link_receive(struct keyboard_link *link, mx_signals_t trigger, uint8_t *indicators);
