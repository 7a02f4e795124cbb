// The paravirtual end of interrupt; see pv_eoi.h.
//
// The word is reached through the linear map. It stays where it is from the look at the generation
// until interrupts are on again, as in insn_fetch.c.
#include "kernel/arch/x86_64/hypervisor/pv_eoi.h"

#include "kernel/hypervisor/guest.h"

#define PV_EOI_ENABLE   1u // in the MSR
#define PV_EOI_RESERVED 2u
#define PV_EOI_PENDING  1u // in the word: the next EOI needs no exit

static uint64_t flush_generation(const struct vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->guest->aspace->arch.flush_generation, __ATOMIC_SEQ_CST);
}

static void find_word(struct vcpu *vcpu)
{
    struct pv_eoi *eoi = &vcpu->arch.pv_eoi;
    // Before the look: what is taken away during it makes the word old.
    uint64_t generation = flush_generation(vcpu);
    void *word;

    eoi->flush_generation = generation;
    eoi->word = NULL;
    if (aspace_translate(vcpu->guest->aspace, eoi->msr & ~(uint64_t)PV_EOI_ENABLE, MX_MAP_WRITE,
                         &word) == MX_OK)
        eoi->word = word;
}

void pv_eoi_find_word_slow(struct vcpu *vcpu)
{
    if (vcpu->arch.pv_eoi.flush_generation != flush_generation(vcpu))
        find_word(vcpu);
}

bool pv_eoi_write_msr(struct vcpu *vcpu, uint64_t value)
{
    struct pv_eoi *eoi = &vcpu->arch.pv_eoi;

    if (value & PV_EOI_RESERVED)
        return false;
    eoi->word = NULL;
    eoi->msr = value & PV_EOI_ENABLE ? value : 0;
    if (eoi->msr != 0)
        find_word(vcpu);
    return true;
}

void pv_eoi_offer_slow(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    struct pv_eoi *eoi = &arch->pv_eoi;
    uint64_t *active_cpus = &vcpu->guest->aspace->arch.active_cpus;
    uint64_t bit = (uint64_t)1 << arch_current_cpu()->index;

    if (!local_apic_has_lone_interrupt(&arch->apic, arch->pending_vector))
        return;
    if (!(__atomic_load_n(active_cpus, __ATOMIC_SEQ_CST) & bit))
        __atomic_fetch_or(active_cpus, bit, __ATOMIC_SEQ_CST);
    if (eoi->flush_generation != flush_generation(vcpu))
        return; // found again before the next entry
    __atomic_store_n(eoi->word, PV_EOI_PENDING, __ATOMIC_RELAXED);
    eoi->is_offered = true;
}

void pv_eoi_collect_slow(struct vcpu *vcpu)
{
    struct pv_eoi *eoi = &vcpu->arch.pv_eoi;
    uint32_t left = __atomic_load_n(eoi->word, __ATOMIC_RELAXED);

    eoi->is_offered = false;
    __atomic_store_n(eoi->word, 0, __ATOMIC_RELAXED);
    if (!(left & PV_EOI_PENDING))
        local_apic_end_lone_interrupt(&vcpu->arch.apic);
}
