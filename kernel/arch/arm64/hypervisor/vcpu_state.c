// The register state of a vCPU: reset, read, checked and written. Arm ARM DDI 0487J.a, D1.5
// "Reset"; D1.3.5 "illegal return events".
#include "kernel/arch/arm64/hypervisor/vcpu_state.h"

#include "kernel/arch/arm64/hypervisor/hypervisor_features.h"
#include "kernel/arch/arm64/hypervisor/portable/sysreg_table.h"
#include "kernel/arch/arm64/hypervisor/resident.h"
#include "kernel/arch/arm64/hypervisor/vgic.h"
#include "kernel/arch/arm64/hypervisor/vtimer.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/hypervisor/vcpu.h"
#include "kernel/lib/string.h"

// With TWI and friends: what EL2 wants to hear of. WFE is trapped where another vCPU may wait for
// the CPU.
#define GUEST_HCR                                                                                 \
    (HCR_VM | HCR_SWIO | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB | HCR_BSU_IS | HCR_TWI | HCR_TID3 | \
     HCR_TSC | HCR_TIDCP | HCR_TACR | HCR_TSW | HCR_RW | HCR_E2H | HCR_TLOR | HCR_TERR)

#define PSTATE_RESET (PSTATE_DAIF | PSTATE_EL1H)
// Modes: EL0t, EL1t, EL1h, and AArch32 user mode.
#define PSTATE_EL1T     0x4
#define PSTATE_USER32   0x10
#define PSTATE_MODE     0x1f
#define PSTATE_WRITABLE 0xffffffffu

// The vCPU's state out of the CPU's registers, on whichever CPU it was left.
static void take_out(struct vcpu *vcpu)
{
    arch_interrupt_state_t state = arch_interrupts_save();

    resident_unload(vcpu);
    arch_interrupts_restore(state);
    vcpu->arch.cached_cpu = VCPU_NO_CPU;
}

void vcpu_reset(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;

    take_out(vcpu);
    memset(arch->x, 0, sizeof(arch->x));
    memset(&arch->el1, 0, sizeof(arch->el1));
    arch->pc = 0;
    arch->pstate = PSTATE_RESET;
    arch->el1.sctlr = SCTLR_OFF;
    arch->sp_el0 = arch->tpidr_el0 = arch->tpidrro_el0 = arch->mdscr_el1 = 0;
    arch->cntv_ctl = arch->cntv_cval = 0;
    arch->hcr = GUEST_HCR | (arch->hcr & HCR_TWE);
    arch->hcr |= hypervisor_features.has_pauth ? HCR_APK | HCR_API : 0;
    arch->hcr |= hypervisor_features.has_fwb ? HCR_FWB : 0;
    arch->is_idle = false;
    arch->access.is_waiting = false;
    ptimer_reset(vcpu);
    vgic_reset_interface(vcpu);
}

void vcpu_start_at(struct vcpu *vcpu, uint64_t pc, uint64_t context)
{
    vcpu_reset(vcpu);
    vcpu->arch.pc = pc;
    vcpu->arch.x[0] = context;
}

mx_status_t arch_vcpu_read_state(struct vcpu *vcpu, struct mx_vcpu_state *s)
{
    const struct arch_vcpu *arch = &vcpu->arch;
    const struct vcpu_el1 *el1 = &arch->el1;

    take_out(vcpu);
    memcpy(s->x, arch->x, sizeof(s->x));
    s->pc = arch->pc;
    s->pstate = arch->pstate;
    s->sp_el0 = arch->sp_el0;
    s->sp_el1 = el1->sp;
    s->elr_el1 = el1->elr;
    s->spsr_el1 = el1->spsr;
    s->sctlr_el1 = el1->sctlr;
    s->cpacr_el1 = el1->cpacr;
    s->ttbr0_el1 = el1->ttbr0;
    s->ttbr1_el1 = el1->ttbr1;
    s->tcr_el1 = el1->tcr;
    s->mair_el1 = el1->mair;
    s->amair_el1 = el1->amair;
    s->vbar_el1 = el1->vbar;
    s->esr_el1 = el1->esr;
    s->far_el1 = el1->far;
    s->afsr0_el1 = el1->afsr0;
    s->afsr1_el1 = el1->afsr1;
    s->par_el1 = el1->par;
    s->contextidr_el1 = el1->contextidr;
    s->csselr_el1 = el1->csselr;
    s->mdscr_el1 = arch->mdscr_el1;
    s->tpidr_el0 = arch->tpidr_el0;
    s->tpidrro_el0 = arch->tpidrro_el0;
    s->tpidr_el1 = el1->tpidr;
    s->cntkctl_el1 = el1->cntkctl;
    s->cntv_ctl_el0 = arch->cntv_ctl;
    s->cntv_cval_el0 = arch->cntv_cval;
    memcpy(s->pauth_keys, el1->keys, sizeof(s->pauth_keys));
    return MX_OK;
}

static bool has_aarch32_el0(void)
{
    return id_field(sysreg_read(id_aa64pfr0_el1), 0) == 2;
}

// A mode that the guest may not be in would be EL2's own.
static bool pstate_is_legal(uint64_t pstate)
{
    uint64_t mode = pstate & PSTATE_MODE;

    if (pstate & ~(uint64_t)PSTATE_WRITABLE)
        return false;
    return mode == PSTATE_EL0T || mode == PSTATE_EL1T || mode == PSTATE_EL1H ||
           (mode == PSTATE_USER32 && has_aarch32_el0());
}

mx_status_t arch_vcpu_write_state(struct vcpu *vcpu, const struct mx_vcpu_state *s)
{
    struct arch_vcpu *arch = &vcpu->arch;

    if (!pstate_is_legal(s->pstate) || s->mdscr_el1 & ~(uint64_t)MDSCR_GUEST_MASK)
        return MX_ERR_INVALID_ARGS;
    take_out(vcpu);
    memcpy(arch->x, s->x, sizeof(arch->x));
    arch->pc = s->pc;
    arch->pstate = s->pstate;
    arch->sp_el0 = s->sp_el0;
    arch->el1 = (struct vcpu_el1){
        .sctlr = s->sctlr_el1,
        .cpacr = s->cpacr_el1,
        .ttbr0 = s->ttbr0_el1,
        .ttbr1 = s->ttbr1_el1,
        .tcr = s->tcr_el1,
        .mair = s->mair_el1,
        .amair = s->amair_el1,
        .vbar = s->vbar_el1,
        .esr = s->esr_el1,
        .far = s->far_el1,
        .afsr0 = s->afsr0_el1,
        .afsr1 = s->afsr1_el1,
        .par = s->par_el1,
        .contextidr = s->contextidr_el1,
        .csselr = s->csselr_el1,
        .sp = s->sp_el1,
        .elr = s->elr_el1,
        .spsr = s->spsr_el1,
        .tpidr = s->tpidr_el1,
        .cntkctl = s->cntkctl_el1,
    };
    memcpy(arch->el1.keys, s->pauth_keys, sizeof(arch->el1.keys));
    arch->mdscr_el1 = s->mdscr_el1;
    arch->tpidr_el0 = s->tpidr_el0;
    arch->tpidrro_el0 = s->tpidrro_el0;
    arch->cntv_ctl = s->cntv_ctl_el0 & 3;
    arch->cntv_cval = s->cntv_cval_el0;
    arch->is_idle = false;
    arch->access.is_waiting = false; // the instruction that asked is not there any more
    return MX_OK;
}
