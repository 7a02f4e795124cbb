// Lazy switching of floating-point state; the rules are in <arch/fpu.h>. AMD64 Architecture
// Programmer's Manual Volume 2, "SSE, MMX, and x87 Programming", "XSAVE/XRSTOR Instructions".
#include <arch/fpu.h>

#include <string.h>

#include <arch/cpu.h>

#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/regs/control.h"
#include "kernel/arch/x86_64/regs/cpuid.h"
#include "kernel/core/thread.h"
#include "kernel/object/process.h"

#define FXSAVE_SIZE      512
#define FPU_FCW_OFFSET   0
#define FPU_MXCSR_OFFSET 24
#define FPU_FCW_RESET    0x037f
#define FPU_MXCSR_RESET  0x1f80
#define CPUID_XSTATE     0xd

static uint64_t host_xcr0;
static size_t area_size = FXSAVE_SIZE;

uint64_t fpu_host_xcr0(void)
{
    return host_xcr0;
}

size_t fpu_area_size(void)
{
    return area_size;
}

void fpu_init_cpu(void)
{
    struct cpuid_result leaf;

    cr0_write((cr0_read() & ~CR0_EM) | CR0_MP | CR0_TS);
    if (!cpu_features.has_xsave)
        return;
    leaf = cpuid_read(CPUID_XSTATE, 0);
    host_xcr0 = (leaf.eax & (XCR0_SSE | XCR0_AVX | XCR0_AVX512)) | XCR0_X87;
    if (!(host_xcr0 & XCR0_AVX) || (host_xcr0 & XCR0_AVX512) != XCR0_AVX512)
        host_xcr0 &= ~(uint64_t)XCR0_AVX512;
    xcr0_write(host_xcr0);
    area_size = cpuid_read(CPUID_XSTATE, 0).ebx; // for what XCR0 enables
}

// The heap aligns powers of two to their size.
static size_t allocation_size(void)
{
    size_t needed = sizeof(struct fpu_state) + area_size;
    size_t size = 1024;

    while (size < needed)
        size *= 2;
    return size;
}

struct fpu_state *fpu_state_alloc(struct job *job)
{
    size_t size = allocation_size();
    struct fpu_state *state = object_alloc(job, size);

    if (!state)
        return NULL;
    state->size_bytes = (uint32_t)size;
    state->job = job;
    if (job)
        object_reference(&job->object);
    fpu_state_reset(state);
    return state;
}

void fpu_state_reset(struct fpu_state *state)
{
    const uint16_t fcw = FPU_FCW_RESET;
    const uint32_t mxcsr = FPU_MXCSR_RESET;

    state->cpu_index = UINT32_MAX;
    memset(state->area, 0, area_size);
    memcpy(state->area + FPU_FCW_OFFSET, &fcw, sizeof(fcw));
    memcpy(state->area + FPU_MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
}

static void set_ts(void)
{
    cr0_write(cr0_read() | CR0_TS);
}

void fpu_state_free(struct fpu_state *state)
{
    arch_interrupt_state_t interrupts;
    struct job *job;

    if (!state)
        return;
    interrupts = arch_interrupts_save();
    if (x86_current_cpu()->fpu_live == state) {
        x86_current_cpu()->fpu_live = NULL;
        set_ts();
    }
    arch_interrupts_restore(interrupts);
    job = state->job;
    object_free(job, state, state->size_bytes);
    if (job)
        object_release(&job->object);
}

static void save(struct fpu_state *state)
{
    if (cpu_features.has_xsaveopt)
        __asm__ volatile("xsaveopt64 (%0)" : : "r"(state->area), "a"(-1), "d"(-1) : "memory");
    else if (cpu_features.has_xsave)
        __asm__ volatile("xsave64 (%0)" : : "r"(state->area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" : : "r"(state->area) : "memory");
}

static void restore(const struct fpu_state *state)
{
    if (cpu_features.has_xsave)
        __asm__ volatile("xrstor64 (%0)" : : "r"(state->area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" : : "r"(state->area) : "memory");
}

void fpu_acquire_slow(struct fpu_state *state)
{
    struct x86_cpu *cpu = x86_current_cpu();
    uint32_t index = cpu->cpu->index;

    cr0_clear_ts();
    if (cpu->fpu_live)
        save(cpu->fpu_live);
    if (cpu->fpu_cached != state || state->cpu_index != index)
        restore(state);
    cpu->fpu_live = cpu->fpu_cached = state;
    state->cpu_index = index;
    if (thread_current()->arch.fpu != state)
        set_ts();
}

void fpu_release_current_thread(void)
{
    struct x86_cpu *cpu = x86_current_cpu();

    if (!cpu->fpu_live)
        return;
    cr0_clear_ts();
    save(cpu->fpu_live);
    cpu->fpu_live = NULL;
    set_ts();
}

// As UEFI firmware wants them (UEFI Specification 2.10, 2.3.4): all exceptions masked.
static void fpu_set_controls(void)
{
    const uint32_t mxcsr = FPU_MXCSR_RESET;

    __asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
}

void fpu_lend_registers(void)
{
    fpu_release_current_thread();
    x86_current_cpu()->fpu_cached = NULL;
    cr0_clear_ts();
    fpu_set_controls();
}

void fpu_take_registers_back(void)
{
    set_ts();
}

mx_status_t fpu_handle_not_available(void)
{
    struct thread *thread = thread_current();
    arch_interrupt_state_t interrupts;

    if (!thread->arch.fpu)
        thread->arch.fpu = fpu_state_alloc(thread->process->job);
    if (!thread->arch.fpu)
        return MX_ERR_NO_MEMORY;
    interrupts = arch_interrupts_save();
    fpu_acquire(thread->arch.fpu);
    cr0_clear_ts();
    arch_interrupts_restore(interrupts);
    return MX_OK;
}
