// SVM's exits: what each code means, and what it tells that the common handlers need. Private to
// the SVM back end.
#pragma once

#include "kernel/arch/x86_64/hypervisor/backend.h"
#include "kernel/arch/x86_64/regs/control.h"
#include "kernel/arch/x86_64/regs/vmcb.h"

#define SEGMENT_L  (1u << 9) // segment attributes: 64-bit code
#define SEGMENT_DB (1u << 10)

struct svm_features {
    bool has_next_rip, has_clean_bits, has_decode_assist, has_pause_filter;
    // See svm.c, "Errata".
    bool loses_interrupts; // of the host's, in a VMRUN with V_IRQ
    bool spoils_cpu_0;     // the mode in which it is, by what other CPUs do
};

struct svm_vcpu {
    struct vmcb *vmcb;
    uint64_t vmcb_pa;
    uint32_t cpu_index; // where its translations and cached VMCB state are
    uint64_t asid_generation, flush_generation;
    bool has_virtual_irq;   // V_IRQ was set with the last entry
    bool has_injected;      // EVENTINJ was
    uint64_t offered_event; // what the last entry offered by V_IRQ and took out of arch->event; 0: nothing
    bool is_stepping_iret; // a trap after the IRET tells that NMIs are unblocked
    // DR0 to DR3, which the CPU does not switch. They are in the registers while the guest runs
    // only if it has breakpoints or has just touched them; otherwise touching them exits.
    bool has_debug_addresses;
    uint64_t debug_address[DEBUG_ADDRESS_COUNT];
};

static inline struct svm_vcpu *svm_of(struct vcpu *vcpu)
{
    return vcpu->arch.backend;
}

// Whether the guest's DR0 to DR3 are in the registers when it runs.
void svm_set_debug_addresses(struct svm_vcpu *svm, bool has_them);
extern struct svm_features svm_features; // of this machine; set at start-up
// The enum mx_guest_exit that an exit is counted under.
unsigned svm_exit_reason(const struct vmcb_control *control);
enum vcpu_result svm_handle_exit(struct vcpu *vcpu, struct mx_vcpu_packet *packet);
