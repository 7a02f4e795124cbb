// Between the files of the library only.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Exit codes of processes that the library ends.
enum {
    EXIT_NO_STARTUP = 125, // the start-up message did not come or was malformed
    EXIT_ABORTED = 134,
};

struct thread;

// Called by start.S: the first thread, and every other.
_Noreturn void user_start(uint64_t start_channel);
_Noreturn void user_thread_run(struct thread *thread);
// In start.S: where a thread's first instruction is.
void start_thread(void);
