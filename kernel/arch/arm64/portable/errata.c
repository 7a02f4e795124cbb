// See errata.h.
#include "kernel/arch/arm64/portable/errata.h"

#include <stddef.h>

#define IMPLEMENTER_ARM 0x41

#define A55  0xd05
#define A76  0xd0b
#define N1   0xd0c
#define A510 0xd46

static const struct erratum errata[] = {
    {A55, 0x00, 0xff, ERRATUM_TLBI_TWICE, "Cortex-A55 2441007: TLB invalidation is repeated"},
    {A76, 0x00, 0x30, ERRATUM_TLBI_TWICE, "Cortex-A76 1286807: TLB invalidation is repeated"},
    {A510, 0x00, 0x11, ERRATUM_TLBI_TWICE, "Cortex-A510 2441009: TLB invalidation is repeated"},
    {N1, 0x30, 0x40, ERRATUM_INSTRUCTION_CACHES,
     "Neoverse-N1 1542419: instruction caches are always invalidated"},
    {A55, 0x00, 0x20, ERRATUM_SPECULATIVE_AT,
     "Cortex-A55 1530923: no walks by tables of two guests"},
    {A76, 0x00, 0x20, ERRATUM_SPECULATIVE_AT,
     "Cortex-A76 1165522: no walks by tables of two guests"},
    {N1, 0x00, 0x20, ERRATUM_SPECULATIVE_AT,
     "Neoverse-N1 1165347: no walks by tables of two guests"},
};

uint32_t midr_part(uint64_t midr)
{
    return midr >> 4 & 0xfff;
}

uint32_t midr_revision(uint64_t midr)
{
    return (uint32_t)(midr >> 20 & 0xf) << 4 | (uint32_t)(midr & 0xf);
}

bool midr_is_arm(uint64_t midr)
{
    return (midr >> 24 & 0xff) == IMPLEMENTER_ARM;
}

static bool has_erratum(uint64_t midr, const struct erratum *erratum)
{
    const uint32_t revision = midr_revision(midr);

    return midr_is_arm(midr) && midr_part(midr) == erratum->part && revision >= erratum->first &&
           revision <= erratum->last;
}

const struct erratum *errata_next(uint64_t midr, const struct erratum *previous)
{
    const struct erratum *end = errata + sizeof(errata) / sizeof(errata[0]);

    for (const struct erratum *at = previous ? previous + 1 : errata; at < end; at++) {
        if (has_erratum(midr, at))
            return at;
    }
    return NULL;
}
