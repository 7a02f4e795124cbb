// Segment and interrupt descriptors of each CPU.
#pragma once

#include <stdint.h>

struct x86_cpu;

#define IST_STACK_SIZE ((uint64_t)8192)

// Start-up of the boot CPU: fills the IDT that all share.
void descriptors_init(void);
// Loads GDT, IDT and TSS of this CPU, and GS.base. `ist_stacks`: IST_COUNT stacks of
// IST_STACK_SIZE.
void descriptors_load(struct x86_cpu *cpu, uint8_t *ist_stacks);
