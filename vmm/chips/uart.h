// What a UART and whoever is at the other end of its line are to each other, whatever the chip.
#pragma once

#include "vmm/device.h"

#include <stddef.h>

// What the owner provides. None of these may be NULL, and `transmit` must not call into the UART
// again.
struct uart_host {
    // Takes up to `count` bytes and returns how many; when it takes fewer, the owner calls
    // `writable` as soon as it can take more.
    size_t (*transmit)(void *context, const uint8_t *bytes, size_t count);
    // The UART takes bytes again after `receive` had to refuse some. May call `receive`.
    void (*receive_ready)(void *context);
    void *context;
};

// The chip's side.
struct uart_ops {
    void (*init)(void *uart, const struct uart_host *host, struct irq_line irq);
    // Puts bytes into the receive FIFO and returns how many it took; host->receive_ready follows if
    // not all.
    size_t (*receive)(void *uart, const uint8_t *bytes, size_t count);
    // The sink has room again: sends what the transmit FIFO holds.
    void (*writable)(void *uart);
};
