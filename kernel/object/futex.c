// Futexes: sleeping on a word of user memory. Also the clock and plain sleep.
//
// A waiter enters its bucket before it looks at the word, so a wake after a change of the word always finds it.

#include <arch/time.h>
#include <arch/user_copy.h>

#include "kernel/core/thread.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/process.h"
#include "kernel/object/syscalls.h"

#define BUCKET_COUNT 64

struct bucket {
    struct spinlock lock;
    struct list_node waiters;
};

struct futex_waiter {
    struct list_node node;
    const struct process *process;
    uaddr_t address;
    bool is_woken; // under sched_lock
    struct wait_queue queue;
};

static struct bucket buckets[BUCKET_COUNT];

static struct bucket *bucket_of(const struct process *process, uaddr_t address)
{
    uint64_t hash = ((uintptr_t)process / 64 + address / 4) * UINT64_C(0x9e3779b97f4a7c15);
    return &buckets[hash >> 58];
}

static void waiter_enqueue(struct bucket *bucket, struct futex_waiter *waiter)
{
    wait_queue_init(&waiter->queue);
    arch_interrupt_state_t state = spin_lock(&bucket->lock);
    if (bucket->waiters.next == NULL)
        list_init(&bucket->waiters);
    list_add_tail(&bucket->waiters, &waiter->node);
    spin_unlock(&bucket->lock, state);
}

static void waiter_dequeue(struct bucket *bucket, struct futex_waiter *waiter)
{
    arch_interrupt_state_t state = spin_lock(&bucket->lock);
    list_remove(&waiter->node);
    spin_unlock(&bucket->lock, state);
}

int64_t sys_futex_wait(uaddr_t address, uint32_t expected, mx_time_t deadline)
{
    struct futex_waiter waiter = {.process = process_current(), .address = address};
    struct bucket *bucket = bucket_of(waiter.process, address);
    mx_status_t status = MX_OK;
    uint32_t value;

    if (!is_aligned(address, sizeof(uint32_t)))
        return MX_ERR_INVALID_ARGS;
    waiter_enqueue(bucket, &waiter);
    if (!arch_load_user_u32(address, &value)) {
        status = MX_ERR_INVALID_ARGS;
    } else if (value != expected) {
        status = MX_ERR_BAD_STATE;
    } else {
        arch_interrupt_state_t state = spin_lock(&sched_lock);
        if (waiter.is_woken)
            spin_unlock(&sched_lock, state);
        else
            status = wait_queue_block_locked(&waiter.queue, deadline, true, state);
    }
    waiter_dequeue(bucket, &waiter);
    // A wake that chose this waiter must not be lost, whatever else happened.
    return waiter.is_woken ? MX_OK : status;
}

int64_t sys_futex_wake(uaddr_t address, uint32_t count, uaddr_t out_woken)
{
    const struct process *process = process_current();
    struct bucket *bucket = bucket_of(process, address);
    struct futex_waiter *waiter, *following;
    uint32_t woken = 0;

    arch_interrupt_state_t state = spin_lock(&bucket->lock);
    if (bucket->waiters.next == NULL)
        list_init(&bucket->waiters);
    LIST_FOR_EACH_SAFE(waiter, following, &bucket->waiters, node) {
        if (woken == count)
            break;
        if (waiter->process != process || waiter->address != address)
            continue;
        list_remove(&waiter->node);
        spin_acquire(&sched_lock);
        waiter->is_woken = true;
        wait_queue_wake_one_locked(&waiter->queue, MX_OK);
        spin_release(&sched_lock);
        woken++;
    }
    spin_unlock(&bucket->lock, state);
    return out_woken != 0 ? user_write(out_woken, &woken, sizeof(woken)) : MX_OK;
}

int64_t sys_clock_get_monotonic(void)
{
    return arch_time_now();
}

int64_t sys_nanosleep(mx_time_t deadline)
{
    struct wait_queue queue;

    wait_queue_init(&queue);
    arch_interrupt_state_t state = spin_lock(&sched_lock);
    mx_status_t status = wait_queue_block_locked(&queue, deadline, true, state);
    return status == MX_ERR_TIMED_OUT ? MX_OK : status;
}
