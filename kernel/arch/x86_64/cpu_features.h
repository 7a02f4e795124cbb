// What this machine's CPUs can do, found out once on the boot CPU, and turned on on each.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cpu_features {
    bool has_nx, has_pge, has_page_1gb, has_smep, has_smap, has_umip, has_fsgsbase;
    bool has_xsave, has_xsaveopt, has_x2apic, has_tsc_deadline, has_rdrand, has_rdseed;
    char name[64];
};

extern struct cpu_features cpu_features;

// On the boot CPU, while the kernel's text is still writable: SMAP instructions are put in place.
void cpu_features_detect(void);
// On each CPU: sets CR0, CR4 and EFER, but for floating point (fpu_init_cpu).
void cpu_features_enable(void);
