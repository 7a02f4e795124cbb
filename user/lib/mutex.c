// Mutexes and conditions on futexes; see machina_user/mutex.h.

#include <machina_user/mutex.h>

#include <machina/syscalls.h>

enum {
    MUTEX_FREE = 0,
    MUTEX_HELD = 1,
    MUTEX_CONTENDED = 2,
};

void mutex_lock(struct mutex *mutex)
{
    uint32_t state = MUTEX_FREE;

    if (__atomic_compare_exchange_n(&mutex->state, &state, MUTEX_HELD, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return;
    // Whoever waits says so in the state, also when it gets the mutex: others may still wait.
    while (__atomic_exchange_n(&mutex->state, MUTEX_CONTENDED, __ATOMIC_ACQUIRE) != MUTEX_FREE) {
        // BAD_STATE says that the state has changed meanwhile: look again, as after a wake-up.
        mx_status_t ignored = mx_futex_wait(&mutex->state, MUTEX_CONTENDED, MX_TIME_INFINITE);
        (void)ignored;
    }
}

void mutex_unlock(struct mutex *mutex)
{
    if (__atomic_exchange_n(&mutex->state, MUTEX_FREE, __ATOMIC_RELEASE) == MUTEX_CONTENDED)
        mx_futex_wake(&mutex->state, 1, NULL);
}

mx_status_t condition_wait(struct condition *condition, struct mutex *mutex, mx_time_t deadline)
{
    uint32_t sequence = __atomic_load_n(&condition->sequence, __ATOMIC_RELAXED);
    mx_status_t status;

    mutex_unlock(mutex);
    status = mx_futex_wait(&condition->sequence, sequence, deadline);
    mutex_lock(mutex);
    return status == MX_ERR_TIMED_OUT ? status : MX_OK;
}

void condition_wake_one(struct condition *condition)
{
    __atomic_fetch_add(&condition->sequence, 1, __ATOMIC_RELEASE);
    mx_futex_wake(&condition->sequence, 1, NULL);
}

void condition_wake_all(struct condition *condition)
{
    __atomic_fetch_add(&condition->sequence, 1, __ATOMIC_RELEASE);
    mx_futex_wake(&condition->sequence, UINT32_MAX, NULL);
}
