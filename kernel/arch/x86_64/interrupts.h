// External interrupts and what the vectors are for; the contract is <arch/interrupts.h>.
#pragma once

#include <stdbool.h>

struct x86_frame;

// Start-up: masks the 8259 pair and every input of the IOAPICs.
void interrupts_init(void);
// A vector beyond the exceptions, interrupts disabled.
void interrupts_handle(const struct x86_frame *frame);
// Non-maskable interrupts from now on stop the CPU they reach (arch_cpu_send_stop).
extern bool interrupts_nmi_stops;
