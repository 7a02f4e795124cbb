// What the emulation of an instruction does to PSTATE, and whether a 32-bit program's conditional
// instruction that trapped was to be done at all.
//
// Arm ARM (DDI 0487J.a), "Software Step exceptions"; "PSTATE.BTYPE"; D19.2.37 ESR_EL1, the fields
// CV and COND; the pseudocode of ITAdvance() and ConditionHolds().
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PSTATE_IS_AARCH32 ((uint64_t)1 << 4)
#define PSTATE_IS_THUMB   ((uint64_t)1 << 5)
#define PSTATE_BTYPE      ((uint64_t)3 << 10)
#define PSTATE_SS         ((uint64_t)1 << 21)
#define PSTATE_IT_LOW     ((uint64_t)3 << 25)    // ITSTATE<1:0>
#define PSTATE_IT_HIGH    ((uint64_t)0x3f << 10) // ITSTATE<7:2>

#define ISS_CV           (1u << 24)
#define ISS_COND(iss)    ((iss) >> 20 & 0xf)
#define CONDITION_ALWAYS 0xeu

static inline unsigned pstate_it(uint64_t pstate)
{
    return (unsigned)(pstate >> 10 & 0x3f) << 2 | (unsigned)(pstate >> 25 & 3);
}

static inline uint64_t pstate_next_it(uint64_t pstate)
{
    unsigned it = pstate_it(pstate);

    it = it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
    return (pstate & ~(PSTATE_IT_LOW | PSTATE_IT_HIGH)) | (uint64_t)(it & 3) << 25 |
           (uint64_t)(it >> 2) << 10;
}

// After an instruction was emulated: a single step is over, the target of a branch is behind.
static inline uint64_t pstate_after_instruction(uint64_t pstate)
{
    pstate &= ~PSTATE_SS;
    return pstate & PSTATE_IS_AARCH32 ? pstate_next_it(pstate) : pstate & ~PSTATE_BTYPE;
}

// Bits 3 to 1 of a condition choose the test, bit 0 reverses it.
static inline bool pstate_flags_match(uint64_t pstate, unsigned condition)
{
    const bool n = pstate >> 31 & 1, z = pstate >> 30 & 1, c = pstate >> 29 & 1,
               v = pstate >> 28 & 1;
    const bool tests[] = {z, c, n, v, c && !z, n == v, n == v && !z, true};

    return condition >= CONDITION_ALWAYS || tests[condition >> 1] != (condition & 1);
}

// `iss` of an exception whose syndrome has the fields CV and COND. A CPU may trap an instruction
// whose condition fails, which is then to be stepped over.
static inline bool pstate_condition_holds(uint64_t pstate, uint32_t iss)
{
    unsigned condition = CONDITION_ALWAYS;

    if (!(pstate & PSTATE_IS_AARCH32))
        return true;
    if (iss & ISS_CV)
        condition = ISS_COND(iss);
    else if (pstate & PSTATE_IS_THUMB && pstate_it(pstate))
        condition = pstate_it(pstate) >> 4;
    return pstate_flags_match(pstate, condition);
}
