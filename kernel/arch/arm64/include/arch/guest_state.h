// struct arch_guest and struct arch_vcpu on arm64.
//
// Where a vCPU's state is: general registers, PC and PSTATE are in struct arch_vcpu whenever the
// guest does not run. All else (registers of EL1, list registers, the virtual timer) is in the
// CPU's registers while the vCPU is resident there, from its first entry until its thread is
// switched out; see kernel/arch/arm64/hypervisor/resident.h.
#pragma once

// Offsets for the world switch.
#define VCPU_X(n)   (8 * (n))
#define VCPU_PC     248
#define VCPU_PSTATE 256
#define VCPU_HCR    264

#ifndef __ASSEMBLER__

#include <machina/arch/vcpu_state.h>

#include "kernel/arch/arm64/hypervisor/portable/abort_decode.h"
#include "kernel/arch/arm64/hypervisor/portable/irq_state.h"
#include "kernel/core/cpu.h"
#include "kernel/core/timer.h"

struct fpu_state;

#define GUEST_NO_PLACE UINT64_MAX

struct arch_guest {
    struct spinlock irq_lock; // of irqs; taken before sched_lock
    struct irq_state irqs;
    uint64_t counter_offset; // the guest's counter is the CPU's less this: zero when the guest was
                             // created
    uint64_t gicv_place;     // GICv2: where the guest sees the CPU interface; atomic
    uint32_t log_count;      // lines that the guest made the kernel log
    uint8_t last_vcpu[CPU_MAX]; // by CPU: id + 1 of the vCPU whose translations its TLB may hold;
                                // that CPU only
};

enum vcpu_power {
    VCPU_OFF,      // until CPU_ON
    VCPU_STARTING, // CPU_ON was called; start_* are set
    VCPU_ON,
};

// Registers of EL1, while they are not in the CPU.
struct vcpu_el1 {
    uint64_t sctlr, cpacr, ttbr0, ttbr1, tcr, mair, amair, vbar;
    uint64_t esr, far, afsr0, afsr1, par, contextidr, csselr;
    uint64_t sp, elr, spsr, tpidr, cntkctl;
    uint64_t disr; // hidden from the guest, but no bit traps it
    uint64_t keys[MX_ARM64_KEY_COUNT];
};

// The CPU interface of the virtual GIC, while it is not in the CPU.
#define VGIC_APR_MAX 4
struct vcpu_gic {
    uint64_t vmcr;
    uint32_t apr0[VGIC_APR_MAX], apr1[VGIC_APR_MAX]; // GICv2: apr0[0] alone
};

// An access that the VMM is being asked about.
struct vcpu_access {
    bool is_waiting; // for the answer
    uint16_t done_count;
    struct guest_access access;
    uint64_t address; // guest-physical, of the first
    uint64_t key;
};

struct arch_vcpu {
    uint64_t x[MX_ARM64_GPR_COUNT]; // first: the world switch addresses it
    uint64_t pc, pstate;
    uint64_t hcr; // HCR_EL2 while the guest runs

    // Of the last exit.
    uint64_t esr, far, hpfar;

    struct irq_vcpu irqs; // guest's irq_lock
    struct vcpu_gic gic;
    bool lists_are_live; // irqs.lists are in the CPU's list registers
    bool is_timer_held;  // the physical interrupt of the virtual timer is kept active
    bool is_idle;        // in WFI
    bool is_ended;
    uint32_t cached_cpu; // el1 is also in the registers of this CPU, if no other vCPU was resident
                         // there since
    uint32_t power;      // enum vcpu_power; atomic
    uint64_t start_pc, start_context; // before power becomes VCPU_STARTING

    struct vcpu_el1 el1;
    uint64_t sp_el0, tpidr_el0, tpidrro_el0; // while the guest's thread is not in the run loop
    uint64_t mdscr_el1;                      // the same, but written by nobody else
    uint64_t host_tpidr_el0, host_mdscr_el1; // while it is
    bool has_user_registers;                 // it is
    uint64_t cntv_ctl, cntv_cval;            // while not resident
    uint64_t cntp_ctl, cntp_cval;
    struct timer virtual_timer; // while it is blocked
    struct timer physical_timer;

    struct vcpu_access access;
    mx_status_t leave_status;
    struct fpu_state *fpu;
};
_Static_assert(__builtin_offsetof(struct arch_vcpu, pc) == VCPU_PC, "world_switch.S");
_Static_assert(__builtin_offsetof(struct arch_vcpu, pstate) == VCPU_PSTATE, "world_switch.S");
_Static_assert(__builtin_offsetof(struct arch_vcpu, hcr) == VCPU_HCR, "world_switch.S");

#endif
