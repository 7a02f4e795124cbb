// Threads and the scheduler.
//
// One lock, sched_lock, protects every thread's state, the run queues and the wait queues. Threads are scheduled fairly by
// the CPU time they had (virtual run time); a thread that wakes up gets no more credit than a slice. Threads
// migrate freely: a waking thread goes to an idle CPU, and an idle CPU takes threads from a busy one.
#pragma once

#include <arch/thread.h>

#include "kernel/core/cpu.h"
#include "kernel/core/timer.h"

struct object;
struct process;
struct thread;

enum thread_state {
    THREAD_INITIAL,
    THREAD_READY,
    THREAD_RUNNING,
    THREAD_BLOCKED,
    THREAD_DEAD,
};

// Threads that wait for the same thing, in order of arrival. Protected by sched_lock.
struct wait_queue {
    struct list_node threads;
};

// thread->pending: reasons to look closer before the thread goes on in user mode or in a guest.
#define THREAD_PENDING_KILL (1u << 0)

struct thread {
    struct arch_thread arch; // first: the entry code addresses it by fixed offsets
    uint32_t pending;        // THREAD_PENDING_*; set under sched_lock, read without
    enum thread_state state;
    struct cpu *cpu;       // where it runs, or ran last
    struct list_node node; // in a run queue or wait queue, or by itself
    bool is_wait_interruptible;
    mx_status_t wait_status;
    struct timer wait_timer;
    uint64_t virtual_runtime_ns;
    uint64_t cpu_time_ns;
    mx_time_t last_start; // when it was last put on a CPU
    struct process *process; // NULL for a kernel thread
    struct aspace *aspace;   // the process's; NULL for a kernel thread
    void *kernel_stack;      // lowest address of the mapped part
    struct vcpu *vcpu;       // bound to this thread, or NULL
    struct object *let_go_list; // objects to see to; see object.c
    bool is_letting_go;
    void (*kernel_entry)(void *argument);
    void *kernel_argument;
    void (*finished)(struct thread *thread); // called by the reaper thread once it is off its stack for good
    char name[MX_NAME_SIZE];
};

#define KERNEL_STACK_SIZE ((size_t)16384)

static inline struct thread *thread_current(void)
{
    return arch_current_thread();
}

// A thread that will run entry(argument) in the kernel. NULL: no memory. Nothing runs before thread_start.
struct thread *thread_create(const char *name, struct process *process,
                             void (*entry)(void *argument), void *argument,
                             void (*finished)(struct thread *thread));
// Frees a thread that never started or has finished.
void thread_destroy(struct thread *thread);
void thread_start(struct thread *thread);
_Noreturn void thread_exit(void);
void thread_yield(void);
// Asks the thread to end: an interruptible wait returns CANCELED, and the thread ends on its way to user mode.
void thread_kill(struct thread *thread);
static inline bool thread_is_killed(const struct thread *thread)
{
    return __atomic_load_n(&thread->pending, __ATOMIC_RELAXED) & THREAD_PENDING_KILL;
}

// For the architecture, interrupts disabled, before returning to user mode or entering a guest with thread->pending set
// or needs_reschedule. May not return (kill).
void thread_handle_pending(void);
// For the architecture at the end of each interrupt that interrupted enabled code, with interrupts disabled.
void thread_preempt(void);

static inline bool thread_must_reschedule(void)
{
    return __atomic_load_n(&arch_current_cpu()->needs_reschedule, __ATOMIC_RELAXED) != 0;
}

extern struct spinlock sched_lock;

void wait_queue_init(struct wait_queue *queue);
// Blocks until woken (its status), the deadline (TIMED_OUT) or, if interruptible, a kill (CANCELED). The caller holds
// sched_lock with `state` from spin_lock; it is released while blocked and on return. This is how a caller makes
// "check, then block" atomic: whoever wakes takes sched_lock too.
mx_status_t wait_queue_block_locked(struct wait_queue *queue, mx_time_t deadline, bool is_interruptible,
                                    arch_interrupt_state_t state);
// The same on no queue, for whoever knows the thread; gives the CPU straight to `next` (from thread_unblock_locked, in the
// same critical section) where that is fair; `next` may be NULL.
mx_status_t thread_block_locked(mx_time_t deadline, bool is_interruptible, arch_interrupt_state_t state,
                                struct thread *next);
// Ends the wait of a thread in thread_block_locked, for the caller to hand over to or to make ready before it lets
// sched_lock go. False: the wait is over, or was never begun. sched_lock held.
bool thread_unblock_locked(struct thread *thread);
void thread_make_ready_locked(struct thread *thread);
// Wakes the first thread with `status`; returns whether there was one. sched_lock held.
bool wait_queue_wake_one_locked(struct wait_queue *queue, mx_status_t status);
void wait_queue_wake_all_locked(struct wait_queue *queue, mx_status_t status);
// The same, taking the lock.
bool wait_queue_wake_one(struct wait_queue *queue, mx_status_t status);
void wait_queue_wake_all(struct wait_queue *queue, mx_status_t status);

// Start-up: prepares the CPU's queues and idle thread (from any CPU); makes the running code that idle thread (on the CPU
// itself); runs it, and never returns.
void thread_prepare_cpu(struct cpu *cpu);
void thread_enter_cpu(struct cpu *cpu);
_Noreturn void thread_become_idle(void);
// From now on the CPU runs no threads but its own idle one; those it has go elsewhere, the caller included. Another CPU is
// online. No spinlock held.
void thread_spare_cpu(struct cpu *cpu);
uint64_t thread_idle_time(const struct cpu *cpu);
// Start-up, once, before the first thread_exit: starts the thread that calls `finished` of dead threads.
void thread_start_reaper(void);
// For arch_thread_init: where a new thread begins.
_Noreturn void thread_start_first(void);
