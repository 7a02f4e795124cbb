// What all kernel objects have in common: a type, a reference count, signals and those who wait for them.
//
// An object lives while somebody holds a reference: each handle holds one, and so do objects that need each other.
// `on_zero_handles` runs when the last handle is closed (the peer of a channel hears of it), `destroy` when the
// last reference goes. Both run in a thread, without locks, and never inside one another: what one of them lets go waits on the
// thread's list until it is done, so that channels in channels in channels need no more stack than one. The object's lock
// protects its signals and observers; types use it for their own small state too.
#pragma once

#include "kernel/core/spinlock.h"
#include "kernel/lib/list.h"

struct object;
struct job;

struct object_ops {
    enum mx_object_type type;
    mx_rights_t default_rights;
    mx_signals_t user_settable; // besides MX_SIGNAL_USER_MASK
    void (*on_zero_handles)(struct object *object); // may be NULL
    void (*destroy)(struct object *object);         // frees it
};

struct object {
    const struct object_ops *ops;
    uint32_t reference_count;
    uint32_t handle_count;
    uint64_t koid;
    struct spinlock lock;
    mx_signals_t signals;
    struct list_node observers;
    uint32_t async_wait_count; // atomic; see wait.c
    struct object *let_go_next; // in a thread's list of objects to see to
    uint32_t is_let_go;         // atomic: it waits there to be told that it has no handles
};

// Told when one of the signals it looks for is up. Runs under the object's lock.
struct observer {
    struct list_node node;
    mx_signals_t signals;
    void (*notify)(struct observer *observer, mx_signals_t observed);
};

// One reference, no signals.
void object_init(struct object *object, const struct object_ops *ops);
static inline void object_reference(struct object *object)
{
    __atomic_fetch_add(&object->reference_count, 1, __ATOMIC_RELAXED);
}

// For who finds the object in a list that it leaves when it is destroyed, with that list locked. False: it is on its way.
bool object_try_reference(struct object *object);
void object_release(struct object *object);
// The last handle may have gone: for handle.c. Consumes a reference.
void object_handle_closed(struct object *object);

// Clears, then sets, and tells the observers.
void object_change_signals(struct object *object, mx_signals_t clear, mx_signals_t set);
// The same with the object's lock held.
void object_change_signals_locked(struct object *object, mx_signals_t clear, mx_signals_t set);
// Adds the observer unless one of its signals is up already; returns the signals of that moment.
mx_signals_t object_add_observer(struct object *object, struct observer *observer);
void object_remove_observer(struct object *object, struct observer *observer);

// Memory for an object or its parts, charged to `job` (NULL: to nobody). Zeroed. NULL: no memory or at the limit.
void *object_alloc(struct job *job, size_t size_bytes);
void object_free(struct job *job, void *block, size_t size_bytes);

uint64_t object_living_count(void);
