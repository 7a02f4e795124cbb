// System registers that trap. What each does stands in portable/sysreg_table.c; here is what needs
// the vCPU.
#include "kernel/arch/arm64/hypervisor/exits.h"
#include "kernel/arch/arm64/hypervisor/hypervisor_features.h"
#include "kernel/arch/arm64/hypervisor/portable/sysreg_table.h"
#include "kernel/arch/arm64/hypervisor/resident.h"
#include "kernel/arch/arm64/hypervisor/stage2.h"
#include "kernel/arch/arm64/hypervisor/vgic.h"
#include "kernel/arch/arm64/hypervisor/vtimer.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/arch/arm64/regs/timer.h"
#include "kernel/arch/arm64/time.h"
#include "kernel/hypervisor/guest.h"

// An instruction names each register.
#define ID_ROW(X, crm) \
    X(crm, 0) X(crm, 1) X(crm, 2) X(crm, 3) X(crm, 4) X(crm, 5) X(crm, 6) X(crm, 7)
#define ID_TABLE(X) \
    ID_ROW(X, 1) ID_ROW(X, 2) ID_ROW(X, 3) ID_ROW(X, 4) ID_ROW(X, 5) ID_ROW(X, 6) ID_ROW(X, 7)

static uint64_t read_id(unsigned crm, unsigned op2)
{
#define CASE(m, o)    \
    case (m)*8 + (o): \
        return sysreg_read(S3_0_C0_C##m##_##o);
    switch (crm * 8 + op2) {
        ID_TABLE(CASE)
    }
#undef CASE
    return 0;
}

static uint64_t read_register(const struct arch_vcpu *arch, unsigned rt)
{
    return rt < MX_ARM64_GPR_COUNT ? arch->x[rt] : 0;
}

static uint64_t do_read(struct vcpu *vcpu, const struct sysreg_result *found)
{
    const struct arch_vcpu *arch = &vcpu->arch;

    switch (found->action) {
    case SYSREG_VALUE:
        return found->value;
    case SYSREG_MDSCR:
        return arch->mdscr_el1;
    case SYSREG_CNTP_CTL:
        return ptimer_read_ctl(arch);
    case SYSREG_CNTP_CVAL:
        return arch->cntp_cval;
    case SYSREG_CNTP_TVAL:
        return (uint32_t)(arch->cntp_cval - time_counter_read());
    case SYSREG_CNTPCT:
        return time_counter_read();
    case SYSREG_UNDEFINED: // the rest cannot be read
    case SYSREG_SGI:
    case SYSREG_SGI_OTHER:
    case SYSREG_SET_WAY:
    case SYSREG_STAGE1:
        break;
    }
    return 0;
}

static void write_mdscr(struct vcpu *vcpu, uint64_t value)
{
    arch_interrupt_state_t state = arch_interrupts_save();

    vcpu->arch.mdscr_el1 = value & MDSCR_GUEST_MASK;
    if (vcpu->arch.has_user_registers)
        sysreg_write(mdscr_el1, vcpu->arch.mdscr_el1);
    arch_interrupts_restore(state);
}

// A guest that cleans its caches by set and way means everything that it sees. It does so line by
// line, to turn them on or off: all is cleaned at the first line and when that happens, which
// SCTLR_EL1 tells, and nothing in between.
static void write_set_way(struct vcpu *vcpu)
{
    if (hypervisor_features.has_fwb || vcpu->arch.hcr & HCR_TVM)
        return;
    stage2_clean(&vcpu->guest->aspace->arch);
    vcpu->arch.hcr |= HCR_TVM;
}

// Resident, interrupts disabled. Returns whether the caches went on or off.
static bool write_stage1_register(uint32_t id, uint64_t value)
{
    bool has_toggled = false;

    switch (id) {
    case SYSREG_ID(3, 0, 1, 0, 0):
        has_toggled = (sysreg_read(SCTLR_EL12) ^ value) & (SCTLR_M | SCTLR_C);
        sysreg_write(SCTLR_EL12, value);
        break;
    case SYSREG_ID(3, 0, 2, 0, 0):
        sysreg_write(TTBR0_EL12, value);
        break;
    case SYSREG_ID(3, 0, 2, 0, 1):
        sysreg_write(TTBR1_EL12, value);
        break;
    case SYSREG_ID(3, 0, 2, 0, 2):
        sysreg_write(TCR_EL12, value);
        break;
    case SYSREG_ID(3, 0, 5, 1, 0):
        sysreg_write(AFSR0_EL12, value);
        break;
    case SYSREG_ID(3, 0, 5, 1, 1):
        sysreg_write(AFSR1_EL12, value);
        break;
    case SYSREG_ID(3, 0, 5, 2, 0):
        sysreg_write(ESR_EL12, value);
        break;
    case SYSREG_ID(3, 0, 6, 0, 0):
        sysreg_write(FAR_EL12, value);
        break;
    case SYSREG_ID(3, 0, 10, 2, 0):
        sysreg_write(MAIR_EL12, value);
        break;
    case SYSREG_ID(3, 0, 10, 3, 0):
        sysreg_write(AMAIR_EL12, value);
        break;
    case SYSREG_ID(3, 0, 13, 0, 1):
        sysreg_write(CONTEXTIDR_EL12, value);
        break;
    }
    return has_toggled;
}

static void write_stage1(struct vcpu *vcpu, uint32_t id, uint64_t value)
{
    arch_interrupt_state_t state = arch_interrupts_save();
    bool has_toggled;

    resident_load(vcpu);
    has_toggled = write_stage1_register(id, value);
    arch_interrupts_restore(state);
    if (!has_toggled)
        return;
    vcpu->arch.hcr &= ~HCR_TVM;
    stage2_clean(&vcpu->guest->aspace->arch);
}

static void do_write(struct vcpu *vcpu, const struct sysreg_result *found, uint32_t id,
                     uint64_t value)
{
    switch (found->action) {
    case SYSREG_SGI:
        vgic_send_sgi(vcpu, value, true);
        break;
    case SYSREG_SGI_OTHER:
        vgic_send_sgi(vcpu, value, false);
        break;
    case SYSREG_SET_WAY:
        write_set_way(vcpu);
        break;
    case SYSREG_STAGE1:
        write_stage1(vcpu, id, value);
        break;
    case SYSREG_MDSCR:
        write_mdscr(vcpu, value);
        break;
    case SYSREG_CNTP_CTL:
        ptimer_write_ctl(vcpu, value);
        break;
    case SYSREG_CNTP_CVAL:
        ptimer_write_cval(vcpu, value);
        break;
    case SYSREG_CNTP_TVAL:
        ptimer_write_cval(vcpu, time_counter_read() + (uint64_t)(int64_t)(int32_t)value);
        break;
    case SYSREG_VALUE: // ignored
    case SYSREG_UNDEFINED:
    case SYSREG_CNTPCT:
        break;
    }
}

enum vcpu_result exit_sysreg(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    const struct sysreg_host host = {
        .read_id = read_id,
        .has_gicv3 = vgic_version() == 3,
        .guest_address_bits = hypervisor_features.address_bits,
    };
    struct sysreg_access access = sysreg_access_from_iss(ESR_ISS(arch->esr));
    struct sysreg_result found = sysreg_lookup(&host, access);

    if (found.action == SYSREG_UNDEFINED) {
        vcpu_inject_undefined(vcpu);
        return VCPU_RESUME;
    }
    vcpu_skip(arch);
    if (!access.is_read)
        do_write(vcpu, &found, access.id, read_register(arch, access.rt));
    else if (access.rt < MX_ARM64_GPR_COUNT)
        arch->x[access.rt] = do_read(vcpu, &found);
    return VCPU_RESUME;
}
