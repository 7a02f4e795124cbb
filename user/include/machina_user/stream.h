// Whole reads and writes on streams (machina/syscalls.h), which the system calls only do as far as
// they can.
#pragma once

#include <stddef.h>

#include <machina/types.h>

// Writes everything, waiting for room. PEER_CLOSED when nobody will read it.
mx_status_t stream_write_all(mx_handle_t stream, const void *bytes, size_t size_bytes);

// Waits until there is something and reads it. TIMED_OUT, PEER_CLOSED (at the end).
MX_MUST_CHECK mx_status_t stream_read_some(mx_handle_t stream, void *bytes, size_t capacity_bytes,
                                           mx_time_t deadline, size_t *actual_bytes);
