// The names of faults_instructions on arm64 knows.
#pragma once

#define FAULTS_PRIVILEGED_NAMES                                                                  \
    "hvc", "smc", "eret", "sctlr", "ttbr0", "vbar", "hcr", "daif", "spsel", "tlbi", "ic-iallu",  \
        "dc-isw", "at", "counter", "timer", "timer-set", "pmu", "gic", "tpidr", "tpidrro-write", \
        "brk", "hlt", "undefined", "sve", "pc-misaligned", "sp-misaligned", "stack-noncanonical"
