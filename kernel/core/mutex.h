// A sleeping lock for what takes longer than a spinlock may be held. Not from interrupt context.
#pragma once

#include "kernel/core/thread.h"

// All zero is an unlocked mutex.
struct mutex {
    uintptr_t owner; // struct thread *, and a flag; see mutex.c
    struct wait_queue waiters;
};

void mutex_init(struct mutex *mutex);
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);
