// Interrupts and what they are for; the contract is <arch/interrupts.h>.
#pragma once

#include <stdint.h>

// SGIs.
enum {
    SGI_RESCHEDULE,
    SGI_CALL,
    SGI_STOP, // for a panic
};

// Start-up: chooses and sets up the controller. Interrupts do not come before interrupts_init_cpu.
void interrupts_init(void);
// Each CPU, with the ones that interrupts_set_private has handlers for enabled.
void interrupts_init_cpu(void);
// An SPI as edge-triggered, whatever the tree says; masked.
void interrupts_configure_edge(uint32_t intid);
// On the boot CPU before interrupts_init_cpu on any: calls `handle` in interrupt context,
// interrupts disabled, for a PPI, which ended at the controller by then (a level-triggered source
// must be silenced by the handler).
void interrupts_set_private(uint32_t intid, void (*handle)(void));
