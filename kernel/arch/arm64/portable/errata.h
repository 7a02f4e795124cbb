// Which CPUs do what wrong, of what the kernel works around: a table by part and revision, looked
// up by MIDR_EL1. The numbers are those of Arm's Software Developer Errata Notices.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// What is done about them; bits.
enum erratum_effect {
    ERRATUM_TLBI_TWICE = 1 << 0,         // TLB invalidation is complete only after a second one
    ERRATUM_INSTRUCTION_CACHES = 1 << 1, // CTR_EL0.DIC is not to be believed
    // An AT instruction that is only speculated leaves translations by EL1's registers of one guest
    // and the tables of another, when HCR_EL2.TGE is clear with both.
    ERRATUM_SPECULATIVE_AT = 1 << 2,
};

struct erratum {
    uint16_t part;       // of Arm Limited
    uint8_t first, last; // revisions, r<high>p<low>, both included
    enum erratum_effect effect;
    const char *text;
};

// The next erratum of the CPU after `previous`, the first after NULL. NULL: no more.
const struct erratum *errata_next(uint64_t midr, const struct erratum *previous);

// MIDR_EL1 in parts: Arm ARM DDI 0487J.a, D19.2.90.
uint32_t midr_part(uint64_t midr);
// Variant and revision, r<high>p<low>.
uint32_t midr_revision(uint64_t midr);
// Whether the part is one of Arm Limited's numbering.
bool midr_is_arm(uint64_t midr);
