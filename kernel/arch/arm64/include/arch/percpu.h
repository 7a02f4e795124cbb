// What the architecture keeps for each CPU.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <arch/thread_state.h>

struct arch_aspace;
struct arm64_frame;
struct cpu;
struct fpu_state;
struct vcpu;

// What a CPU that is being started finds at its first instructions, its caches off; see start.S.
struct arm64_start {
    uint64_t kernel_root; // physical
    uint64_t stack_top;
    struct arm64_cpu *cpu;
};

struct arm64_cpu {
    struct cpu *cpu;
    struct fpu_state *fpu_live;   // whose state is in the registers and may have changed, or NULL
    struct fpu_state *fpu_cached; // whose state the registers had last
    struct arch_aspace *loaded_aspace; // in TTBR0_EL1, NULL: none
    uint64_t mpidr;                    // affinity fields
    struct vcpu
        *resident_vcpu; // whose state is in the registers of EL1, or NULL; hypervisor/resident.h
    struct vcpu *cached_vcpu; // whose the registers of EL1 still have, only to be compared
    volatile void *gicr;      // GICv3: this CPU's redistributor
    uint8_t gic_target;       // GICv2: this CPU's bit
    const struct arm64_frame *fault_frame; // of the exception that led to a panic
    struct arch_thread boot_thread;        // stands for the running thread until there is one
    struct arm64_start start __attribute__((aligned(64)));
};

// By CPU index.
extern struct arm64_cpu arm64_cpus[];
