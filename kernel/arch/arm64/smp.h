// Start-up of CPUs.
#pragma once

#include <stdint.h>

// Makes the CPU that runs this arm64_cpus[0], so that its current thread and CPU can be asked for.
// Very early.
void smp_init_boot_cpu(void);
// Counts the machine's CPUs (cpu_count) and gives them their numbers; the boot CPU is 0. The device
// tree is read.
void smp_count_cpus(void);
