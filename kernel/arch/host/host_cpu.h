// The simulated CPUs, among the host port's own files.
#pragma once

#include <ucontext.h>

#include "kernel/arch/host/host.h"

struct host_cpu {
    struct cpu *cpu;
    struct thread *current;
    bool is_started;
    bool are_interrupts_enabled;
    bool is_idle;         // in arch_cpu_idle
    mx_time_t busy_until; // simulated work goes on until then; 0: none
    mx_time_t timer;      // MX_TIME_INFINITE: none
    bool is_reschedule_pending, is_call_pending;
    uint64_t relax_count; // times in a row that it only waited for another CPU
    ucontext_t paused;    // where it goes on when host_run chooses it
    void *fake_stack;
    struct arch_aspace *loaded_aspace;
};

extern struct host_cpu host_cpus[];
extern struct host_cpu *host_this; // the CPU that runs; NULL in host_run itself

_Noreturn void host_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Lets other CPUs go on; returns when this one is chosen again.
void host_pause(void);
// The same, if the schedule says so.
void host_maybe_pause(void);
// Takes what interrupts are pending. Interrupts are enabled.
void host_take_interrupts(void);
mx_time_t host_time(void);
