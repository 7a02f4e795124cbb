// Threads of this process.
#pragma once

#include <stddef.h>

#include <machina/types.h>

#define THREAD_STACK_BYTES ((size_t)64 * 1024)

struct thread;

// Starts a thread at entry(arg) with a stack of its own above a page that cannot be written.
// `stack_bytes` may be 0 for THREAD_STACK_BYTES. NO_MEMORY; BAD_STATE in a process without handles
// to itself. The result is to be joined.
MX_MUST_CHECK mx_status_t thread_create(struct thread **out, const char *name,
                                        void (*entry)(void *arg), void *arg, size_t stack_bytes);
// Waits until the thread has ended and frees what it had. Not for the thread itself.
void thread_join(struct thread *thread);
// The kernel's handle, good until the join.
mx_handle_t thread_handle(const struct thread *thread);
