// Contract: external interrupts, by global number.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/objects.h>

// Handlers run in interrupt context. interrupt_dispatch(irq) in object/interrupt.c is called with the interrupt masked at
// its controller and acknowledged to the CPU.
uint32_t arch_interrupt_count(void);
// Sets trigger mode and target as firmware describes them, leaves it masked. OUT_OF_RANGE: no such interrupt.
MX_MUST_CHECK mx_status_t arch_interrupt_configure(uint32_t irq);
void arch_interrupt_mask(uint32_t irq);
void arch_interrupt_unmask(uint32_t irq);

// Message-signalled interrupts: takes a free one, configured and as firmware says for the PCI
// function `requester` (as in mx_interrupt_create_message). They have global numbers of their own,
// below ARCH_INTERRUPT_END, and the calls above take them; masking may do nothing, as they come
// once for each message. Interrupts enabled. NOT_SUPPORTED, NO_RESOURCES, NO_MEMORY.
MX_MUST_CHECK mx_status_t arch_interrupt_take_message(uint32_t requester, uint32_t *irq,
                                                      struct mx_interrupt_message *message);
// Gives it back, masked; one that the device still sends is ignored.
void arch_interrupt_free_message(uint32_t irq);
#define ARCH_INTERRUPT_END 1280u

// Port I/O, where the CPU has such a space: NOT_SUPPORTED elsewhere. Width 1, 2 or 4, range checked by the caller.
MX_MUST_CHECK mx_status_t arch_port_read(uint32_t port, uint32_t width_bytes, uint32_t *value);
MX_MUST_CHECK mx_status_t arch_port_write(uint32_t port, uint32_t width_bytes, uint32_t value);
