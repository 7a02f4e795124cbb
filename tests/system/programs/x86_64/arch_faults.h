// The names of faults_instructions on x86-64 knows.
#pragma once

#define FAULTS_PRIVILEGED_NAMES                                                               \
    "hlt", "cli", "in", "out", "rdmsr", "wrmsr", "cr0", "cr3", "dr7", "lidt", "lgdt", "ltr",  \
        "invlpg", "swapgs", "sysret", "wbinvd", "xsetbv", "vmrun", "stgi", "clgi", "vmmcall", \
        "vmcall", "int-80", "int-3", "int-8", "sysenter", "ud2", "divide-by-zero",            \
        "divide-overflow", "trap-flag", "bad-segment", "stack-noncanonical"
