// The latest output of a guest's terminal: what a reader has not taken yet, and what one that comes
// later shall see.
//
// With a reader the ring refuses bytes rather than losing any that the reader has not seen; without
// one the oldest are forgotten.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKLOG_BYTES ((size_t)64 * 1024)

// Zero-initialised, it is empty.
struct backlog {
    uint64_t written_bytes; // ever
    uint64_t taken_bytes;   // position of the reader, at most BACKLOG_BYTES behind
    uint8_t ring[BACKLOG_BYTES];
};

// Adds bytes and returns how many: all of them if `may_forget`, otherwise as many as there is room
// for.
size_t backlog_put(struct backlog *backlog, const uint8_t *bytes, size_t size_bytes,
                   bool may_forget);
// The oldest bytes that the reader has not taken, as far as they lie together; zero if there are
// none.
size_t backlog_peek(const struct backlog *backlog, const uint8_t **bytes);
// The reader took `size_bytes` of the latest peek.
void backlog_take(struct backlog *backlog, size_t size_bytes);
size_t backlog_unread_bytes(const struct backlog *backlog);
// A new reader: it gets everything that is still there.
void backlog_rewind(struct backlog *backlog);
