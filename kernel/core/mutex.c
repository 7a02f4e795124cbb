// The sleeping lock; see mutex.h.
//
// `owner` is the owning thread's address, with the lowest bit set while others wait. The waiters' list and every change of a
// word with that bit are under sched_lock; unlocking hands the mutex straight to the first waiter.

#include "kernel/core/mutex.h"

#include "kernel/core/log.h"

#define MUTEX_CONTENDED ((uintptr_t)1)

void mutex_init(struct mutex *mutex)
{
    mutex->owner = 0;
    wait_queue_init(&mutex->waiters);
}

static bool try_change(struct mutex *mutex, uintptr_t from, uintptr_t to)
{
    // Acquire and release order what the mutex protects between one owner and the next.
    return __atomic_compare_exchange_n(&mutex->owner, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

static void lock_contended(struct mutex *mutex, uintptr_t self)
{
    arch_interrupt_state_t state = spin_lock(&sched_lock);

    for (;;) {
        uintptr_t owner = __atomic_load_n(&mutex->owner, __ATOMIC_RELAXED);
        if (owner == 0) {
            if (try_change(mutex, 0, self)) {
                spin_unlock(&sched_lock, state);
                return;
            }
        } else if ((owner & MUTEX_CONTENDED) || try_change(mutex, owner, owner | MUTEX_CONTENDED)) {
            break;
        }
    }
    if (mutex->waiters.threads.next == NULL)
        wait_queue_init(&mutex->waiters);
    // Whoever wakes us has made us the owner.
    (void)wait_queue_block_locked(&mutex->waiters, MX_TIME_INFINITE, false, state);
}

void mutex_lock(struct mutex *mutex)
{
    uintptr_t self = (uintptr_t)thread_current();

    if (!try_change(mutex, 0, self))
        lock_contended(mutex, self);
}

void mutex_unlock(struct mutex *mutex)
{
    uintptr_t self = (uintptr_t)thread_current();

    if (try_change(mutex, self, 0))
        return;
    arch_interrupt_state_t state = spin_lock(&sched_lock);
    ASSERT(mutex->owner == (self | MUTEX_CONTENDED));
    struct thread *next = LIST_FIRST(&mutex->waiters.threads, struct thread, node);
    ASSERT(next != NULL);
    wait_queue_wake_one_locked(&mutex->waiters, MX_OK);
    uintptr_t flag = list_is_empty(&mutex->waiters.threads) ? 0 : MUTEX_CONTENDED;
    __atomic_store_n(&mutex->owner, (uintptr_t)next | flag, __ATOMIC_RELEASE);
    spin_unlock(&sched_lock, state);
}
