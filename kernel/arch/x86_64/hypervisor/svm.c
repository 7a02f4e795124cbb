// SVM: AMD's virtualization, with nested paging. AMD64 Architecture Programmer's Manual Volume 2,
// chapter 15.
//
// One VMCB per vCPU. Address space ids are given out per CPU and generation: a vCPU takes a new one
// when it comes to another CPU, when that CPU ran out of them, or when translations of the guest's
// memory were taken away (<arch/aspace_state.h>); a new id has no translations, so no flush by id
// is needed. All ports and all MSRs exit, but for the MSRs that VMLOAD and VMSAVE switch.
//
// Interrupts are given to the CPU as virtual interrupts (V_IRQ), which it delivers through the
// guest's IDT as soon as the guest can take them, without an exit; that V_IRQ is clear after an
// exit says that it did. Task priority: as long as one is pending, writes of CR8 exit, so V_TPR
// need not be compared by the CPU. An interrupt that has left the local APIC (delivered again, or
// from the VMM's interrupt controller) goes the same way and not by EVENTINJ, after which some
// emulators deliver it once more at any later time.
#include <arch/fpu.h>
#include <arch/mmu.h>

#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/hypervisor/backend.h"
#include "kernel/arch/x86_64/hypervisor/svm_exits.h"
#include "kernel/arch/x86_64/regs/cpuid.h"
#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/tsc.h"
#include "kernel/core/log.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/memory/phys.h"

#define IOPM_ORDER             2 // 12 KiB in a block of 16
#define MSRPM_ORDER            1 // 8 KiB
#define MSRPM_RANGE_SIZE       0x2000
#define PAUSE_FILTER_COUNT     3000
#define PAUSE_FILTER_THRESHOLD 128
#define EXCEPTION_DB           1
#define EXCEPTION_AC           17
#define EXCEPTION_MC           18

// This CPU's; written by it only.
struct svm_cpu {
    paddr_t host_vmcb;
    uint64_t asid_generation;
    uint32_t next_asid;
    uint64_t tsc_aux; // what the MSR holds
};

static struct svm_cpu svm_cpus[CPU_MAX];
struct svm_features svm_features;
static uint32_t clean_after_exit; // what the CPU may keep of a VMCB that nobody changed
static uint64_t host_xcr0;        // 0: the CPU has none
static uint32_t asid_count;
static struct pv_clock_scale time_scale; // of the TSC
static paddr_t io_permission_map, msr_permission_map;

void svm_switch(uint64_t *gpr, uint64_t guest_vmcb, uint64_t host_vmcb);

// --- start-up -----------------------------------------------------------------------------------

// Lets the guest read and write an MSR itself. Two bits each: 15.11 "MSR Intercepts".
static void pass_msr(uint8_t *map, uint32_t msr)
{
    uint32_t index =
        msr < MSRPM_RANGE_SIZE ? msr : MSRPM_RANGE_SIZE + (msr & (MSRPM_RANGE_SIZE - 1));

    map[index / 4] &= (uint8_t) ~(3u << (index % 4 * 2));
}

static const uint32_t passed_msrs[] = {
    MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR,         MSR_LSTAR,
    MSR_CSTAR,   MSR_SFMASK,  MSR_SYSENTER_CS,    MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
};

static bool allocate_maps(void)
{
    uint8_t *map;

    io_permission_map = phys_alloc(IOPM_ORDER, PHYS_USE_HEAP);
    msr_permission_map = phys_alloc(MSRPM_ORDER, PHYS_USE_HEAP);
    if (paddr_is_none(io_permission_map) || paddr_is_none(msr_permission_map))
        return false;
    memset(arch_phys_to_virt(io_permission_map), 0xff, PAGE_SIZE << IOPM_ORDER);
    map = arch_phys_to_virt(msr_permission_map);
    memset(map, 0xff, PAGE_SIZE << MSRPM_ORDER);
    for (size_t i = 0; i < ARRAY_COUNT(passed_msrs); i++)
        pass_msr(map, passed_msrs[i]);
    return true;
}

// Errata.
//
// QEMU's software emulation, as of version 7.2:
// - VMRUN with V_IRQ set changes the word in which other threads of the emulator note this CPU's
//   interrupts, and not atomically, so that one noted at the same time may stay unseen in the local
//   APIC: apic_look_again().
// - XRSTOR and FXRSTOR on any CPU write, not atomically, to the word that holds GIF and "nested
//   paging is on" of CPU 0 (to deassert IGNNE#, which only that one has). What VMRUN or #VMEXIT
//   changes there at the same time is lost: the guest goes on without its second stage, or the host
//   with it. CPU 0 therefore runs no threads, unless there is no other.
static void find_errata(void)
{
    svm_features.loses_interrupts = cpuid_is_hypervisor("TCGTCGTCGTCG");
    svm_features.spoils_cpu_0 = svm_features.loses_interrupts && cpu_count > 1;
}

static bool svm_spares_cpu(uint32_t cpu_index)
{
    return cpu_index == 0 && svm_features.spoils_cpu_0;
}

static void describe(char *text, size_t size_bytes, uint32_t revision)
{
    print_format(text, size_bytes, "SVM rev %u: NPT, %u ASIDs%s%s%s%s%s%s", revision & 0xff,
                 asid_count, svm_features.has_next_rip ? ", next RIP" : "",
                 svm_features.has_clean_bits ? ", clean bits" : "",
                 svm_features.has_decode_assist ? ", decode assist" : "",
                 svm_features.has_pause_filter ? ", pause filter" : "",
                 svm_features.loses_interrupts ? ", loses interrupts (worked around)" : "",
                 svm_features.spoils_cpu_0 ? ", not safe on CPU 0 (left idle)" : "");
}

static mx_status_t svm_init(char *text, size_t size_bytes)
{
    struct cpuid_result leaf = cpuid_read_if_present(0x8000000a, 0);

    if (!cpuid_has(CPUID_SVM)) {
        print_format(text, size_bytes, "none: the CPU has no SVM");
        return MX_ERR_NOT_SUPPORTED;
    }
    if (msr_read(MSR_VM_CR) & VM_CR_SVM_DISABLE) {
        print_format(text, size_bytes, "none: SVM is turned off by the firmware");
        return MX_ERR_NOT_SUPPORTED;
    }
    if (!(leaf.edx & SVM_FEATURE_NPT) || leaf.ebx < 2) {
        print_format(text, size_bytes, "none: the CPU's SVM has no nested paging");
        return MX_ERR_NOT_SUPPORTED;
    }
    if (!allocate_maps()) {
        print_format(text, size_bytes, "none: no memory");
        return MX_ERR_NO_MEMORY;
    }
    svm_features = (struct svm_features){
        .has_next_rip = leaf.edx & SVM_FEATURE_NRIPS,
        .has_clean_bits = leaf.edx & SVM_FEATURE_VMCB_CLEAN,
        .has_decode_assist = leaf.edx & SVM_FEATURE_DECODE_ASSIST,
        .has_pause_filter = leaf.edx & SVM_FEATURE_PAUSE_FILTER,
    };
    clean_after_exit = svm_features.has_clean_bits ? VMCB_CLEAN_ALL & ~VMCB_CLEAN_TPR : 0;
    asid_count = leaf.ebx;
    host_xcr0 = fpu_host_xcr0();
    time_scale = pv_clock_scale_from_hz(tsc_hz());
    find_errata();
    describe(text, size_bytes, leaf.eax);
    return MX_OK;
}

static void svm_init_cpu(void)
{
    struct svm_cpu *cpu = &svm_cpus[arch_current_cpu()->index];
    paddr_t save_area = phys_alloc_zeroed(0, PHYS_USE_HEAP);

    cpu->host_vmcb = phys_alloc_zeroed(0, PHYS_USE_HEAP);
    if (paddr_is_none(save_area) || paddr_is_none(cpu->host_vmcb))
        panic("no memory for SVM at start-up");
    cpu->asid_generation = 1;
    cpu->next_asid = 1;
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME);
    msr_write(MSR_VM_HSAVE_PA, save_area.raw);
    if (cpuid_has(CPUID_RDTSCP))
        msr_write(MSR_TSC_AUX, 0);
}

// --- vCPUs --------------------------------------------------------------------------------------

static void set_intercepts(struct vmcb_control *control)
{
    control->intercept_exceptions =
        VMCB_BIT(EXCEPTION_DB) | VMCB_BIT(EXCEPTION_AC) | VMCB_BIT(EXCEPTION_MC);
    control->intercept_misc1 = VMCB_INTERCEPT_INTR | VMCB_INTERCEPT_NMI | VMCB_INTERCEPT_SMI |
                               VMCB_INTERCEPT_INIT | VMCB_INTERCEPT_RDPMC | VMCB_INTERCEPT_CPUID |
                               VMCB_INTERCEPT_INVD | VMCB_INTERCEPT_HLT | VMCB_INTERCEPT_INVLPGA |
                               VMCB_INTERCEPT_IOIO_PROT | VMCB_INTERCEPT_MSR_PROT |
                               VMCB_INTERCEPT_SHUTDOWN;
    control->intercept_misc2 = VMCB_INTERCEPT_VMRUN | VMCB_INTERCEPT_VMMCALL |
                               VMCB_INTERCEPT_VMLOAD | VMCB_INTERCEPT_VMSAVE | VMCB_INTERCEPT_STGI |
                               VMCB_INTERCEPT_CLGI | VMCB_INTERCEPT_SKINIT | VMCB_INTERCEPT_WBINVD |
                               VMCB_INTERCEPT_MONITOR | VMCB_INTERCEPT_MWAIT |
                               VMCB_INTERCEPT_XSETBV;
}

void svm_set_debug_addresses(struct svm_vcpu *svm, bool has_them)
{
    struct vmcb_control *control = &svm->vmcb->control;

    svm->has_debug_addresses = has_them;
    control->intercept_dr = has_them ? 0 : VMCB_INTERCEPT_DR_ADDRESSES;
    control->clean &= ~VMCB_CLEAN_INTERCEPTS;
}

static mx_status_t svm_vcpu_init(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = object_alloc(vcpu->guest->job, sizeof(*svm));
    struct vmcb_control *control;

    if (!svm)
        return MX_ERR_NO_MEMORY;
    svm->vmcb = object_alloc(vcpu->guest->job, sizeof(*svm->vmcb));
    if (!svm->vmcb) {
        object_free(vcpu->guest->job, svm, sizeof(*svm));
        return MX_ERR_NO_MEMORY;
    }
    svm->vmcb_pa = arch_virt_to_phys(svm->vmcb).raw;
    svm->cpu_index = VCPU_NO_CPU;
    control = &svm->vmcb->control;
    set_intercepts(control);
    svm_set_debug_addresses(svm, false);
    control->iopm_base_pa = io_permission_map.raw;
    control->msrpm_base_pa = msr_permission_map.raw;
    control->tsc_offset = vcpu->arch.tsc_offset;
    control->np_enable = VMCB_NP_ENABLE;
    control->n_cr3 = vcpu->guest->aspace->arch.root;
    control->pause_filter_count = PAUSE_FILTER_COUNT;
    control->pause_filter_threshold = PAUSE_FILTER_THRESHOLD;
    vcpu->arch.backend = svm;
    return MX_OK;
}

static void svm_vcpu_destroy(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = vcpu->arch.backend;
    struct job *job = vcpu->guest->job;

    object_free(job, svm->vmcb, sizeof(*svm->vmcb));
    object_free(job, svm, sizeof(*svm));
}

// --- entry --------------------------------------------------------------------------------------

// Of the bits in `mask`, intercepts those in `wanted` only.
static void choose_intercepts(uint32_t *word, uint32_t mask, uint32_t wanted,
                              struct vmcb_control *control)
{
    if ((*word & mask) == wanted)
        return;
    *word = (*word & ~mask) | wanted;
    control->clean &= ~VMCB_CLEAN_INTERCEPTS;
}

static bool is_interrupt_event(uint64_t event)
{
    return event & VCPU_EVENT_VALID && (event & VCPU_EVENT_TYPE_MASK) == VCPU_EVENT_EXTERNAL;
}

// What V_IRQ offers, or -1: the local APIC's vector, or an event that is an interrupt. Such an
// event is injected only while V_IRQ is needed for something else.
static int choose_offer(struct svm_vcpu *svm, struct arch_vcpu *arch, int vector, bool wants_window)
{
    arch->pending_vector = -1;
    svm->offered_event = 0;
    if (wants_window)
        return -1;
    if (vector >= 0 && (uint32_t)vector >> 4 > local_apic_task_class(&arch->apic)) {
        arch->pending_vector = vector;
        return vector;
    }
    if (!is_interrupt_event(arch->event))
        return -1;
    svm->offered_event = arch->event;
    arch->event = 0;
    return svm->offered_event & VMCB_EVENT_VECTOR_MASK;
}

static void svm_prepare(struct vcpu *vcpu, int vector, bool wants_window)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    struct arch_vcpu *arch = &vcpu->arch;
    struct vmcb_control *control = &svm->vmcb->control;
    uint32_t v_intr = VMCB_V_INTR_MASKING | local_apic_task_class(&arch->apic);
    int offer = choose_offer(svm, arch, vector, wants_window);

    if (offer >= 0)
        control->v_intr_vector = (uint8_t)offer;
    if (offer >= 0 || wants_window)
        v_intr |= VMCB_V_IRQ | VMCB_V_IGN_TPR;
    control->v_intr = v_intr;
    svm->has_virtual_irq = v_intr & VMCB_V_IRQ;
    choose_intercepts(&control->intercept_misc1, VMCB_INTERCEPT_VINTR,
                      wants_window ? VMCB_INTERCEPT_VINTR : 0, control);
    choose_intercepts(&control->intercept_cr, VMCB_INTERCEPT_CR8_WRITE,
                      vector >= 0 ? VMCB_INTERCEPT_CR8_WRITE : 0, control);
}

// A new id for a vCPU that has none on this CPU or must forget its translations.
static void assign_asid(struct svm_vcpu *svm, struct svm_cpu *cpu, uint32_t cpu_index,
                        uint64_t flush_generation)
{
    struct vmcb_control *control = &svm->vmcb->control;

    if (cpu->next_asid == asid_count) {
        cpu->next_asid = 1; // zero is the host's
        cpu->asid_generation++;
        control->tlb_control = VMCB_TLB_CONTROL_FLUSH_ALL;
    }
    if (svm->cpu_index != cpu_index)
        control->clean = 0; // what another CPU cached is not what this one did
    control->guest_asid = cpu->next_asid++;
    control->clean &= ~VMCB_CLEAN_ASID;
    svm->cpu_index = cpu_index;
    svm->asid_generation = cpu->asid_generation;
    svm->flush_generation = flush_generation;
}

// Steps 1 and 2 of the protocol in <arch/aspace_state.h>.
static void check_translations(struct vcpu *vcpu, struct svm_cpu *cpu, uint32_t cpu_index)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    struct arch_aspace *aspace = &vcpu->guest->aspace->arch;
    uint64_t bit = (uint64_t)1 << cpu_index, generation;

    if (!(__atomic_load_n(&aspace->active_cpus, __ATOMIC_SEQ_CST) & bit))
        __atomic_fetch_or(&aspace->active_cpus, bit, __ATOMIC_SEQ_CST);
    generation = __atomic_load_n(&aspace->flush_generation, __ATOMIC_SEQ_CST);
    if (svm->cpu_index != cpu_index || svm->flush_generation != generation ||
        svm->asid_generation != cpu->asid_generation)
        assign_asid(svm, cpu, cpu_index, generation);
}

static void load_guest_registers(struct svm_vcpu *svm, struct arch_vcpu *arch)
{
    struct vmcb *vmcb = svm->vmcb;

    vmcb->save.rax = arch->gpr[MX_X86_RAX];
    vmcb->save.rsp = arch->gpr[MX_X86_RSP];
    vmcb->save.rip = arch->rip;
    vmcb->save.rflags = arch->rflags;
    vmcb->control.interrupt_shadow = arch->has_interrupt_shadow;
    vmcb->control.eventinj = arch->event;
    svm->has_injected = arch->event != 0;
    arch->event = 0;
}

static void save_guest_registers(struct arch_vcpu *arch, const struct vmcb *vmcb)
{
    arch->gpr[MX_X86_RAX] = vmcb->save.rax;
    arch->gpr[MX_X86_RSP] = vmcb->save.rsp;
    arch->rip = vmcb->save.rip;
    arch->rflags = vmcb->save.rflags;
    arch->has_interrupt_shadow = vmcb->control.interrupt_shadow & VMCB_INTERRUPT_SHADOW;
}

// An event whose delivery the exit cut short is delivered again. Software interrupts are not: RIP
// is still at their instruction. Nor is an interrupt of which the CPU says so while it still holds
// the offer of it: that will be made again.
static void take_back_event(struct arch_vcpu *arch, uint64_t info, bool is_offer_standing)
{
    uint32_t vector = info & VMCB_EVENT_VECTOR_MASK;
    uint32_t type = info & VMCB_EVENT_TYPE_MASK;

    if (type == VMCB_EVENT_TYPE_SOFTWARE ||
        (type == VMCB_EVENT_TYPE_EXCEPTION && (vector == 3 || vector == 4)))
        return;
    // Some CPU models report an interrupt as an exception.
    if (type == VMCB_EVENT_TYPE_EXCEPTION && vector >= 32) {
        type = VMCB_EVENT_TYPE_INTR;
        info &= ~(uint64_t)(VMCB_EVENT_TYPE_MASK | VMCB_EVENT_ERROR_VALID);
    }
    if (type != VMCB_EVENT_TYPE_INTR || !is_offer_standing)
        arch->event = info;
}

static void settle_interrupts(struct svm_vcpu *svm, struct arch_vcpu *arch)
{
    const struct vmcb_control *control = &svm->vmcb->control;
    uint32_t task_class = control->v_intr & 0xf;
    bool is_offer_standing = control->v_intr & VMCB_V_IRQ;

    if (task_class != local_apic_task_class(&arch->apic))
        local_apic_set_task_class(&arch->apic, task_class);
    if (arch->pending_vector >= 0 && !is_offer_standing)
        local_apic_accept_vector(&arch->apic, (uint8_t)arch->pending_vector);
    if (is_offer_standing)
        arch->event = svm->offered_event;
    if (control->exitintinfo & VMCB_EVENT_VALID)
        take_back_event(arch, control->exitintinfo, is_offer_standing && !svm->has_injected);
}

// The values of a guest that has no breakpoints are kept, and its next access exits.
static void save_debug_addresses(struct svm_vcpu *svm)
{
    debug_addresses_read(svm->debug_address);
    if (!(svm->vmcb->save.dr7 & DR7_ENABLES))
        svm_set_debug_addresses(svm, false);
}

// XSETBV is intercepted, but emulators may let the guest have its way all the same: what counts is
// what the register says.
static void take_back_xcr0(struct arch_vcpu *arch)
{
    arch->xcr0 = xcr0_read();
    if (arch->xcr0 != host_xcr0)
        xcr0_write(host_xcr0);
}

static void svm_run(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    struct svm_vcpu *svm = svm_of(vcpu);
    struct vmcb *vmcb = svm->vmcb;
    uint32_t cpu_index = arch_current_cpu()->index;
    struct svm_cpu *cpu = &svm_cpus[cpu_index];
    uint64_t start;

    check_translations(vcpu, cpu, cpu_index);
    if (cpu->tsc_aux != arch->tsc_aux) {
        msr_write(MSR_TSC_AUX, arch->tsc_aux);
        cpu->tsc_aux = arch->tsc_aux;
    }
    choose_intercepts(
        &vmcb->control.intercept_misc1, VMCB_INTERCEPT_PAUSE | VMCB_INTERCEPT_IRET,
        (arch->has_pause_exits ? VMCB_INTERCEPT_PAUSE : 0) |
            (arch->is_nmi_blocked && !svm->is_stepping_iret ? VMCB_INTERCEPT_IRET : 0),
        &vmcb->control);
    load_guest_registers(svm, arch);
    if (svm->has_debug_addresses)
        debug_addresses_write(svm->debug_address);
    if (host_xcr0 && arch->xcr0 != host_xcr0)
        xcr0_write(arch->xcr0);
    start = tsc_read();
    svm_switch(arch->gpr, svm->vmcb_pa, cpu->host_vmcb.raw);
    if (svm_features.loses_interrupts && svm->has_virtual_irq)
        apic_look_again();
    vcpu->run_time_ns += pv_clock_scale_apply(time_scale, tsc_read() - start);
    if (host_xcr0)
        take_back_xcr0(arch);
    vmcb->control.tlb_control = VMCB_TLB_CONTROL_NONE;
    // V_TPR and V_IRQ change with each entry, all else says so where it is changed.
    vmcb->control.clean = clean_after_exit;
    if (svm->has_debug_addresses)
        save_debug_addresses(svm);
    save_guest_registers(arch, vmcb);
    settle_interrupts(svm, arch);
    vcpu_count_exit(vcpu, svm_exit_reason(&vmcb->control));
}

// --- the rest of the state ----------------------------------------------------------------------

static uint64_t svm_read_control(struct vcpu *vcpu, enum vcpu_control which)
{
    const struct vmcb_save *save = &svm_of(vcpu)->vmcb->save;

    switch (which) {
    case VCPU_CR0:
        return save->cr0;
    case VCPU_CR3:
        return save->cr3;
    case VCPU_CR4:
        return save->cr4;
    case VCPU_EFER:
        return save->efer & ~EFER_SVME;
    case VCPU_CS_BASE:
        return save->cs.base;
    }
    return 0;
}

static uint64_t svm_read_paging(struct vcpu *vcpu, uint64_t *cr3)
{
    const struct vmcb_save *save = &svm_of(vcpu)->vmcb->save;

    *cr3 = save->cr3;
    return (save->cr0 & CR0_PG) | (save->cr4 & (CR4_PSE | CR4_PAE | CR4_LA57)) |
           (save->efer & EFER_LMA);
}

static void svm_write_efer(struct vcpu *vcpu, uint64_t value)
{
    struct vmcb *vmcb = svm_of(vcpu)->vmcb;

    vmcb->save.efer = value | EFER_SVME; // VMRUN insists on it
    vmcb->control.clean &= ~VMCB_CLEAN_CRX;
}

static void svm_write_cr2(struct vcpu *vcpu, uint64_t value)
{
    struct vmcb *vmcb = svm_of(vcpu)->vmcb;

    vmcb->save.cr2 = value;
    vmcb->control.clean &= ~VMCB_CLEAN_CR2;
}

static void svm_write_pat(struct vcpu *vcpu, uint64_t value)
{
    struct vmcb *vmcb = svm_of(vcpu)->vmcb;

    vmcb->save.g_pat = value;
    vmcb->control.clean &= ~VMCB_CLEAN_NP;
}

static void svm_tsc_offset_changed(struct vcpu *vcpu)
{
    struct vmcb_control *control = &svm_of(vcpu)->vmcb->control;

    control->tsc_offset = vcpu->arch.tsc_offset;
    control->clean &= ~VMCB_CLEAN_INTERCEPTS; // the TSC offset is in this group
}

static unsigned svm_code_bits(struct vcpu *vcpu)
{
    const struct vmcb_save *save = &svm_of(vcpu)->vmcb->save;

    if (save->efer & EFER_LMA && save->cs.attributes & SEGMENT_L)
        return 64;
    return save->cs.attributes & SEGMENT_DB ? 32 : 16;
}

static void svm_read_insn_state(struct vcpu *vcpu, struct mx_insn_state *state)
{
    const struct arch_vcpu *arch = &vcpu->arch;
    const struct vmcb_save *save = &svm_of(vcpu)->vmcb->save;

    memcpy(state->gpr, arch->gpr, sizeof(state->gpr));
    state->rip = arch->rip;
    state->rflags = arch->rflags;
    state->cr0 = save->cr0;
    state->cr3 = save->cr3;
    state->cr4 = save->cr4;
    state->efer = save->efer & ~EFER_SVME;
    memcpy(state->segment, &save->es,
           sizeof(state->segment)); // ES, CS, SS, DS, FS, GS in this order in both
    state->cpl = save->cpl;
    state->reserved = 0;
}

static void svm_read_state(struct vcpu *vcpu, struct mx_vcpu_state *state)
{
    const struct vmcb_save *save = &svm_of(vcpu)->vmcb->save;

    state->cr0 = save->cr0;
    state->cr2 = save->cr2;
    state->cr3 = save->cr3;
    state->cr4 = save->cr4;
    state->efer = save->efer & ~EFER_SVME;
    state->dr6 = save->dr6;
    state->dr7 = save->dr7;
    memcpy(state->segment, &save->es, 6 * sizeof(state->segment[0]));
    state->segment[MX_X86_LDTR] = save->ldtr;
    state->segment[MX_X86_TR] = save->tr;
    state->gdt_base = save->gdtr.base;
    state->gdt_limit = save->gdtr.limit;
    state->idt_base = save->idtr.base;
    state->idt_limit = save->idtr.limit;
    state->star = save->star;
    state->lstar = save->lstar;
    state->cstar = save->cstar;
    state->sfmask = save->sfmask;
    state->kernel_gs_base = save->kernel_gs_base;
    state->sysenter_cs = save->sysenter_cs;
    state->sysenter_esp = save->sysenter_esp;
    state->sysenter_eip = save->sysenter_eip;
}

static uint8_t privilege_level(const struct mx_vcpu_state *state)
{
    if (!(state->cr0 & CR0_PE))
        return 0;
    return state->rflags & RFLAGS_VM ? 3 : state->segment[MX_X86_SS].attributes >> 5 & 3;
}

static void svm_write_state(struct vcpu *vcpu, const struct mx_vcpu_state *state)
{
    struct vmcb *vmcb = svm_of(vcpu)->vmcb;
    struct vmcb_save *save = &vmcb->save;

    vmcb->control.clean = 0;
    save->cr0 = state->cr0;
    save->cr2 = state->cr2;
    save->cr3 = state->cr3;
    save->cr4 = state->cr4;
    save->efer = state->efer | EFER_SVME;
    save->dr6 = state->dr6;
    save->dr7 = state->dr7;
    memcpy(&save->es, state->segment, 6 * sizeof(state->segment[0]));
    save->ldtr = state->segment[MX_X86_LDTR];
    save->tr = state->segment[MX_X86_TR];
    save->gdtr.base = state->gdt_base;
    save->gdtr.limit = state->gdt_limit;
    save->idtr.base = state->idt_base;
    save->idtr.limit = state->idt_limit;
    save->star = state->star;
    save->lstar = state->lstar;
    save->cstar = state->cstar;
    save->sfmask = state->sfmask;
    save->kernel_gs_base = state->kernel_gs_base;
    save->sysenter_cs = state->sysenter_cs;
    save->sysenter_esp = state->sysenter_esp;
    save->sysenter_eip = state->sysenter_eip;
    save->g_pat = state->pat;
    save->cpl = privilege_level(state);
    svm_set_debug_addresses(svm_of(vcpu), state->dr7 & DR7_ENABLES);
    svm_of(vcpu)->cpu_index = VCPU_NO_CPU; // other page tables: forget translations
}

static void svm_set_startup(struct vcpu *vcpu, uint8_t vector)
{
    struct vmcb *vmcb = svm_of(vcpu)->vmcb;

    vmcb->save.cs.selector = (uint16_t)(vector << 8);
    vmcb->save.cs.base = (uint64_t)vector << 12;
    vmcb->control.clean &= ~VMCB_CLEAN_SEG;
    vcpu->arch.rip = 0;
}

const struct hypervisor_backend svm_backend = {
    .init = svm_init,
    .init_cpu = svm_init_cpu,
    .spares_cpu = svm_spares_cpu,
    .vcpu_init = svm_vcpu_init,
    .vcpu_destroy = svm_vcpu_destroy,
    .prepare = svm_prepare,
    .run = svm_run,
    .handle_exit = svm_handle_exit,
    .read_control = svm_read_control,
    .read_paging = svm_read_paging,
    .write_efer = svm_write_efer,
    .write_cr2 = svm_write_cr2,
    .write_pat = svm_write_pat,
    .tsc_offset_changed = svm_tsc_offset_changed,
    .code_bits = svm_code_bits,
    .read_insn_state = svm_read_insn_state,
    .read_state = svm_read_state,
    .write_state = svm_write_state,
    .set_startup = svm_set_startup,
};
