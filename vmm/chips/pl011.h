// The PrimeCell UART PL011, revision r1p5: FIFOs of 32 bytes, one interrupt (UARTINTR).
//
// Bytes that the guest transmits go to the host's sink at once, and bytes that the host has for the
// guest wait outside until the receive FIFO has room, so neither direction loses data. Baud rate,
// word length, parity and DMA control are kept and read back but change nothing. A receive timeout
// is indicated as soon as the receive FIFO holds fewer bytes than its trigger level: a byte from
// the host is never delayed.
//
// The transmitter works whether or not UARTEN and TXE are set, since early consoles rely on
// firmware to have set them. Input waits until UARTEN and RXE are set.
//
// Spec: Arm DDI 0183, chapter 3 "Programmers Model" and section 2.8 "Interrupts".
#pragma once

#include "vmm/chips/uart.h"

#define PL011_SIZE_BYTES 0x1000u
#define PL011_FIFO_COUNT 32u

struct pl011 {
    struct uart_host host;
    struct irq_line irq;
    uint16_t receive_fifo[PL011_FIFO_COUNT]; // as UARTDR shows it: data and error bits
    uint8_t receive_first, receive_count;
    uint8_t transmit_fifo[PL011_FIFO_COUNT];
    uint8_t transmit_first, transmit_count;
    uint16_t imsc, ris, cr, ibrd;
    uint16_t modem_inputs; // as UARTFR shows them
    uint8_t lcrh, ifls, fbrd, ilpr, dmacr, rsr;
    bool receive_refused; // pl011_receive took fewer bytes than offered
    bool receive_overrun; // the next byte is marked with it
    bool irq_level;
};

extern const struct device_ops pl011_ops; // memory-mapped
extern const struct uart_ops pl011_uart_ops;

void pl011_init(struct pl011 *uart, const struct uart_host *host, struct irq_line irq);

// As struct uart_ops says.
size_t pl011_receive(struct pl011 *uart, const uint8_t *bytes, size_t count);
void pl011_writable(struct pl011 *uart);
