// What the CPU finds through its GS segment while in the kernel. The assembly entry code uses the
// offsets, so this header is included by .S files too.
#pragma once

#define PERCPU_CURRENT_THREAD 8
#define PERCPU_CPU            16
#define PERCPU_USER_SP        24
#define PERCPU_FPU_LIVE       32
#define PERCPU_TSS            64
#define PERCPU_KERNEL_SP      (PERCPU_TSS + 4) // tss.rsp0

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

struct aspace;
struct cpu;
struct fpu_state;
struct thread;
struct x86_frame;

// AMD64 Architecture Programmer's Manual Volume 2, "64-Bit Task State Segment".
struct x86_tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
} __attribute__((packed));

#define X86_GDT_ENTRIES 8

// Another CPU's request that this CPU forget translations; see tlb.c.
struct x86_tlb_request {
    const struct arch_aspace *aspace; // NULL: of the kernel's half
    uint64_t addr, size_bytes;
    bool is_destroyed;    // the tables go away: leave them
    uint64_t waiting_for; // CPUs that have not answered; atomic
};

struct x86_cpu {
    struct x86_cpu *self;
    struct thread *current_thread;
    struct cpu *cpu;
    uint64_t user_sp; // scratch of the system call entry
    struct fpu_state
        *fpu_live; // whose floating-point state is in the registers and may have changed, or NULL
    struct fpu_state *fpu_cached;      // whose state the registers had last
    struct arch_aspace *loaded_aspace; // whose tables CR3 holds, NULL for the kernel's own
    uint32_t apic_id;
    uint32_t reserved;
    struct x86_tss tss __attribute__((aligned(64)));
    uint64_t gdt[X86_GDT_ENTRIES] __attribute__((aligned(16)));
    struct x86_tlb_request tlb_request;  // made by this CPU
    uint64_t tlb_requested_by;           // CPUs with a request to this one; atomic
    const struct x86_frame *fault_frame; // of the exception that led to a panic
};

_Static_assert(__builtin_offsetof(struct x86_cpu, current_thread) == PERCPU_CURRENT_THREAD, "asm");
_Static_assert(__builtin_offsetof(struct x86_cpu, cpu) == PERCPU_CPU, "asm");
_Static_assert(__builtin_offsetof(struct x86_cpu, user_sp) == PERCPU_USER_SP, "asm");
_Static_assert(__builtin_offsetof(struct x86_cpu, fpu_live) == PERCPU_FPU_LIVE, "asm");
_Static_assert(__builtin_offsetof(struct x86_cpu, tss) == PERCPU_TSS, "asm");
_Static_assert(sizeof(struct x86_tss) == 104, "AMD64 APM Volume 2");

// By CPU index. The first one has a valid GS base from the start.
extern struct x86_cpu x86_cpus[];

// This CPU's; interrupts disabled, or the answer may be stale.
static inline struct x86_cpu *x86_current_cpu(void)
{
    struct x86_cpu *cpu;

    __asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

#endif
