// A guest's terminal: its output with a backlog, and the stream of whoever is attached, if anybody.
//
// A stream that is attached takes the place of the one before and gets the backlog first. While one
// is attached, its reader slows the guest down; without one, output never waits. Waiting for the
// stream is done by one port of the owner, with two keys. One thread at a time; the owner has a
// lock or a single thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/types.h>

#include "vmm/monitor/portable/backlog.h"

struct terminal {
    mx_handle_t port;
    uint64_t key;       // key: input, key + 1: room for output
    mx_handle_t stream; // MX_HANDLE_INVALID: nobody is attached
    bool is_waiting_readable, is_waiting_writable;
    struct backlog backlog;
};

// `port` stays the owner's.
void terminal_init(struct terminal *terminal, mx_handle_t port, uint64_t key);

// Takes the stream, closes the one before, and sends it what there is.
void terminal_attach(struct terminal *terminal, mx_handle_t stream);
// Gives the stream back, with nobody attached then; MX_HANDLE_INVALID if nobody was.
mx_handle_t terminal_detach(struct terminal *terminal);

// Puts output into the backlog; returns how many bytes, fewer only if the reader is slow. The owner
// flushes.
size_t terminal_write(struct terminal *terminal, const uint8_t *bytes, size_t size_bytes);
// Sends what the stream takes now; a packet comes when it takes more.
void terminal_flush(struct terminal *terminal);

// Input, as much as there is; zero if none, and then a packet comes when there is.
size_t terminal_read(struct terminal *terminal, uint8_t *bytes, size_t capacity_bytes);

// A packet with one of the keys came: the owner reads and flushes again afterwards.
void terminal_event(struct terminal *terminal, uint64_t key);
