// The whole register state of a vCPU: read, checked and written, and what INIT makes of it.
//
// Intel SDM Volume 3A, "Processor State After Reset"; AMD64 APM Volume 2, "Initial Processor
// State", and 15.5.1 "Basic Operation" (canonicalization and consistency checks of VMRUN), which
// the checks here repeat so that a bad state is refused when it is written and not when it runs.
#include <arch/fpu.h>
#include <arch/hypervisor.h>

#include "kernel/arch/x86_64/hypervisor/backend.h"
#include "kernel/arch/x86_64/hypervisor/exits.h"
#include "kernel/arch/x86_64/hypervisor/insn_fetch.h"
#include "kernel/arch/x86_64/hypervisor/msr.h"
#include "kernel/arch/x86_64/hypervisor/pv_eoi.h"
#include "kernel/arch/x86_64/hypervisor/reset.h"
#include "kernel/arch/x86_64/regs/cpuid.h"
#include "kernel/arch/x86_64/regs/msr.h"

#define CR0_KNOWN                                                                              \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
     CR0_PG)
#define CR4_KNOWN                                                                                 \
    (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |     \
     CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | \
     CR4_SMAP)
#define EFER_KNOWN     (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR)
#define RFLAGS_UNKNOWN (~(uint64_t)0x3f7fd7)
#define DR6_RESET      0xffff0ff0u
#define DR7_RESET      0x400u
#define PAT_RESET      0x0007040600070406u
#define CR0_RESET      (CR0_ET | CR0_NW | CR0_CD)
#define RESET_RIP      0xfff0u
#define RESET_CS       0xf000u
#define RESET_CS_BASE  0xffff0000u

#define SEGMENT_PRESENT_DATA 0x93 // read, write, accessed
#define SEGMENT_PRESENT_CODE 0x9b
#define SEGMENT_LDT          0x82
#define SEGMENT_TSS          0x8b
#define SEGMENT_LONG         (1u << 9)
#define SEGMENT_DB           (1u << 10)
#define SEGMENT_ATTRIBUTES   0xfffu
#define SEGMENT_LIMIT_16     0xffffu

// --- reset --------------------------------------------------------------------------------------

static void set_segment(struct mx_x86_segment_register *segment, uint16_t selector, uint64_t base,
                        uint16_t attributes)
{
    *segment = (struct mx_x86_segment_register){selector, attributes, SEGMENT_LIMIT_16, base};
}

static void fill_reset_state(struct mx_vcpu_state *state)
{
    *state = (struct mx_vcpu_state){
        .rip = RESET_RIP,
        .rflags = RFLAGS_ONE,
        .cr0 = CR0_RESET,
        .xcr0 = XCR0_X87,
        .dr6 = DR6_RESET,
        .dr7 = DR7_RESET,
        .gdt_limit = SEGMENT_LIMIT_16,
        .idt_limit = SEGMENT_LIMIT_16,
        .pat = PAT_RESET,
    };
    state->gpr[MX_X86_RDX] = cpuid_read(1, 0).eax;
    for (unsigned i = MX_X86_ES; i <= MX_X86_GS; i++)
        set_segment(&state->segment[i], 0, 0, SEGMENT_PRESENT_DATA);
    set_segment(&state->segment[MX_X86_CS], RESET_CS, RESET_CS_BASE, SEGMENT_PRESENT_CODE);
    set_segment(&state->segment[MX_X86_LDTR], 0, 0, SEGMENT_LDT);
    set_segment(&state->segment[MX_X86_TR], 0, 0, SEGMENT_TSS);
}

static void write_state(struct vcpu *vcpu, const struct mx_vcpu_state *state)
{
    struct arch_vcpu *arch = &vcpu->arch;

    for (unsigned i = 0; i < MX_X86_GPR_COUNT; i++)
        arch->gpr[i] = state->gpr[i];
    arch->rip = state->rip;
    arch->rflags = state->rflags | RFLAGS_ONE;
    arch->xcr0 = state->xcr0;
    arch->tsc_aux = state->tsc_aux;
    arch->pat = state->pat;
    arch->apic.tpr = (uint32_t)state->cr8 << 4;
    insn_forget(arch);
    hypervisor_backend->write_state(vcpu, state);
}

void vcpu_reset(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    struct mx_vcpu_state state;

    fill_reset_state(&state);
    // INIT leaves XCR0, PAT and TSC_AUX as they are; at power-on they are zero, which no XCR0 or
    // PAT can be.
    if (arch->xcr0)
        state.xcr0 = arch->xcr0;
    if (arch->pat)
        state.pat = arch->pat;
    state.tsc_aux = arch->tsc_aux;
    write_state(vcpu, &state);
    arch->event = 0;
    arch->nmi_count = 0;
    arch->is_nmi_blocked = arch->has_interrupt_shadow = false;
    arch->pending_vector = -1;
    arch->run_state = VCPU_RUNNING;
    (void)pv_eoi_write_msr(vcpu, 0);
    local_apic_reset(&arch->apic, false);
}

// --- checks -------------------------------------------------------------------------------------

static bool is_canonical(uint64_t addr)
{
    int64_t top = (int64_t)addr >> 47;

    return top == 0 || top == -1;
}

static bool control_registers_are_legal(const struct mx_vcpu_state *s)
{
    bool is_paging = s->cr0 & CR0_PG, is_long = is_paging && s->efer & EFER_LME;

    if (s->cr0 & ~(uint64_t)CR0_KNOWN || s->cr4 & ~(uint64_t)CR4_KNOWN || s->efer & ~EFER_KNOWN)
        return false;
    if ((is_paging && !(s->cr0 & CR0_PE)) || (s->cr0 & CR0_NW && !(s->cr0 & CR0_CD)))
        return false;
    if (is_long != !!(s->efer & EFER_LMA) || (is_long && !(s->cr4 & CR4_PAE)))
        return false;
    if (s->cr4 & CR4_PCIDE && !is_long)
        return false;
    return !(s->cr3 & ~(uint64_t)0x000fffffffffffff) && s->cr8 <= 0xf;
}

static bool code_segment_is_legal(const struct mx_vcpu_state *s)
{
    uint16_t attributes = s->segment[MX_X86_CS].attributes;

    if (!(s->efer & EFER_LMA))
        return s->rip <= UINT32_MAX;
    if (attributes & SEGMENT_LONG)
        return !(attributes & SEGMENT_DB) && is_canonical(s->rip);
    return s->rip <= UINT32_MAX;
}

static bool segments_are_legal(const struct mx_vcpu_state *s)
{
    for (unsigned i = 0; i < MX_X86_SEGMENT_COUNT; i++)
        if (s->segment[i].attributes & ~SEGMENT_ATTRIBUTES || !is_canonical(s->segment[i].base))
            return false;
    return is_canonical(s->gdt_base) && is_canonical(s->idt_base) &&
           s->gdt_limit <= SEGMENT_LIMIT_16 && s->idt_limit <= SEGMENT_LIMIT_16 &&
           code_segment_is_legal(s);
}

static bool msrs_are_legal(const struct mx_vcpu_state *s)
{
    return is_canonical(s->lstar) && is_canonical(s->cstar) && is_canonical(s->kernel_gs_base) &&
           is_canonical(s->sysenter_esp) && is_canonical(s->sysenter_eip) &&
           guest_tsc_aux_is_legal(s->tsc_aux) && guest_pat_is_legal(s->pat);
}

static bool state_is_legal(const struct mx_vcpu_state *s)
{
    if (s->rflags & RFLAGS_UNKNOWN || s->dr6 >> 32 || s->dr7 >> 32)
        return false;
    // Without XSAVE there is no XCR0 to set.
    if (fpu_host_xcr0() ? !guest_xcr0_is_legal(s->xcr0) : s->xcr0 > XCR0_X87)
        return false;
    return control_registers_are_legal(s) && segments_are_legal(s) && msrs_are_legal(s);
}

mx_status_t arch_vcpu_write_state(struct vcpu *vcpu, const struct mx_vcpu_state *state)
{
    if (!state_is_legal(state))
        return MX_ERR_INVALID_ARGS;
    write_state(vcpu, state);
    vcpu->arch.reply = VCPU_REPLY_NONE; // the instruction that asked is not there any more
    return MX_OK;
}

mx_status_t arch_vcpu_read_state(struct vcpu *vcpu, struct mx_vcpu_state *state)
{
    const struct arch_vcpu *arch = &vcpu->arch;

    for (unsigned i = 0; i < MX_X86_GPR_COUNT; i++)
        state->gpr[i] = arch->gpr[i];
    state->rip = arch->rip;
    state->rflags = arch->rflags;
    state->xcr0 = arch->xcr0;
    state->tsc_aux = arch->tsc_aux;
    state->pat = arch->pat;
    state->cr8 = local_apic_task_class(&arch->apic);
    hypervisor_backend->read_state(vcpu, state);
    return MX_OK;
}
