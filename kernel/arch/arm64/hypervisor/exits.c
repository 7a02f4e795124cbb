// Synchronous exits, by exception class; see exits.h.
#include "kernel/arch/arm64/hypervisor/exits.h"

#include "kernel/arch/arm64/hypervisor/resident.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/exception.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/core/log.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/lib/string.h"

#define GUEST_LOG_LINES_MAX 16

// Offsets in a table of vectors, and what PSTATE is in a handler.
#define VECTOR_SAME_SP0 0x000
#define VECTOR_SAME_SPX 0x200
#define VECTOR_LOWER    0x400
#define VECTOR_LOWER_32 0x600
#define PSTATE_EL       0xc
#define PSTATE_SPSEL    0x1
#define PSTATE_NZCV     0xf0000000u
#define PSTATE_KEPT     (PSTATE_NZCV | PSTATE_PAN | REG_BIT(24)) // DIT

bool guest_may_log(struct guest *guest)
{
    uint32_t count = __atomic_fetch_add(&guest->arch.log_count, 1, __ATOMIC_RELAXED);

    if (count < GUEST_LOG_LINES_MAX)
        return true;
    __atomic_store_n(&guest->arch.log_count, GUEST_LOG_LINES_MAX, __ATOMIC_RELAXED);
    return false;
}

enum vcpu_result exit_shutdown(struct vcpu *vcpu, struct mx_vcpu_packet *packet, uint64_t info,
                               const char *text)
{
    vcpu->arch.is_ended = true;
    memset(packet, 0, sizeof(*packet));
    packet->type = MX_VCPU_PACKET_SHUTDOWN;
    packet->shutdown.reason = (uint32_t)ESR_EC(vcpu->arch.esr);
    packet->shutdown.info[0] = info;
    packet->shutdown.info[1] = vcpu->arch.pc;
    memcpy(packet->shutdown.text, text, strnlen(text, sizeof(packet->shutdown.text) - 1));
    if (guest_may_log(vcpu->guest))
        log_print("guest vCPU %u ended: %s (0x%llx, pc 0x%llx)", vcpu->id, text,
                  (unsigned long long)info, (unsigned long long)vcpu->arch.pc);
    return VCPU_LEAVE;
}

// --- exceptions for the guest
// -----------------------------------------------------------------------

static uint64_t vector_offset(uint64_t pstate)
{
    if (pstate & PSTATE_AARCH32)
        return VECTOR_LOWER_32;
    if (!(pstate & PSTATE_EL))
        return VECTOR_LOWER;
    return pstate & PSTATE_SPSEL ? VECTOR_SAME_SPX : VECTOR_SAME_SP0;
}

// As the CPU does it: Arm ARM, D1.3.2 "Exception entry". Resident, interrupts disabled.
static void take_exception(struct arch_vcpu *arch, uint64_t esr)
{
    sysreg_write(ESR_EL12, esr);
    sysreg_write(ELR_EL12, arch->pc);
    sysreg_write(SPSR_EL12, arch->pstate);
    arch->pc = sysreg_read(VBAR_EL12) + vector_offset(arch->pstate);
    arch->pstate = (arch->pstate & PSTATE_KEPT) | PSTATE_DAIF | PSTATE_EL1H;
    if (!(sysreg_read(SCTLR_EL12) & SCTLR_SPAN))
        arch->pstate |= PSTATE_PAN;
}

void vcpu_inject_undefined(struct vcpu *vcpu)
{
    arch_interrupt_state_t state = arch_interrupts_save();

    resident_load(vcpu);
    take_exception(&vcpu->arch, (uint64_t)ESR_EC_UNKNOWN << ESR_EC_SHIFT | ESR_IL);
    arch_interrupts_restore(state);
}

void vcpu_inject_abort(struct vcpu *vcpu, bool is_fetch, uint64_t addr)
{
    bool is_lower = !(vcpu->arch.pstate & PSTATE_EL);
    uint64_t class = is_fetch ? (is_lower ? ESR_EC_FETCH_LOWER : ESR_EC_FETCH_SAME)
                              : (is_lower ? ESR_EC_DATA_LOWER : ESR_EC_DATA_SAME);
    arch_interrupt_state_t state = arch_interrupts_save();

    resident_load(vcpu);
    sysreg_write(FAR_EL12, addr);
    take_exception(&vcpu->arch, class << ESR_EC_SHIFT | ESR_IL | ESR_FSC_EXTERNAL_ABORT);
    arch_interrupts_restore(state);
}

// --- classes
// --------------------------------------------------------------------------------------

static enum vcpu_result exit_wfx(struct vcpu *vcpu)
{
    bool is_done = pstate_condition_holds(vcpu->arch.pstate, ESR_ISS(vcpu->arch.esr));

    vcpu_skip(&vcpu->arch);
    if (!is_done)
        return VCPU_RESUME;
    if (vcpu->arch.esr & ESR_WFX_IS_WFE)
        thread_yield();
    else
        vcpu->arch.is_idle = true;
    return VCPU_RESUME;
}

// Instructions that the guest does not have: what it was told so by the identification registers.
static bool is_undefined_class(uint64_t class)
{
    switch (class) {
    case ESR_EC_UNKNOWN:
    case 0x03: // coprocessor accesses of AArch32
    case 0x04:
    case 0x05:
    case 0x06:
    case 0x08:
    case 0x0c:
    case ESR_EC_FP_ACCESS:
    case 0x09: // pointer authentication
    case 0x0a: // LD64B and its like
    case 0x14: // 128-bit system registers
    case ESR_EC_SVE_ACCESS:
    case 0x1d: // SME
    case 0x27: // memory copies
        return true;
    default:
        return false;
    }
}

// All but the first have a condition in the syndrome.
static enum vcpu_result exit_undefined(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;

    if (ESR_EC(arch->esr) != ESR_EC_UNKNOWN &&
        !pstate_condition_holds(arch->pstate, ESR_ISS(arch->esr)))
        vcpu_skip(arch);
    else
        vcpu_inject_undefined(vcpu);
    return VCPU_RESUME;
}

enum vcpu_result exit_handle(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    uint64_t class = ESR_EC(vcpu->arch.esr);

    switch (class) {
    case ESR_EC_WFX:
        return exit_wfx(vcpu);
    case ESR_EC_HVC64:
    case ESR_EC_SMC64:
        return exit_firmware(vcpu, packet);
    case ESR_EC_SYSREG:
        return exit_sysreg(vcpu);
    case ESR_EC_FETCH_LOWER:
        return exit_fetch_abort(vcpu, packet);
    case ESR_EC_DATA_LOWER:
        return exit_data_abort(vcpu, packet);
    default:
        break;
    }
    if (!is_undefined_class(class))
        return exit_shutdown(vcpu, packet, vcpu->arch.esr, "an exit that Machina does not know");
    return exit_undefined(vcpu);
}
