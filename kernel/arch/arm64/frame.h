// What the entry code saves for an exception or interrupt (entry.S). Included by .S files too.
#pragma once

#define FRAME_X(n) (8 * (n))
#define FRAME_SP   248
#define FRAME_ELR  256
#define FRAME_SPSR 264
#define FRAME_ESR  272
#define FRAME_SIZE 288

#ifndef __ASSEMBLER__
#include <stdint.h>

struct arm64_frame {
    uint64_t x[31];
    uint64_t sp, elr, spsr, esr;
    uint64_t reserved;
};
_Static_assert(sizeof(struct arm64_frame) == FRAME_SIZE, "entry.S");
_Static_assert(__builtin_offsetof(struct arm64_frame, elr) == FRAME_ELR, "entry.S");
_Static_assert(__builtin_offsetof(struct arm64_frame, esr) == FRAME_ESR, "entry.S");
#endif
