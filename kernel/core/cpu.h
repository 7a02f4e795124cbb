// Per-CPU data and the set of CPUs.
#pragma once

#include <machina/hypervisor.h>
#include <machina/objects.h>

#include "kernel/core/spinlock.h"
#include "kernel/lib/list.h"

#define CPU_MAX 64

struct thread;
struct timer;

// Threads that are ready to run on a CPU, by virtual run time. Protected by sched_lock.
struct run_queue {
    struct list_node threads;
    uint32_t count;
    uint64_t base; // of virtual run time
};

struct cpu {
    uint32_t index;
    bool is_online;
    bool is_spared; // runs no threads; see thread_spare_cpu. Protected by sched_lock
    struct thread *idle_thread;
    // Set by whoever wants this CPU to choose a thread again; looked at when an interrupt or system call ends.
    uint32_t needs_reschedule;
    // Timers that expire on this CPU, the earliest, which the others hang on (timer.c), or NULL; timers_lock.
    struct timer *timers;
    struct spinlock timers_lock;
    mx_time_t hardware_deadline; // what the CPU's timer is set to, MX_TIME_INFINITE if nothing
    mx_time_t slice_end;         // when the running thread's turn is over
    struct mx_info_cpu stats;    // written by this CPU only
    struct mx_guest_stats guest_stats; // written by this CPU only
    struct run_queue run_queue;
    struct thread *running;     // protected by sched_lock
    struct thread *dead_thread; // left this CPU for good; its stack is free once another thread runs. sched_lock
};

extern struct cpu cpus[CPU_MAX];
// CPUs that the machine has and the kernel uses: indexes 0 to cpu_count - 1.
extern uint32_t cpu_count;

// Makes every other CPU run `function(argument)` in its interrupt handler and waits until all have. Interrupts are
// enabled, no spinlock is held.
void cpu_call_others(void (*function)(void *argument), void *argument);
// Stops every other CPU for good; for a panic. Any context.
void cpu_stop_others(void);
// For the architecture's interrupt handler: does what cpu_call_others asks of this CPU.
void cpu_handle_call(void);
