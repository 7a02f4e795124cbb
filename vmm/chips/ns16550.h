// The NS16550A UART with FIFOs: eight byte-wide registers on port I/O, one interrupt.
//
// Bytes that the guest transmits go to the host's sink at once, and bytes that the host has for the
// guest wait outside until the receive FIFO has room, so neither direction loses data. Baud rate,
// word length and parity are kept and read back but change nothing. A character timeout is
// indicated as soon as the receive FIFO holds fewer bytes than its trigger level: a byte from the
// host is never delayed.
//
// Spec: National Semiconductor PC16550D, section 8.0 "Registers". The interrupt pin passes the OUT2
// gate of the PC's serial adapters: no interrupt while MCR OUT2 is clear or the loopback is on.
#pragma once

#include "vmm/chips/uart.h"

#define NS16550_PORT_COUNT 8
#define NS16550_FIFO_BYTES 16

struct ns16550_fifo {
    uint8_t bytes[NS16550_FIFO_BYTES];
    uint8_t first;
    uint8_t count;
};

struct ns16550 {
    struct uart_host host;
    struct irq_line irq;
    struct ns16550_fifo receive_fifo;
    struct ns16550_fifo transmit_fifo;
    uint8_t ier, fcr, lcr, mcr, msr, scr, dll, dlm;
    uint8_t lsr_errors;  // OE, latched until LSR is read
    uint8_t burst_count; // THR writes since an IIR read acknowledged THRE, at most a FIFO's worth
    bool thre_interrupt_pending; // set when THR runs empty, cleared by reading IIR or writing THR
    bool receive_refused;        // ns16550_receive took fewer bytes than offered
    bool irq_level;
};

// Ports relative to the UART's base.
extern const struct device_ops ns16550_ops;
extern const struct uart_ops ns16550_uart_ops;

void ns16550_init(struct ns16550 *uart, const struct uart_host *host, struct irq_line irq);

// As struct uart_ops says.
size_t ns16550_receive(struct ns16550 *uart, const uint8_t *bytes, size_t count);
void ns16550_writable(struct ns16550 *uart);
