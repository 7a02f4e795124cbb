// Start-up of CPUs.
#pragma once

#include <stdint.h>

// Fills x86_cpus[0] for the CPU that runs this, so that GS, descriptors and current thread work.
// Very early.
void smp_init_boot_cpu(void);
// Counts the machine's CPUs (cpu_count) and gives them their numbers; the boot CPU is 0. The ACPI
// tables are read, the local APIC is on.
void smp_count_cpus(void);
