// Locks between the threads of one process, on futexes. Zero-initialised ones are ready for use.
#pragma once

#include <stdint.h>

#include <machina/types.h>

struct mutex {
    uint32_t state; // 0 free, 1 held, 2 held and perhaps waited for
};

// Not recursive.
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

struct condition {
    uint32_t sequence; // of wake-ups
};

// Unlocks the mutex, waits, locks it again. It may return for no reason: check what is waited for.
// TIMED_OUT after the deadline.
mx_status_t condition_wait(struct condition *condition, struct mutex *mutex, mx_time_t deadline);
void condition_wake_one(struct condition *condition);
void condition_wake_all(struct condition *condition);
