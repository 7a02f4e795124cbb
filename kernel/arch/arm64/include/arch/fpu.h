// Floating-point and vector state (V0-V31, FPSR, FPCR), switched lazily. SVE stays off.
//
// At most one state is live in a CPU's registers (arm64_cpu.fpu_live). It is saved when its thread
// is switched out or another state is acquired, and loaded again only if the registers were used
// for something else meanwhile. CPACR_EL1.FPEN lets user mode through only while the running
// thread's own user-mode state is live, so user mode faults on first use, and never sees a guest's
// registers: acquiring any other state leaves user mode shut out. The kernel itself may always
// touch the registers and, compiled without them, never does. All functions but alloc and free:
// interrupts disabled.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <arch/cpu.h>
#include <arch/percpu.h>

#include <machina/status.h>

struct job;

struct fpu_state {
    uint64_t v[32][2] __attribute__((aligned(16)));
    uint32_t fpsr, fpcr;
    uint32_t cpu_index; // whose registers had it last; UINT32_MAX: none
    uint32_t reserved;
    struct job *job;
};

// A state as after reset, charged to `job`. NULL: no memory.
struct fpu_state *fpu_state_alloc(struct job *job);
// Not live on any CPU (a switched-out thread's is not). NULL is ignored.
void fpu_state_free(struct fpu_state *state);
// Puts the initial state there. Not live on any CPU.
void fpu_state_reset(struct fpu_state *state);

// Makes `state` the one in this CPU's registers.
void fpu_acquire_slow(struct fpu_state *state);
static inline void fpu_acquire(struct fpu_state *state)
{
    if (arm64_current_cpu()->fpu_live != state)
        fpu_acquire_slow(state);
}
// Saves the live state, whosever it is, and shuts user mode out; arch_thread_switch calls it before
// a thread leaves the CPU.
void fpu_release_current_thread(void);

// Start-up, on each CPU.
void fpu_init_cpu(void);
// User mode's first use, interrupts enabled: gives the thread its state. NO_MEMORY.
MX_MUST_CHECK mx_status_t fpu_handle_not_available(void);
