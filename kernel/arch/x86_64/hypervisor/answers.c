// Answers to packets; see answers.h.
#include "kernel/arch/x86_64/hypervisor/answers.h"

#include "kernel/arch/x86_64/hypervisor/exits.h"
#include "kernel/arch/x86_64/regs/control.h"
#include "kernel/hypervisor/vcpu.h"
#include "kernel/lib/string.h"

#define EXCEPTION_PAGE_FAULT 14
#define EXCEPTION_COUNT      32
// What an emulated instruction may leave in RFLAGS.
#define RFLAGS_WRITABLE                                                                    \
    (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF | RFLAGS_IF |   \
     RFLAGS_DF | RFLAGS_OF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC | \
     RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID)

static mx_status_t apply_input(struct arch_vcpu *arch, const struct mx_vcpu_packet *packet)
{
    if (packet->type != MX_VCPU_PACKET_IO)
        return MX_ERR_INVALID_ARGS;
    vcpu_set_register(arch, MX_X86_RAX, false, packet->io.data, arch->reply_width_bytes);
    return MX_OK;
}

static void take_instruction_state(struct arch_vcpu *arch, const struct mx_insn_state *state)
{
    memcpy(arch->gpr, state->gpr, sizeof(arch->gpr));
    arch->rip = state->rip;
    arch->rflags = (state->rflags & RFLAGS_WRITABLE) | RFLAGS_ONE;
    arch->has_interrupt_shadow = false;
}

static mx_status_t inject_answer(struct vcpu *vcpu, const struct mx_packet_mem *mem)
{
    if (mem->exception >= EXCEPTION_COUNT)
        return MX_ERR_INVALID_ARGS;
    if (mem->exception == EXCEPTION_PAGE_FAULT)
        vcpu_inject_page_fault(vcpu, mem->fault_addr, mem->exception_error_code);
    else
        vcpu_inject_exception(&vcpu->arch, mem->exception, mem->exception_has_error_code != 0,
                              mem->exception_error_code);
    return MX_OK;
}

static mx_status_t apply_access(struct vcpu *vcpu, const struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;

    if (packet->type != MX_VCPU_PACKET_MEM)
        return MX_ERR_INVALID_ARGS;
    if (packet->mem.exception != MX_VCPU_NO_EXCEPTION)
        return inject_answer(vcpu, &packet->mem);
    if (arch->reply_is_load)
        vcpu_set_register(arch, arch->reply_reg, arch->reply_is_high_byte, packet->mem.data,
                          arch->reply_width_bytes);
    vcpu_finish_instruction(arch, arch->reply_next_rip);
    return MX_OK;
}

static mx_status_t apply_instruction(struct vcpu *vcpu, const struct mx_vcpu_packet *packet)
{
    const struct mx_packet_mem *mem = &packet->mem;

    if (packet->type == MX_VCPU_PACKET_IO) {
        take_instruction_state(&vcpu->arch, &packet->state);
        return MX_OK;
    }
    if (packet->type != MX_VCPU_PACKET_MEM)
        return MX_ERR_INVALID_ARGS;
    if (mem->exception == MX_VCPU_NO_EXCEPTION) {
        take_instruction_state(&vcpu->arch, &packet->state);
        return MX_OK;
    }
    return inject_answer(vcpu, mem);
}

static mx_status_t apply_intack(struct arch_vcpu *arch, const struct mx_vcpu_packet *packet)
{
    if (packet->type != MX_VCPU_PACKET_INTACK || packet->intack.vector > 0xff)
        return MX_ERR_INVALID_ARGS;
    arch->event = VCPU_EVENT_VALID | VCPU_EVENT_EXTERNAL | packet->intack.vector;
    return MX_OK;
}

mx_status_t answer_apply(struct vcpu *vcpu, const struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;
    mx_status_t status = MX_OK;

    if (arch->is_shut_down)
        return MX_ERR_BAD_STATE;
    if (packet->type != MX_VCPU_PACKET_NONE) {
        switch (arch->reply) {
        case VCPU_REPLY_NONE:
            break;
        case VCPU_REPLY_IO_INPUT:
            status = apply_input(arch, packet);
            break;
        case VCPU_REPLY_MEM_ACCESS:
            status = apply_access(vcpu, packet);
            break;
        case VCPU_REPLY_INSTRUCTION:
            status = apply_instruction(vcpu, packet);
            break;
        case VCPU_REPLY_INTACK:
            status = apply_intack(arch, packet);
            break;
        }
    }
    if (status == MX_OK)
        arch->reply = VCPU_REPLY_NONE;
    return status;
}
