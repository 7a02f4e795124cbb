// KVM's paravirtual end of interrupt: a word of guest memory by which the guest ends an interrupt
// without an exit (Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_EOI_EN).
//
// Before an entry the kernel sets bit 0 if exactly one interrupt is in flight and its end concerns
// nobody but this local APIC. A guest that finds the bit set clears it in place of writing the EOI
// register. After the exit the kernel takes the bit back: one that is gone was an EOI. While
// interrupts are nested the bit stays clear, since it could not say which one ended.
#pragma once

#include "kernel/hypervisor/vcpu.h"

// MSR_KVM_EOI_EN: an address, aligned to 4, and bit 0 to enable. False: #GP.
bool pv_eoi_write_msr(struct vcpu *vcpu, uint64_t value);

// Finds the word again if memory was taken away from the guest. Interrupts enabled; may sleep.
void pv_eoi_find_word_slow(struct vcpu *vcpu);
static inline void pv_eoi_find_word(struct vcpu *vcpu)
{
    if (vcpu->arch.pv_eoi.msr != 0)
        pv_eoi_find_word_slow(vcpu);
}

// Around the world switch, with interrupts disabled from before the one until after the other. The
// offer comes after arch->pending_vector is chosen, the collection after it is settled.
void pv_eoi_offer_slow(struct vcpu *vcpu);
static inline void pv_eoi_offer(struct vcpu *vcpu)
{
    if (vcpu->arch.pv_eoi.word)
        pv_eoi_offer_slow(vcpu);
}
void pv_eoi_collect_slow(struct vcpu *vcpu);
static inline void pv_eoi_collect(struct vcpu *vcpu)
{
    if (vcpu->arch.pv_eoi.is_offered)
        pv_eoi_collect_slow(vcpu);
}
