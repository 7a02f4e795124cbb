// Address space identifiers; see asid.h. 0 is for no address space at all.
#include "kernel/arch/arm64/asid.h"

#include "kernel/core/spinlock.h"

#define ASID_FIRST   2
#define ASID_COUNT_8 256
#define ASID_COUNT   65536

static struct spinlock asid_lock;
static uint64_t used[ASID_COUNT / 64];
static uint32_t asid_count = ASID_COUNT_8;
static uint32_t next_asid = ASID_FIRST; // where to look first: what was freed lately is used last

void asid_init(bool has_16_bits)
{
    asid_count = has_16_bits ? ASID_COUNT : ASID_COUNT_8;
    used[0] = ((uint64_t)1 << ASID_FIRST) - 1;
}

static uint32_t find_free(uint32_t from, uint32_t end)
{
    for (uint32_t word = from / 64; word < (end + 63) / 64; word++) {
        uint64_t free = ~used[word];

        if (word == from / 64)
            free &= ~(uint64_t)0 << from % 64;
        if (free)
            return word * 64 + (uint32_t)__builtin_ctzll(free);
    }
    return ASID_SHARED;
}

uint32_t asid_alloc(void)
{
    arch_interrupt_state_t state = spin_lock(&asid_lock);
    uint32_t asid = find_free(next_asid, asid_count);

    if (asid == ASID_SHARED)
        asid = find_free(ASID_FIRST, asid_count);
    if (asid != ASID_SHARED) {
        used[asid / 64] |= (uint64_t)1 << asid % 64;
        next_asid = asid + 1 < asid_count ? asid + 1 : ASID_FIRST;
    }
    spin_unlock(&asid_lock, state);
    return asid;
}

void asid_free(uint32_t asid)
{
    arch_interrupt_state_t state;

    if (asid == ASID_SHARED)
        return;
    state = spin_lock(&asid_lock);
    used[asid / 64] &= ~((uint64_t)1 << asid % 64);
    spin_unlock(&asid_lock, state);
}
