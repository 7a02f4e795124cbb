// Where the start-up code of other CPUs stands: a page of RAM below 1 MiB, which the page allocator
// never gets. Included by .S files too.
#pragma once

#define TRAMPOLINE_BASE 0x8000

#ifndef __ASSEMBLER__

#include <stdint.h>

// The code, in the kernel image, and a field in it.
extern uint8_t trampoline_start[], trampoline_end[];
extern uint32_t trampoline_efer; // bits to set in EFER
extern void *secondary_stack_top;

#endif
