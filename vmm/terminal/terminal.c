// A guest's terminal; see terminal.h.
#include "vmm/terminal/terminal.h"

#include <machina/syscalls.h>

#include <machina_user/process.h>

void terminal_init(struct terminal *terminal, mx_handle_t port, uint64_t key)
{
    terminal->port = port;
    terminal->key = key;
    terminal->stream = MX_HANDLE_INVALID;
}

static void forget_waits(struct terminal *terminal)
{
    // A packet of the old stream may come still; it is taken for a reason to look again.
    terminal->is_waiting_readable = false;
    terminal->is_waiting_writable = false;
}

mx_handle_t terminal_detach(struct terminal *terminal)
{
    const mx_handle_t stream = terminal->stream;

    forget_waits(terminal);
    terminal->stream = MX_HANDLE_INVALID;
    return stream;
}

static void wait_for(struct terminal *terminal, mx_signals_t signals, bool *is_waiting,
                     uint64_t key)
{
    if (*is_waiting)
        return;
    if (mx_object_wait_async(terminal->stream, terminal->port, key, signals | MX_SIGNAL_PEER_CLOSED,
                             0) == MX_OK)
        *is_waiting = true;
    else
        handle_close(terminal_detach(terminal));
}

static void wait_readable(struct terminal *terminal)
{
    wait_for(terminal, MX_SIGNAL_READABLE, &terminal->is_waiting_readable, terminal->key);
}

void terminal_attach(struct terminal *terminal, mx_handle_t stream)
{
    handle_close(terminal_detach(terminal));
    terminal->stream = stream;
    backlog_rewind(&terminal->backlog);
    terminal_flush(terminal);
    if (terminal->stream != MX_HANDLE_INVALID)
        wait_readable(terminal);
}

size_t terminal_write(struct terminal *terminal, const uint8_t *bytes, size_t size_bytes)
{
    return backlog_put(&terminal->backlog, bytes, size_bytes,
                       terminal->stream == MX_HANDLE_INVALID);
}

void terminal_flush(struct terminal *terminal)
{
    const uint8_t *bytes;
    size_t size_bytes;

    while (terminal->stream != MX_HANDLE_INVALID && !terminal->is_waiting_writable &&
           (size_bytes = backlog_peek(&terminal->backlog, &bytes)) > 0) {
        size_t written = 0;
        const mx_status_t status = mx_stream_write(terminal->stream, bytes, size_bytes, &written);
        if (status == MX_ERR_SHOULD_WAIT)
            wait_for(terminal, MX_SIGNAL_WRITABLE, &terminal->is_waiting_writable,
                     terminal->key + 1);
        else if (status != MX_OK)
            handle_close(terminal_detach(terminal));
        else
            backlog_take(&terminal->backlog, written);
    }
}

size_t terminal_read(struct terminal *terminal, uint8_t *bytes, size_t capacity_bytes)
{
    size_t count = 0;

    if (terminal->stream == MX_HANDLE_INVALID || terminal->is_waiting_readable)
        return 0;
    const mx_status_t status = mx_stream_read(terminal->stream, bytes, capacity_bytes, &count);
    if (status == MX_OK)
        return count;
    if (status == MX_ERR_SHOULD_WAIT)
        wait_readable(terminal);
    else
        handle_close(terminal_detach(terminal));
    return 0;
}

void terminal_event(struct terminal *terminal, uint64_t key)
{
    if (key == terminal->key)
        terminal->is_waiting_readable = false;
    else
        terminal->is_waiting_writable = false;
}
