// What this CPU can do, and what it does wrong.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/arch/arm64/portable/errata.h"

struct cpu_features {
    bool has_pan, has_rndr;
    bool has_asid16;
    char name[64];
};
extern struct cpu_features cpu_features;

// What to do about errata (enum erratum_effect); set if any CPU of the machine needs it.
extern uint32_t cpu_errata;
static inline bool cpu_has_erratum(enum erratum_effect effect)
{
    return cpu_errata & effect;
}

// On the boot CPU, before others.
void cpu_features_detect(void);
// On each CPU, before anything of it is used. Looks for errata, too.
void cpu_features_enable(void);
