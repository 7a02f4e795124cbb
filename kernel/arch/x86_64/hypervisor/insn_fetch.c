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
    void *entry;

    if (aspace_translate(vcpu->guest->aspace, guest_physical, MX_MAP_READ, &entry) != MX_OK)
        return false;
    *value = 0;
    memcpy(value, entry, width_bytes);
    return true;
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
    return __atomic_load_n(&vcpu->guest->aspace->arch.flush_generation, __ATOMIC_RELAXED);
}

// The byte at a linear address; the rest of its page follows. NULL: not mapped.
static const uint8_t *translate(struct vcpu *vcpu, uint64_t linear)
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
    uint64_t guest_physical;
    void *bytes;

    if (!guest_walk_translate(&walk, linear, &guest_physical) ||
        aspace_translate(vcpu->guest->aspace, guest_physical, MX_MAP_READ, &bytes) != MX_OK)
        return NULL;
    return bytes;
}

static const uint8_t *find_cached(struct vcpu *vcpu, uint64_t linear)
{
    const struct insn_cache *cache = &vcpu->arch.insn_cache;

    if (!cache->bytes || cache->linear_page != (linear & ~PAGE_MASK) ||
        cache->cr3 != hypervisor_backend->read_control(vcpu, VCPU_CR3) ||
        cache->flush_generation != flush_generation(vcpu))
        return NULL;
    return cache->bytes + (linear & PAGE_MASK);
}

static const uint8_t *find_and_cache(struct vcpu *vcpu, uint64_t linear)
{
    struct insn_cache *cache = &vcpu->arch.insn_cache;
    uint64_t generation =
        flush_generation(vcpu); // before the walk: what changes during it makes the entry old
    const uint8_t *bytes = translate(vcpu, linear);

    cache->bytes = NULL;
    if (!bytes)
        return NULL;
    cache->cr3 = hypervisor_backend->read_control(vcpu, VCPU_CR3);
    cache->linear_page = linear & ~PAGE_MASK;
    cache->flush_generation = generation;
    cache->bytes = bytes - (linear & PAGE_MASK);
    return bytes;
}

size_t insn_fetch(struct vcpu *vcpu, uint8_t *bytes)
{
    uint64_t linear = linear_rip(vcpu, hypervisor_backend->code_bits(vcpu));
    size_t on_page = MX_PAGE_SIZE - (linear & PAGE_MASK);
    const uint8_t *from = find_and_cache(vcpu, linear);

    if (!from)
        return 0;
    if (on_page >= INSN_BYTES_MAX) {
        memcpy(bytes, from, INSN_BYTES_MAX);
        return INSN_BYTES_MAX;
    }
    memcpy(bytes, from, on_page);
    from = translate(vcpu, linear + on_page);
    if (!from)
        return on_page;
    memcpy(bytes + on_page, from, INSN_BYTES_MAX - on_page);
    return INSN_BYTES_MAX;
}

uint64_t insn_next_rip(struct vcpu *vcpu, uint8_t opcode, unsigned opcode_bytes)
{
    uint8_t bytes[INSN_BYTES_MAX];
    unsigned code_bits = hypervisor_backend->code_bits(vcpu);
    const uint8_t *cached = find_cached(vcpu, linear_rip(vcpu, code_bits));
    size_t prefixes = 0, count;

    if (!cached || *cached != opcode) {
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
