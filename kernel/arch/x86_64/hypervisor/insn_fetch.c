// Instruction fetch; see insn_fetch.h.
//
// The page fetched from last is remembered, by CR3 and linear address, for as long as no
// translation of the guest's memory was taken away. If the guest has changed its own page tables
// meanwhile the bytes may be old: so a byte that is neither the opcode nor a prefix makes it look
// again.
#include "kernel/arch/x86_64/hypervisor/insn_fetch.h"

#include "kernel/arch/x86_64/hypervisor/backend.h"
#include "kernel/arch/x86_64/hypervisor/portable/guest_walk.h"
#include "kernel/arch/x86_64/hypervisor/portable/mov_access.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/lib/string.h"

#define PAGE_MASK (MX_PAGE_SIZE - 1)

static bool read_table(void *context, uint64_t guest_physical, unsigned width_bytes,
                       uint64_t *value)
{
    struct vcpu *vcpu = context;

    *value = 0;
    return aspace_read(vcpu->guest->aspace, guest_physical, value, width_bytes) == MX_OK;
}

static uint64_t linear_rip(struct vcpu *vcpu, unsigned code_bits)
{
    uint64_t linear = vcpu->arch.rip;

    if (code_bits == 64)
        return linear;
    return (linear + hypervisor_backend->read_control(vcpu, VCPU_CS_BASE)) & UINT32_MAX;
}

static uint64_t flush_generation(const struct vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->guest->aspace->arch.flush_generation, __ATOMIC_SEQ_CST);
}

static bool translate(struct vcpu *vcpu, uint64_t linear, uint64_t *guest_physical)
{
    const struct hypervisor_backend *backend = hypervisor_backend;
    const struct guest_walk walk = {
        .cr0 = backend->read_control(vcpu, VCPU_CR0),
        .cr3 = backend->read_control(vcpu, VCPU_CR3),
        .cr4 = backend->read_control(vcpu, VCPU_CR4),
        .efer = backend->read_control(vcpu, VCPU_EFER),
        .read = read_table,
        .context = vcpu,
    };

    return guest_walk_translate(&walk, linear, guest_physical);
}

static bool cache_is_valid(struct vcpu *vcpu, uint64_t linear)
{
    const struct insn_cache *cache = &vcpu->arch.insn_cache;

    return cache->bytes && cache->linear_page == (linear & ~PAGE_MASK) &&
           cache->cr3 == hypervisor_backend->read_control(vcpu, VCPU_CR3) &&
           cache->flush_generation == flush_generation(vcpu);
}

// Whether the byte is in the cache and has the value. The page may be taken away at any time: with
// this CPU among those that use the guest's translations, whoever takes it after the look at the
// generation waits until interrupts are on again (<arch/aspace_state.h>).
static bool cached_byte_is(struct vcpu *vcpu, uint64_t linear, uint8_t value)
{
    uint64_t *active_cpus = &vcpu->guest->aspace->arch.active_cpus;
    arch_interrupt_state_t state = arch_interrupts_save();
    uint64_t bit = (uint64_t)1 << arch_current_cpu()->index;
    bool is_same;

    if (!(__atomic_load_n(active_cpus, __ATOMIC_SEQ_CST) & bit))
        __atomic_fetch_or(active_cpus, bit, __ATOMIC_SEQ_CST);
    is_same = cache_is_valid(vcpu, linear) &&
              vcpu->arch.insn_cache.bytes[linear & PAGE_MASK] == value;
    arch_interrupts_restore(state);
    return is_same;
}

static void fill_cache(struct vcpu *vcpu, uint64_t linear, uint64_t guest_physical,
                       uint64_t generation)
{
    struct insn_cache *cache = &vcpu->arch.insn_cache;
    void *bytes;

    cache->bytes = NULL;
    if (aspace_translate(vcpu->guest->aspace, guest_physical & ~(uint64_t)PAGE_MASK, MX_MAP_READ,
                         &bytes) != MX_OK)
        return;
    cache->cr3 = hypervisor_backend->read_control(vcpu, VCPU_CR3);
    cache->linear_page = linear & ~PAGE_MASK;
    cache->flush_generation = generation;
    cache->bytes = bytes;
}

// Copies up to the end of the page; returns how many bytes there are.
static size_t fetch_on_page(struct vcpu *vcpu, uint64_t linear, uint8_t *bytes, size_t size_bytes)
{
    // Before the walk: what changes during it makes the cache old.
    uint64_t generation = flush_generation(vcpu), guest_physical;
    size_t on_page = MX_PAGE_SIZE - (linear & PAGE_MASK);
    size_t count = size_bytes < on_page ? size_bytes : on_page;

    if (!translate(vcpu, linear, &guest_physical) ||
        aspace_read(vcpu->guest->aspace, guest_physical, bytes, count) != MX_OK)
        return 0;
    fill_cache(vcpu, linear, guest_physical, generation);
    return count;
}

size_t insn_fetch(struct vcpu *vcpu, uint8_t *bytes)
{
    uint64_t linear = linear_rip(vcpu, hypervisor_backend->code_bits(vcpu));
    size_t count = fetch_on_page(vcpu, linear, bytes, INSN_BYTES_MAX);

    if (count != 0 && count < INSN_BYTES_MAX)
        count += fetch_on_page(vcpu, linear + count, bytes + count, INSN_BYTES_MAX - count);
    return count;
}

uint64_t insn_next_rip(struct vcpu *vcpu, uint8_t opcode, unsigned opcode_bytes)
{
    uint8_t bytes[INSN_BYTES_MAX];
    unsigned code_bits = hypervisor_backend->code_bits(vcpu);
    size_t prefixes = 0, count;

    if (!cached_byte_is(vcpu, linear_rip(vcpu, code_bits), opcode)) {
        count = insn_fetch(vcpu, bytes);
        prefixes = insn_prefix_count(bytes, count, code_bits);
        // Code that was changed since the CPU ran it: the plain form is the best guess, and only
        // the guest is hurt.
        if (prefixes == count || bytes[prefixes] != opcode)
            prefixes = 0;
    }
    uint64_t next = vcpu->arch.rip + prefixes + opcode_bytes;
    return code_bits == 64 ? next : next & UINT32_MAX;
}
