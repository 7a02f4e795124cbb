// What this CPU can do, and what it does wrong.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cpu_features {
    bool has_pan, has_rndr;
    bool has_asid16;
    char name[64];
};
extern struct cpu_features cpu_features;

// What to do about errata; set if any CPU of the machine needs it.
struct cpu_errata {
    bool tlbi_twice;         // TLB invalidation is complete only after a second one
    bool instruction_caches; // CTR_EL0.DIC is not to be believed
};
extern struct cpu_errata cpu_errata;

// On the boot CPU, before others.
void cpu_features_detect(void);
// On each CPU, before anything of it is used. Looks for errata, too.
void cpu_features_enable(void);
