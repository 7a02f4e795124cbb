// Start-up in assembly (start.S). Included by .S files too.
#pragma once

// How the boot CPU came in, and where it runs.
#define BOOT_MODE_EL2         0 // entered at EL2, with VHE: runs there
#define BOOT_MODE_NO_VHE      1 // entered at EL2, without VHE: runs at EL1
#define BOOT_MODE_ENTERED_EL1 2 // entered at EL1

// What x0 was.
#define START_TREE 0 // by the Image format: the device tree's physical address
#define START_ZBI  1 // by the ZBI protocol: the data container's

// struct arm64_start
#define START_KERNEL_ROOT 0
#define START_STACK_TOP   8
#define START_CPU         16

#ifndef __ASSEMBLER__
#include <stdint.h>

// BOOT_MODE_*
extern uint32_t boot_mode;

// Puts other tables under the kernel's half while it runs there: with nothing in between that both
// could translate. TTBR0_EL1 has start.S's identity map.
void arm64_load_kernel_tables(uint64_t root, uint64_t image_physical);
// Physical address goes to PSCI's CPU_ON, with the physical address of a struct arm64_start.
extern char arm64_secondary_entry[];
#endif
