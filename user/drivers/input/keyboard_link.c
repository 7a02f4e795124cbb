// The stream of a keyboard; see keyboard_link.h.

#include "user/drivers/input/keyboard_link.h"

#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/keyboard.h>
#include <machina_user/process.h>

#define EVENTS_AT_ONCE 16

static void arm(const struct keyboard_link *link, mx_signals_t signals, bool *is_waiting)
{
    if (!*is_waiting)
        *is_waiting = mx_object_wait_async(link->stream, link->port, link->key,
                                           signals | MX_SIGNAL_PEER_CLOSED, 0) == MX_OK;
}

mx_status_t keyboard_link_open(struct keyboard_link *link, mx_handle_t port, uint64_t key)
{
    memset(link, 0, sizeof(*link));
    const mx_status_t status = keyboard_connect(&link->stream);

    if (status != MX_OK)
        return status;
    link->port = port;
    link->key = key;
    arm(link, MX_SIGNAL_READABLE, &link->is_waiting_to_read);
    return MX_OK;
}

void keyboard_link_close(struct keyboard_link *link)
{
    if (link->stream == MX_HANDLE_INVALID)
        return;
    // NOT_FOUND: nothing was waited for.
    (void)!mx_port_cancel(link->port, link->stream, link->key);
    handle_close(link->stream);
    memset(link, 0, sizeof(*link));
}

static size_t collect(const struct key_queue *queue, struct keyboard_event events[EVENTS_AT_ONCE])
{
    struct key_change change;
    uint32_t count = 0;

    for (; count < EVENTS_AT_ONCE && key_queue_peek(queue, count, &change); count++)
        events[count] =
            (struct keyboard_event){.usage = change.usage, .is_pressed = change.is_pressed};
    return count * sizeof(events[0]);
}

void keyboard_link_send(struct keyboard_link *link, struct key_queue *queue)
{
    struct keyboard_event events[EVENTS_AT_ONCE];
    size_t size_bytes, actual;

    if (link->stream == MX_HANDLE_INVALID)
        return;
    while ((size_bytes = collect(queue, events)) > 0) {
        const uint8_t *bytes = (const uint8_t *)events + link->sent_bytes;
        const mx_status_t status =
            mx_stream_write(link->stream, bytes, size_bytes - link->sent_bytes, &actual);
        if (status == MX_ERR_SHOULD_WAIT) {
            arm(link, MX_SIGNAL_WRITABLE, &link->is_waiting_to_write);
            return;
        }
        // A screen that has gone takes everything.
        if (status != MX_OK)
            actual = size_bytes - link->sent_bytes;
        const size_t sent = link->sent_bytes + actual;
        key_queue_drop(queue, (uint32_t)(sent / sizeof(events[0])));
        link->sent_bytes = (uint8_t)(sent % sizeof(events[0]));
    }
}

bool keyboard_link_receive(struct keyboard_link *link, mx_signals_t trigger, uint8_t *indicators)
{
    uint8_t bytes[64];
    size_t actual;
    bool has_changed = false;
    mx_status_t status;

    if (link->stream == MX_HANDLE_INVALID)
        return false;
    // Both waits are for the other end's closing as well.
    if (trigger & MX_SIGNAL_WRITABLE)
        link->is_waiting_to_write = false;
    if (!(trigger & MX_SIGNAL_READABLE))
        return false;
    link->is_waiting_to_read = false;
    while ((status = mx_stream_read(link->stream, bytes, sizeof(bytes), &actual)) == MX_OK) {
        *indicators = bytes[actual - 1];
        has_changed = true;
    }
    if (status == MX_ERR_SHOULD_WAIT)
        arm(link, MX_SIGNAL_READABLE, &link->is_waiting_to_read);
    return has_changed;
}
