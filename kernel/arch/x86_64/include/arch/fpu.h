// Floating-point and vector state (x87, SSE, AVX, AVX-512), switched lazily.
//
// At most one state is live in a CPU's registers (x86_cpu.fpu_live). It is saved when its thread is
// switched out or another state is acquired, and loaded again only if the registers were used for
// something else meanwhile. CR0.TS is clear only while the running thread's own user-mode state is
// live, so user mode faults (#NM) on first use, and never sees a guest's registers: acquiring any
// other state leaves CR0.TS set. All functions but alloc and free: interrupts disabled, XCR0 as
// fpu_host_xcr0().
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <arch/percpu.h>

#include <machina/status.h>

struct job;

struct fpu_state {
    uint32_t cpu_index;  // whose registers had it last; UINT32_MAX: none
    uint32_t size_bytes; // of the whole allocation
    struct job *job;
    uint8_t area[]
        __attribute__((aligned(64))); // XSAVE (standard form), or FXSAVE if the CPU lacks it
};

// A state as after processor reset with the x87 control word and MXCSR that programs expect,
// charged to `job`. NULL: no memory. Aligned to 64 bytes.
struct fpu_state *fpu_state_alloc(struct job *job);
// Not live on any CPU (a switched-out thread's is not). NULL is ignored.
void fpu_state_free(struct fpu_state *state);
// Puts the initial state there, for a guest's INIT or reset of the state. Not live on any CPU.
void fpu_state_reset(struct fpu_state *state);
// How many bytes of `area` are used; also what CPUID 0xd says for XCR0 = fpu_host_xcr0().
size_t fpu_area_size(void);

// Makes `state` the one in this CPU's registers.
void fpu_acquire_slow(struct fpu_state *state);
static inline void fpu_acquire(struct fpu_state *state)
{
    struct fpu_state *live;

    __asm__ volatile("movq %%gs:%c1, %0" : "=r"(live) : "i"(PERCPU_FPU_LIVE));
    if (live != state)
        fpu_acquire_slow(state);
}
// Saves the live state, whosever it is, and sets CR0.TS; arch_thread_switch calls it before a
// thread leaves the CPU.
void fpu_release_current_thread(void);

// Between the two, firmware may use the registers; no state is live.
void fpu_lend_registers(void);
void fpu_take_registers_back(void);

// The XCR0 the host runs with: every feature of the list above that the CPU has. 0: the CPU has no
// XSAVE.
uint64_t fpu_host_xcr0(void);

// Start-up, on each CPU: CR0, CR4, XCR0.
void fpu_init_cpu(void);
// #NM in user mode, interrupts enabled: gives the thread its state. NO_MEMORY.
MX_MUST_CHECK mx_status_t fpu_handle_not_available(void);
