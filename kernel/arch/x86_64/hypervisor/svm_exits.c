// SVM's exits; see svm_exits.h. AMD64 Architecture Programmer's Manual Volume 2, 15.7 to 15.20 and
// Appendix C.
#include "kernel/arch/x86_64/hypervisor/svm_exits.h"

#include "kernel/arch/x86_64/hypervisor/exits.h"
#include "kernel/arch/x86_64/hypervisor/insn_fetch.h"
#include "kernel/arch/x86_64/regs/control.h"
#include "kernel/core/log.h"
#include "kernel/hypervisor/guest.h"

#define EXCEPTION_DB 1
#define EXCEPTION_AC 17
#define DR6_BS       REG_BIT(14)

unsigned svm_exit_reason(const struct vmcb_control *control)
{
    switch (control->exitcode) {
    case VMEXIT_INTR:
    case VMEXIT_NMI:
    case VMEXIT_SMI:
    case VMEXIT_INIT:
        return MX_GUEST_EXIT_INTERRUPT;
    case VMEXIT_VINTR:
        return MX_GUEST_EXIT_INTERRUPT_WINDOW;
    case VMEXIT_NPF:
        return MX_GUEST_EXIT_SECOND_STAGE;
    case VMEXIT_CR8_WRITE:
        return MX_GUEST_EXIT_CONTROL_REGISTER;
    case VMEXIT_MSR:
        return control->exitinfo1 ? MX_GUEST_EXIT_WRMSR : MX_GUEST_EXIT_RDMSR;
    case VMEXIT_IOIO:
        return MX_GUEST_EXIT_IO;
    case VMEXIT_HLT:
        return MX_GUEST_EXIT_HLT;
    case VMEXIT_CPUID:
        return MX_GUEST_EXIT_CPUID;
    case VMEXIT_PAUSE:
        return MX_GUEST_EXIT_PAUSE;
    case VMEXIT_VMMCALL:
        return MX_GUEST_EXIT_VMCALL;
    case VMEXIT_XSETBV:
        return MX_GUEST_EXIT_XSETBV;
    default:
        return MX_GUEST_EXIT_OTHER;
    }
}

// Where the instruction after this one begins: the CPU tells, or the bytes do.
static uint64_t next_rip(struct vcpu *vcpu, uint8_t opcode, unsigned opcode_bytes)
{
    if (svm_features.has_next_rip)
        return svm_of(vcpu)->vmcb->control.nrip;
    return insn_next_rip(vcpu, opcode, opcode_bytes);
}

static enum vcpu_result handle_io(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    const struct vmcb_control *control = &svm_of(vcpu)->vmcb->control;
    const struct io_access access = {
        .port = VMEXIT_IOIO_PORT(control->exitinfo1),
        .width_bytes = (uint8_t)VMEXIT_IOIO_WIDTH(control->exitinfo1),
        .is_input = control->exitinfo1 & VMEXIT_IOIO_IN,
        .is_string = control->exitinfo1 & VMEXIT_IOIO_STRING,
    };

    return exit_io(vcpu, access, control->exitinfo2, packet);
}

static enum vcpu_result handle_nested_fault(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    const struct vmcb_control *control = &svm_of(vcpu)->vmcb->control;
    const struct second_stage_access access = {
        .addr = control->exitinfo2,
        .is_write = control->exitinfo1 & VMEXIT_NPF_WRITE,
        .is_fetch = control->exitinfo1 & VMEXIT_NPF_FETCH,
        .is_table_walk = control->exitinfo1 & VMEXIT_NPF_IN_TABLES,
    };

    return exit_second_stage(vcpu, access, packet);
}

// MOV to CR8 (0F 22 /0 with REX.R, or with LOCK): the register is in the last byte.
static enum vcpu_result handle_cr8_write(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    uint8_t bytes[INSN_BYTES_MAX];
    size_t count = insn_fetch(vcpu, bytes), i = 0;
    unsigned rex = 0;

    while (i + 3 <= count && bytes[i] != 0x0f) {
        rex = (bytes[i] & 0xf0) == 0x40 ? bytes[i] : 0;
        i++;
    }
    if (i + 3 > count || bytes[i + 1] != 0x22) {
        vcpu_inject_exception(arch, EXCEPTION_UD, false, 0);
        return VCPU_RESUME;
    }
    uint64_t value = arch->gpr[(bytes[i + 2] & 7) | (rex & 1) << 3];
    if (value > 0xf) {
        vcpu_inject_gp(arch);
        return VCPU_RESUME;
    }
    local_apic_set_task_class(&arch->apic, (uint32_t)value);
    vcpu_finish_instruction(arch, arch->rip + i + 3);
    return VCPU_RESUME;
}

static enum vcpu_result handle_undefined(struct vcpu *vcpu)
{
    vcpu_inject_exception(&vcpu->arch, EXCEPTION_UD, false, 0);
    return VCPU_RESUME;
}

// Intercepted so that a guest whose handler faults again cannot keep the CPU in the delivery of
// exceptions for ever.
static enum vcpu_result handle_alignment_check(struct vcpu *vcpu)
{
    vcpu_inject_exception(&vcpu->arch, EXCEPTION_AC, true, 0);
    return VCPU_RESUME;
}

static enum vcpu_result handle_debug(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    struct vmcb_save *save = &svm->vmcb->save;

    if (svm->is_stepping_iret && save->dr6 & DR6_BS) {
        svm->is_stepping_iret = false;
        vcpu->arch.is_nmi_blocked = false;
        save->dr6 &= ~DR6_BS;
        svm->vmcb->control.clean &= ~VMCB_CLEAN_DRX;
        return VCPU_RESUME;
    }
    vcpu_inject_exception(&vcpu->arch, EXCEPTION_DB, false, 0);
    return VCPU_RESUME;
}

// The guest goes on with its own values in the registers and repeats the instruction.
static enum vcpu_result handle_debug_register(struct vcpu *vcpu)
{
    svm_set_debug_addresses(svm_of(vcpu), true);
    return VCPU_RESUME;
}

// The exit is before the IRET that ends an NMI's handler. If another NMI waits, a trap after the
// IRET delivers it.
static enum vcpu_result handle_iret(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;

    if (arch->nmi_count == 0) {
        arch->is_nmi_blocked = false;
        return VCPU_RESUME;
    }
    svm_of(vcpu)->is_stepping_iret = true;
    arch->rflags |= RFLAGS_TF;
    return VCPU_RESUME;
}

static enum vcpu_result handle_unexpected(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    const struct vmcb_control *control = &svm_of(vcpu)->vmcb->control;

    if (control->exitcode == VMEXIT_INVALID)
        return exit_shutdown(vcpu, packet, MX_GUEST_EXIT_OTHER, control->exitcode,
                             "the CPU refuses the guest's state");
    return exit_shutdown(vcpu, packet, MX_GUEST_EXIT_OTHER, control->exitcode, "unexpected exit");
}

enum vcpu_result svm_handle_exit(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    const struct vmcb *vmcb = svm_of(vcpu)->vmcb;

    switch (vmcb->control.exitcode) {
    case VMEXIT_INTR: // the host has taken it by now
    case VMEXIT_NMI:
    case VMEXIT_SMI:
    case VMEXIT_INIT:
    case VMEXIT_VINTR:
        return VCPU_RESUME;
    case VMEXIT_EXCEPTION_MC:
        __asm__ volatile("int $18"
                         :
                         :
                         : "memory"); // the host's machine check, which the intercept kept from it
        return VCPU_RESUME;
    case VMEXIT_IOIO:
        return handle_io(vcpu, packet);
    case VMEXIT_MSR:
        if (vmcb->control.exitinfo1)
            return exit_wrmsr(vcpu, next_rip(vcpu, 0x0f, 2), packet);
        return exit_rdmsr(vcpu, next_rip(vcpu, 0x0f, 2));
    case VMEXIT_NPF:
        return handle_nested_fault(vcpu, packet);
    case VMEXIT_HLT:
        return exit_hlt(vcpu, next_rip(vcpu, 0xf4, 1));
    case VMEXIT_CPUID:
        return exit_cpuid(vcpu, next_rip(vcpu, 0x0f, 2));
    case VMEXIT_PAUSE:
        return exit_pause(vcpu, next_rip(vcpu, 0x90, 1));
    case VMEXIT_VMMCALL:
        return exit_hypercall(vcpu, next_rip(vcpu, 0x0f, 3), vmcb->save.cpl);
    case VMEXIT_XSETBV:
        return exit_xsetbv(vcpu, next_rip(vcpu, 0x0f, 3), vmcb->save.cpl);
    case VMEXIT_CR8_WRITE:
        return handle_cr8_write(vcpu);
    case VMEXIT_INVD: // guest memory is cached as the host's is, and stays coherent
    case VMEXIT_WBINVD:
        vcpu_finish_instruction(&vcpu->arch, next_rip(vcpu, 0x0f, 2));
        return VCPU_RESUME;
    case VMEXIT_RDPMC:
        vcpu_inject_gp(&vcpu->arch);
        return VCPU_RESUME;
    case VMEXIT_EXCEPTION_DB:
        return handle_debug(vcpu);
    case VMEXIT_EXCEPTION_AC:
        return handle_alignment_check(vcpu);
    case VMEXIT_IRET:
        return handle_iret(vcpu);
    case VMEXIT_DR0_READ:
    case VMEXIT_DR1_READ:
    case VMEXIT_DR2_READ:
    case VMEXIT_DR3_READ:
    case VMEXIT_DR0_WRITE:
    case VMEXIT_DR1_WRITE:
    case VMEXIT_DR2_WRITE:
    case VMEXIT_DR3_WRITE:
    case VMEXIT_DR5_WRITE:
    case VMEXIT_DR7_WRITE:
        return handle_debug_register(vcpu);
    case VMEXIT_INVLPGA:
    case VMEXIT_VMRUN:
    case VMEXIT_VMLOAD:
    case VMEXIT_VMSAVE:
    case VMEXIT_STGI:
    case VMEXIT_CLGI:
    case VMEXIT_SKINIT:
    case VMEXIT_MONITOR:
    case VMEXIT_MWAIT:
    case VMEXIT_MWAIT_CONDITIONAL:
        return handle_undefined(vcpu);
    case VMEXIT_SHUTDOWN:
        return exit_shutdown(vcpu, packet, MX_GUEST_EXIT_OTHER, vmcb->control.exitcode,
                             "triple fault");
    default:
        return handle_unexpected(vcpu, packet);
    }
}
