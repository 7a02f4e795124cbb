// Instruction fetch; see insn_fetch.h.
//
// Some pages of guest code are remembered, by linear address, together with the page-table entries
// that led to each. As long as CR3, the paging mode and every one of these entries are what they
// were, and no memory of the guest was taken away, a walk would end at the same bytes. So a guest
// that changes its page tables is never given old bytes, and the usual fetch is a few comparisons.
//
// For an instruction of known length even fewer do: under the same CR3 the remembered byte at RIP
// was the opcode that the CPU now reports, so there is no prefix before it.
#include "kernel/arch/x86_64/hypervisor/insn_fetch.h"

#include "kernel/arch/x86_64/hypervisor/backend.h"
#include "kernel/arch/x86_64/hypervisor/portable/guest_walk.h"
#include "kernel/arch/x86_64/hypervisor/portable/mov_access.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/lib/string.h"

#define PAGE_MASK (MX_PAGE_SIZE - 1)

struct fetch_walk {
    struct vcpu *vcpu;
    struct insn_page *page; // notes the entries
};

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

static struct insn_page *page_of(struct vcpu *vcpu, uint64_t linear)
{
    return &vcpu->arch.insn_cache[linear / MX_PAGE_SIZE % INSN_CACHE_PAGES];
}

void insn_forget(struct arch_vcpu *arch)
{
    for (unsigned i = 0; i < INSN_CACHE_PAGES; i++)
        arch->insn_cache[i].bytes = NULL;
}

// --- what is known ------------------------------------------------------------------------------

static uint64_t entry_now(const void *at, uint32_t entry_bytes)
{
    return entry_bytes == 8 ? __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED)
                            : __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);
}

// Only as long as nobody can take the guest's memory away.
static bool page_is_valid(struct vcpu *vcpu, const struct insn_page *page, uint64_t linear)
{
    uint64_t cr3;

    if (!page->bytes || page->linear_page != (linear & ~PAGE_MASK) ||
        page->flush_generation != flush_generation(vcpu) ||
        page->paging_mode != hypervisor_backend->read_paging(vcpu, &cr3) || page->cr3 != cr3)
        return false;
    for (uint32_t i = 0; i < page->entry_count; i++)
        if (entry_now(page->entries[i].at, page->entry_bytes) != page->entries[i].value)
            return false;
    return true;
}

// At most 16 bytes; two words that overlap are quicker than a loop.
static void copy_few(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    if (size_bytes >= 8) {
        __builtin_memcpy(to, from, 8);
        __builtin_memcpy(to + size_bytes - 8, from + size_bytes - 8, 8);
        return;
    }
    for (size_t i = 0; i < size_bytes; i++)
        to[i] = from[i];
}

// From here until interrupts are on again, what the flush generation says is there stays there:
// this CPU is among those that use the guest's translations, so whoever takes memory away after the
// look at the generation waits for it (<arch/aspace_state.h>).
static inline void hold_memory(struct vcpu *vcpu)
{
    uint64_t *active_cpus = &vcpu->guest->aspace->arch.active_cpus;

    arch_interrupts_disable();
    uint64_t bit = (uint64_t)1 << arch_current_cpu()->index;
    if (!(__atomic_load_n(active_cpus, __ATOMIC_SEQ_CST) & bit))
        __atomic_fetch_or(active_cpus, bit, __ATOMIC_SEQ_CST);
}

static bool known_byte_is(struct vcpu *vcpu, uint64_t linear, uint8_t value)
{
    const struct insn_page *page = page_of(vcpu, linear);
    bool is_same;

    hold_memory(vcpu);
    is_same = page->bytes && page->linear_page == (linear & ~PAGE_MASK) &&
              page->flush_generation == flush_generation(vcpu) &&
              page->cr3 == hypervisor_backend->read_control(vcpu, VCPU_CR3) &&
              page->bytes[linear & PAGE_MASK] == value;
    arch_interrupts_enable();
    return is_same;
}

// Copies what is known at `linear`, which does not cross its page; false if it is not known.
static bool copy_known(struct vcpu *vcpu, uint64_t linear, uint8_t *bytes, size_t size_bytes)
{
    const struct insn_page *page = page_of(vcpu, linear);
    bool is_known;

    hold_memory(vcpu);
    is_known = page_is_valid(vcpu, page, linear);
    if (is_known)
        copy_few(bytes, page->bytes + (linear & PAGE_MASK), size_bytes);
    arch_interrupts_enable();
    return is_known;
}

// --- walking ------------------------------------------------------------------------------------

static bool read_table(void *context, uint64_t guest_physical, unsigned width_bytes,
                       uint64_t *value)
{
    const struct fetch_walk *fetch = context;
    struct aspace *aspace = fetch->vcpu->guest->aspace;
    struct insn_page *page = fetch->page;
    void *at;

    *value = 0;
    if (page->entry_count == INSN_WALK_MAX ||
        aspace_read(aspace, guest_physical, value, width_bytes) != MX_OK ||
        aspace_translate(aspace, guest_physical, MX_MAP_READ, &at) != MX_OK)
        return false;
    page->entry_bytes = width_bytes;
    page->entries[page->entry_count].at = at;
    page->entries[page->entry_count].value = *value;
    page->entry_count++;
    return true;
}

// Walks the guest's tables and notes the way. False: not mapped.
static bool walk_page(struct vcpu *vcpu, struct insn_page *page, uint64_t linear,
                      uint64_t *guest_physical)
{
    const struct hypervisor_backend *backend = hypervisor_backend;
    struct fetch_walk fetch = {.vcpu = vcpu, .page = page};
    const struct guest_walk walk = {
        .cr0 = backend->read_control(vcpu, VCPU_CR0),
        .cr3 = backend->read_control(vcpu, VCPU_CR3),
        .cr4 = backend->read_control(vcpu, VCPU_CR4),
        .efer = backend->read_control(vcpu, VCPU_EFER),
        .read = read_table,
        .context = &fetch,
    };

    // Before the walk: what is taken away during it makes the page old.
    *page = (struct insn_page){.linear_page = linear & ~PAGE_MASK,
                               .flush_generation = flush_generation(vcpu)};
    page->paging_mode = backend->read_paging(vcpu, &page->cr3);
    return guest_walk_translate(&walk, linear, guest_physical);
}

static size_t fetch_by_walk(struct vcpu *vcpu, uint64_t linear, uint8_t *bytes, size_t size_bytes)
{
    struct aspace *aspace = vcpu->guest->aspace;
    struct insn_page *page = page_of(vcpu, linear);
    uint64_t guest_physical;
    void *start;

    if (!walk_page(vcpu, page, linear, &guest_physical) ||
        aspace_read(aspace, guest_physical, bytes, size_bytes) != MX_OK)
        return 0;
    if (aspace_translate(aspace, guest_physical & ~(uint64_t)PAGE_MASK, MX_MAP_READ, &start) ==
        MX_OK)
        page->bytes = start;
    return size_bytes;
}

// Up to the end of the page; returns how many bytes there are.
static size_t fetch_on_page(struct vcpu *vcpu, uint64_t linear, uint8_t *bytes, size_t size_bytes)
{
    size_t on_page = MX_PAGE_SIZE - (linear & PAGE_MASK);
    size_t count = size_bytes < on_page ? size_bytes : on_page;

    if (copy_known(vcpu, linear, bytes, count))
        return count;
    return fetch_by_walk(vcpu, linear, bytes, count);
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

    if (!known_byte_is(vcpu, linear_rip(vcpu, code_bits), opcode)) {
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
