// Hardware interrupts as objects.
#pragma once

#include <stdint.h>

// For the architecture's interrupt handler: `irq` fired, is masked at its controller and acknowledged to the CPU.
void interrupt_dispatch(uint32_t irq);
