// Virtual consoles; see consoles.h.

#include "user/services/screen/consoles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/startup.h>

#include "user/portable/log_line.h"

#define HISTORY_ROWS    400
#define TYPED_BYTES_MAX 256
#define CHUNK_BYTES     2048
#define CHUNKS_MAX      8 // of one console in one round
#define RECORDS_MAX     64

struct console {
    struct vt vt;
    mx_handle_t stream; // MX_HANDLE_INVALID: none, or its other end is closed
    bool is_read_armed, is_write_armed;
    bool was_shown, has_changed;
    size_t back; // rows that the view is above the end
    char typed[TYPED_BYTES_MAX];
    size_t typed_bytes;
};

static struct {
    struct console list[CONSOLE_COUNT];
    size_t chosen;
    mx_handle_t port, log;
    uint64_t first_key;
    bool is_log_armed, is_log_on_first;
} consoles;

enum key_kind { KEY_READABLE, KEY_WRITABLE, KEY_KINDS };

static bool arm(mx_handle_t handle, uint64_t offset, mx_signals_t signals)
{
    return mx_object_wait_async(handle, consoles.port, consoles.first_key + offset, signals, 0) ==
           MX_OK;
}

bool consoles_take_packet(uint64_t key)
{
    uint64_t offset = key - consoles.first_key;
    uint64_t index = offset / KEY_KINDS;

    if (key < consoles.first_key || offset > CONSOLE_COUNT * KEY_KINDS)
        return false;
    if (index == CONSOLE_COUNT)
        consoles.is_log_armed = false;
    else if (offset % KEY_KINDS == KEY_READABLE)
        consoles.list[index].is_read_armed = false;
    else
        consoles.list[index].is_write_armed = false;
    return true;
}

// --- to the terminals

// Programs end their lines by a line feed alone.
static void write_text(struct console *console, const char *bytes, size_t length)
{
    size_t start = 0;

    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != '\n')
            continue;
        vt_feed(&console->vt, bytes + start, i - start);
        vt_feed(&console->vt, "\r\n", 2);
        start = i + 1;
    }
    vt_feed(&console->vt, bytes + start, length - start);
    console->has_changed = true;
}

// Returns whether there may be more.
static bool read_stream(struct console *console, uint64_t index)
{
    char chunk[CHUNK_BYTES];

    for (unsigned i = 0; i < CHUNKS_MAX; i++) {
        size_t length = 0;
        if (console->stream == MX_HANDLE_INVALID || console->is_read_armed)
            return false;
        mx_status_t status = mx_stream_read(console->stream, chunk, sizeof(chunk), &length);
        if (status == MX_OK) {
            write_text(console, chunk, length);
            continue;
        }
        console->is_read_armed =
            status == MX_ERR_SHOULD_WAIT && arm(console->stream, index * KEY_KINDS + KEY_READABLE,
                                                MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED);
        if (!console->is_read_armed)
            console->stream = MX_HANDLE_INVALID;
    }
    return true;
}

static void write_record(const struct mx_log_record *record)
{
    char line[LOG_LINE_BYTES];
    size_t length = log_line_format(record, line);

    write_text(&consoles.list[CONSOLE_LOG], line, length);
    if (consoles.is_log_on_first)
        write_text(&consoles.list[0], line, length);
}

// Returns whether there may be more.
static bool read_log(void)
{
    struct mx_log_record record;
    mx_status_t status = MX_OK;

    for (unsigned i = 0; i < RECORDS_MAX && status == MX_OK; i++) {
        if (consoles.log == MX_HANDLE_INVALID || consoles.is_log_armed)
            return false;
        status = mx_log_read(consoles.log, &record);
        if (status == MX_OK)
            write_record(&record);
    }
    if (status == MX_ERR_SHOULD_WAIT)
        consoles.is_log_armed = arm(consoles.log, CONSOLE_COUNT * KEY_KINDS, MX_SIGNAL_READABLE);
    if (status != MX_OK && !consoles.is_log_armed)
        consoles.log = MX_HANDLE_INVALID;
    return status == MX_OK;
}

void consoles_show_log(bool is_shown)
{
    // What was logged up to now is shown as it was until now; more than this only comes from a
    // flood.
    if (mx_port_cancel(consoles.port, consoles.log,
                       consoles.first_key + CONSOLE_COUNT * KEY_KINDS) == MX_OK)
        consoles.is_log_armed = false;
    for (unsigned i = 0; i < 16 && read_log(); i++)
        ;
    consoles.is_log_on_first = is_shown;
}

// --- to the programs

static void queue_typed(struct console *console, const char *bytes, size_t length)
{
    if (console->stream == MX_HANDLE_INVALID || length > TYPED_BYTES_MAX - console->typed_bytes)
        return;
    memcpy(console->typed + console->typed_bytes, bytes, length);
    console->typed_bytes += length;
}

static void reply(void *context, const char *bytes, size_t length)
{
    queue_typed(context, bytes, length);
}

static void write_stream(struct console *console, uint64_t index)
{
    while (console->typed_bytes > 0 && !console->is_write_armed &&
           console->stream != MX_HANDLE_INVALID) {
        size_t written = 0;
        mx_status_t status =
            mx_stream_write(console->stream, console->typed, console->typed_bytes, &written);
        if (status == MX_ERR_SHOULD_WAIT)
            console->is_write_armed = arm(console->stream, index * KEY_KINDS + KEY_WRITABLE,
                                          MX_SIGNAL_WRITABLE | MX_SIGNAL_PEER_CLOSED);
        if (status != MX_OK && !console->is_write_armed)
            console->stream = MX_HANDLE_INVALID;
        console->typed_bytes -= written;
        memmove(console->typed, console->typed + written, console->typed_bytes);
    }
}

bool consoles_pump(void)
{
    bool has_more = false;

    for (size_t i = 0; i < CONSOLE_COUNT; i++) {
        has_more = read_stream(&consoles.list[i], i) || has_more;
        write_stream(&consoles.list[i], i);
    }
    return read_log() || has_more;
}

void consoles_type(const char *bytes, size_t length)
{
    struct console *console = &consoles.list[consoles.chosen];

    console->has_changed = console->has_changed || console->back != 0;
    console->back = 0;
    queue_typed(console, bytes, length);
}

// --- the one that is shown

void consoles_choose(size_t index)
{
    struct console *console;

    if (index >= CONSOLE_COUNT)
        return;
    consoles.chosen = index;
    console = &consoles.list[index];
    console->has_changed = true;
    if (!console->was_shown && console->stream != MX_HANDLE_INVALID) {
        // A handle of this process's own with all rights: it cannot fail.
        mx_status_t ignored = mx_object_signal(console->stream, 0, SCREEN_SIGNAL_SHOWN);
        (void)ignored;
    }
    console->was_shown = true;
}

size_t consoles_chosen(void)
{
    return consoles.chosen;
}

const struct vt *consoles_shown(size_t *back)
{
    struct console *console = &consoles.list[consoles.chosen];

    if (console->back > console->vt.grid.history)
        console->back = console->vt.grid.history;
    *back = console->back;
    return &console->vt;
}

bool consoles_take_change(void)
{
    bool has_changed = consoles.list[consoles.chosen].has_changed;

    consoles.list[consoles.chosen].has_changed = false;
    return has_changed;
}

void consoles_look(bool is_back)
{
    struct console *console = &consoles.list[consoles.chosen];
    size_t step = console->vt.grid.rows / 2;

    if (is_back)
        console->back += step;
    else
        console->back -= step < console->back ? step : console->back;
    console->has_changed = true;
}

// --- start

static mx_status_t init_console(size_t index, size_t columns, size_t rows)
{
    static const struct vt_ops ops = {reply};
    struct console *console = &consoles.list[index];
    size_t count = vt_grid_cell_count(columns, rows, HISTORY_ROWS);
    struct vt_cell *cells = malloc(count * sizeof(*cells));

    if (!cells)
        return MX_ERR_NO_MEMORY;
    vt_init(&console->vt, cells, columns, rows, HISTORY_ROWS, &ops, console);
    console->stream = startup_handle_take(SCREEN_STARTUP_STREAM, (uint32_t)index);
    return MX_OK;
}

mx_status_t consoles_init(size_t columns, size_t rows, mx_handle_t port, uint64_t first_key)
{
    consoles.port = port;
    consoles.first_key = first_key;
    consoles.log = startup_handle_look(MX_STARTUP_LOG, 0);
    consoles.is_log_on_first = true;
    for (size_t i = 0; i < CONSOLE_COUNT; i++) {
        mx_status_t status = init_console(i, columns, rows);
        if (status != MX_OK)
            return status;
    }
    consoles_choose(0);
    return MX_OK;
}
