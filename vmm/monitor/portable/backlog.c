// A ring of output; see backlog.h.
#include "vmm/monitor/portable/backlog.h"

#include <string.h>

size_t backlog_unread_bytes(const struct backlog *backlog)
{
    return (size_t)(backlog->written_bytes - backlog->taken_bytes);
}

static size_t room(const struct backlog *backlog)
{
    return BACKLOG_BYTES - backlog_unread_bytes(backlog);
}

// At most up to the end of the ring; returns how many.
static size_t put_piece(struct backlog *backlog, const uint8_t *bytes, size_t size_bytes)
{
    const size_t at = backlog->written_bytes % BACKLOG_BYTES;
    const size_t piece = size_bytes < BACKLOG_BYTES - at ? size_bytes : BACKLOG_BYTES - at;

    memcpy(backlog->ring + at, bytes, piece);
    backlog->written_bytes += piece;
    if (backlog_unread_bytes(backlog) > BACKLOG_BYTES)
        backlog->taken_bytes = backlog->written_bytes - BACKLOG_BYTES;
    return piece;
}

size_t backlog_put(struct backlog *backlog, const uint8_t *bytes, size_t size_bytes,
                   bool may_forget)
{
    size_t done = 0;

    if (!may_forget && size_bytes > room(backlog))
        size_bytes = room(backlog);
    while (done < size_bytes)
        done += put_piece(backlog, bytes + done, size_bytes - done);
    return size_bytes;
}

size_t backlog_peek(const struct backlog *backlog, const uint8_t **bytes)
{
    const size_t at = backlog->taken_bytes % BACKLOG_BYTES;
    const size_t unread = backlog_unread_bytes(backlog);

    *bytes = backlog->ring + at;
    return unread < BACKLOG_BYTES - at ? unread : BACKLOG_BYTES - at;
}

void backlog_take(struct backlog *backlog, size_t size_bytes)
{
    const size_t unread = backlog_unread_bytes(backlog);

    backlog->taken_bytes += size_bytes < unread ? size_bytes : unread;
}

void backlog_rewind(struct backlog *backlog)
{
    backlog->taken_bytes =
        backlog->written_bytes > BACKLOG_BYTES ? backlog->written_bytes - BACKLOG_BYTES : 0;
}
