// What the console service needs of the machine's UART; one implementation per architecture.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/types.h>

// A part of the machine that the driver needs: init makes a resource of it (MX_STARTUP_RESOURCE
// with `kind`).
struct uart_resource {
    uint32_t kind; // enum mx_resource_kind
    uint64_t base;
    uint64_t size;
};

#define UART_RESOURCE_COUNT 2
extern const struct uart_resource uart_resources[UART_RESOURCE_COUNT];
// The global interrupt number.
extern const uint32_t uart_irq;

// Takes the resources from the start-up message and sets the UART up, interrupts off. NOT_FOUND: no
// resource, or no UART answers.
MX_MUST_CHECK mx_status_t uart_init(void);
// Takes received bytes, as many as fit.
size_t uart_receive(uint8_t *bytes, size_t capacity);
// Hands over bytes to send; returns how many the UART took, possibly none.
size_t uart_send(const uint8_t *bytes, size_t length);
// Which conditions raise the interrupt.
void uart_set_interrupts(bool on_receive, bool on_room_to_send);
// Whether a condition that raises the interrupt is there now; asking acknowledges the one for
// sending.
bool uart_is_interrupting(void);
// Whether everything has left the UART.
bool uart_is_idle(void);
