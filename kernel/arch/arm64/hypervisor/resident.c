// See resident.h.
#include "kernel/arch/arm64/hypervisor/resident.h"

#include <arch/hypervisor_cpu.h>
#include <arch/percpu.h>

#include "kernel/arch/arm64/hypervisor/hypervisor_features.h"
#include "kernel/arch/arm64/hypervisor/portable/mpidr.h"
#include "kernel/arch/arm64/hypervisor/stage2.h"
#include "kernel/arch/arm64/hypervisor/vgic.h"
#include "kernel/arch/arm64/hypervisor/vtimer.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/core/thread.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/hypervisor/vcpu.h"

struct vcpu *resident_vcpu(void)
{
    return arm64_current_cpu()->resident_vcpu;
}

// --- registers of EL1
// -----------------------------------------------------------------------------

static void save_keys(uint64_t *keys)
{
    keys[0] = sysreg_read(APIAKEYLO_EL1);
    keys[1] = sysreg_read(APIAKEYHI_EL1);
    keys[2] = sysreg_read(APIBKEYLO_EL1);
    keys[3] = sysreg_read(APIBKEYHI_EL1);
    keys[4] = sysreg_read(APDAKEYLO_EL1);
    keys[5] = sysreg_read(APDAKEYHI_EL1);
    keys[6] = sysreg_read(APDBKEYLO_EL1);
    keys[7] = sysreg_read(APDBKEYHI_EL1);
    keys[8] = sysreg_read(APGAKEYLO_EL1);
    keys[9] = sysreg_read(APGAKEYHI_EL1);
}

static void load_keys(const uint64_t *keys)
{
    sysreg_write(APIAKEYLO_EL1, keys[0]);
    sysreg_write(APIAKEYHI_EL1, keys[1]);
    sysreg_write(APIBKEYLO_EL1, keys[2]);
    sysreg_write(APIBKEYHI_EL1, keys[3]);
    sysreg_write(APDAKEYLO_EL1, keys[4]);
    sysreg_write(APDAKEYHI_EL1, keys[5]);
    sysreg_write(APDBKEYLO_EL1, keys[6]);
    sysreg_write(APDBKEYHI_EL1, keys[7]);
    sysreg_write(APGAKEYLO_EL1, keys[8]);
    sysreg_write(APGAKEYHI_EL1, keys[9]);
}

static void save_el1(struct vcpu_el1 *el1)
{
    el1->sctlr = sysreg_read(SCTLR_EL12);
    el1->cpacr = sysreg_read(CPACR_EL12);
    el1->ttbr0 = sysreg_read(TTBR0_EL12);
    el1->ttbr1 = sysreg_read(TTBR1_EL12);
    el1->tcr = sysreg_read(TCR_EL12);
    el1->mair = sysreg_read(MAIR_EL12);
    el1->amair = sysreg_read(AMAIR_EL12);
    el1->vbar = sysreg_read(VBAR_EL12);
    el1->esr = sysreg_read(ESR_EL12);
    el1->far = sysreg_read(FAR_EL12);
    el1->afsr0 = sysreg_read(AFSR0_EL12);
    el1->afsr1 = sysreg_read(AFSR1_EL12);
    el1->par = sysreg_read(par_el1);
    el1->contextidr = sysreg_read(CONTEXTIDR_EL12);
    el1->csselr = sysreg_read(csselr_el1);
    el1->sp = sysreg_read(sp_el1);
    el1->elr = sysreg_read(ELR_EL12);
    el1->spsr = sysreg_read(SPSR_EL12);
    el1->tpidr = sysreg_read(tpidr_el1);
    el1->cntkctl = sysreg_read(CNTKCTL_EL12);
    if (hypervisor_features.has_ras)
        el1->disr = sysreg_read(VDISR_EL2);
    if (hypervisor_features.has_pauth)
        save_keys(el1->keys);
}

static void load_el1(const struct vcpu_el1 *el1)
{
    sysreg_write(SCTLR_EL12, el1->sctlr);
    sysreg_write(CPACR_EL12, el1->cpacr);
    sysreg_write(TTBR0_EL12, el1->ttbr0);
    sysreg_write(TTBR1_EL12, el1->ttbr1);
    sysreg_write(TCR_EL12, el1->tcr);
    sysreg_write(MAIR_EL12, el1->mair);
    sysreg_write(AMAIR_EL12, el1->amair);
    sysreg_write(VBAR_EL12, el1->vbar);
    sysreg_write(ESR_EL12, el1->esr);
    sysreg_write(FAR_EL12, el1->far);
    sysreg_write(AFSR0_EL12, el1->afsr0);
    sysreg_write(AFSR1_EL12, el1->afsr1);
    sysreg_write(par_el1, el1->par);
    sysreg_write(CONTEXTIDR_EL12, el1->contextidr);
    sysreg_write(csselr_el1, el1->csselr);
    sysreg_write(sp_el1, el1->sp);
    sysreg_write(ELR_EL12, el1->elr);
    sysreg_write(SPSR_EL12, el1->spsr);
    sysreg_write(tpidr_el1, el1->tpidr);
    sysreg_write(CNTKCTL_EL12, el1->cntkctl);
    if (hypervisor_features.has_ras)
        sysreg_write(VDISR_EL2, el1->disr);
    if (hypervisor_features.has_pauth)
        load_keys(el1->keys);
}

static void load_identity(const struct vcpu *vcpu)
{
    sysreg_write(vmpidr_el2, mpidr_of_vcpu(vcpu->id));
    sysreg_write(vttbr_el2, stage2_vttbr(&vcpu->guest->aspace->arch));
    sysreg_write(cntvoff_el2, vcpu->guest->arch.counter_offset);
}

// Translations are told apart by the guest and its address space identifiers, which each vCPU may
// use for something else.
static void forget_other_vcpu(struct vcpu *vcpu)
{
    uint8_t *last = &vcpu->guest->arch.last_vcpu[arch_current_cpu()->index];

    if (*last && *last != vcpu->id + 1)
        stage2_flush_local();
    *last = (uint8_t)(vcpu->id + 1);
}

// --- residence
// ------------------------------------------------------------------------------------

// They have unknown values after reset, and add nothing to what HCR_EL2 traps.
static void open_fine_grained_traps(void)
{
    if (!id_field(sysreg_read(id_aa64mmfr0_el1), ID_AA64MMFR0_FGT_SHIFT))
        return;
    sysreg_write(HFGRTR_EL2, 0);
    sysreg_write(HFGWTR_EL2, 0);
    sysreg_write(HFGITR_EL2, 0);
    sysreg_write(HDFGRTR_EL2, 0);
    sysreg_write(HDFGWTR_EL2, 0);
}

// Guests must not choose whose caches and bandwidth they use.
static void trap_memory_partitioning(void)
{
    if (id_field(sysreg_read(id_aa64pfr0_el1), ID_AA64PFR0_MPAM_SHIFT) ||
        id_field(sysreg_read(id_aa64pfr1_el1), ID_AA64PFR1_MPAM_SHIFT))
        sysreg_write(MPAM2_EL2, MPAM2_TRAPMPAM0EL1 | MPAM2_TRAPMPAM1EL1);
}

#define DEBUG_PAIRS(X) \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

// Breakpoints and watchpoints have unknown values after reset; guests cannot reach them, so they
// are off. With the OS lock, as after reset, guests could not single-step.
static void prepare_debug(void)
{
    uint64_t id = sysreg_read(id_aa64dfr0_el1);
    unsigned breakpoints = id_field(id, ID_AA64DFR0_BRPS_SHIFT) + 1;
    unsigned watchpoints = id_field(id, ID_AA64DFR0_WRPS_SHIFT) + 1;

#define CLEAR(n)                           \
    if (n < breakpoints)                   \
        sysreg_write(S2_0_C0_C##n##_5, 0); \
    if (n < watchpoints)                   \
        sysreg_write(S2_0_C0_C##n##_7, 0);
    DEBUG_PAIRS(CLEAR)
#undef CLEAR
    sysreg_write(oslar_el1, 0);
}

void resident_init_cpu(void)
{
    uint64_t id = sysreg_read(id_aa64dfr0_el1);
    uint64_t mdcr = MDCR_TPMCR | MDCR_TPM | MDCR_TPMS | MDCR_TDA | MDCR_TDOSA | MDCR_TDRA;

    // All the event counters there are stay the host's: what MDCR_EL2.HPMN was is what the CPU has.
    mdcr |= sysreg_read(mdcr_el2) & MDCR_HPMN;
    if (id_field(id, 40)) // trace filter
        mdcr |= MDCR_TTRF;
    sysreg_write(mdcr_el2, mdcr);
    sysreg_write(cnthctl_el2,
                 (sysreg_read(cnthctl_el2) | CNTHCTL_E2H_EL1PCTEN) & ~CNTHCTL_E2H_EL1PTEN);
    sysreg_write(vpidr_el2, sysreg_read(midr_el1));
    sysreg_write(vtcr_el2, stage2_vtcr());
    if (id_field(sysreg_read(id_aa64mmfr1_el1), ID_AA64MMFR1_HCX_SHIFT))
        sysreg_write(HCRX_EL2, 0);
    open_fine_grained_traps();
    trap_memory_partitioning();
    prepare_debug();
    sysreg_write(CNTV_CTL_EL02, 0);
    isb();
}

static void load_user_registers(struct arch_vcpu *arch)
{
    arch->host_tpidr_el0 = sysreg_read(tpidr_el0);
    sysreg_write(tpidr_el0, arch->tpidr_el0);
    sysreg_write(tpidrro_el0, arch->tpidrro_el0);
    sysreg_write(sp_el0, arch->sp_el0);
    arch->host_mdscr_el1 = sysreg_read(mdscr_el1);
    sysreg_write(mdscr_el1, arch->mdscr_el1);
    arch->has_user_registers = true;
}

static void save_user_registers(struct arch_vcpu *arch)
{
    arch->tpidr_el0 = sysreg_read(tpidr_el0);
    arch->tpidrro_el0 = sysreg_read(tpidrro_el0);
    arch->sp_el0 = sysreg_read(sp_el0);
    sysreg_write(tpidr_el0, arch->host_tpidr_el0);
    sysreg_write(tpidrro_el0, 0);
    sysreg_write(mdscr_el1, arch->host_mdscr_el1);
    arch->has_user_registers = false;
}

static void become_resident(struct vcpu *vcpu)
{
    struct arm64_cpu *cpu = arm64_current_cpu();
    struct arch_vcpu *arch = &vcpu->arch;
    bool is_cached = arch->cached_cpu == cpu->cpu->index && cpu->cached_vcpu == vcpu;

    if (cpu->resident_vcpu)
        resident_unload(cpu->resident_vcpu);
    if (!is_cached) {
        load_identity(vcpu);
        load_el1(&arch->el1);
        forget_other_vcpu(vcpu);
    }
    cpu->resident_vcpu = cpu->cached_vcpu = vcpu;
    vgic_load(vcpu);
    vtimer_load(vcpu);
    isb();
}

void resident_load(struct vcpu *vcpu)
{
    if (arm64_current_cpu()->resident_vcpu != vcpu)
        become_resident(vcpu);
    if (!vcpu->arch.has_user_registers)
        load_user_registers(&vcpu->arch);
}

void resident_leave_loop(struct vcpu *vcpu)
{
    if (vcpu->arch.has_user_registers)
        save_user_registers(&vcpu->arch);
}

void resident_unload(struct vcpu *vcpu)
{
    struct arm64_cpu *cpu = arm64_current_cpu();
    struct arch_vcpu *arch = &vcpu->arch;

    if (cpu->resident_vcpu != vcpu)
        return;
    resident_leave_loop(vcpu);
    vtimer_unload(vcpu);
    vgic_unload(vcpu);
    save_el1(&arch->el1);
    arch->cached_cpu = cpu->cpu->index;
    cpu->resident_vcpu = NULL;
}

void hypervisor_thread_leaves(struct thread *thread)
{
    struct vcpu *vcpu = arm64_current_cpu()->resident_vcpu;

    (void)thread;
    resident_unload(vcpu);
}

static void forget_here(void *argument)
{
    struct arm64_cpu *cpu = arm64_current_cpu();

    if (cpu->resident_vcpu == argument)
        resident_unload(argument);
    if (cpu->cached_vcpu == argument)
        cpu->cached_vcpu = NULL;
}

void resident_forget(struct vcpu *vcpu)
{
    arch_interrupt_state_t state = arch_interrupts_save();

    forget_here(vcpu);
    arch_interrupts_restore(state);
    cpu_call_others(forget_here, vcpu);
}
