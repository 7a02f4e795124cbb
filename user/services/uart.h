// What the console service needs of the machine's UART; one implementation per architecture.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/types.h>

// Takes the resource for the registers from the start-up message (MX_STARTUP_RESOURCE) and sets the
// UART at `base` (of I/O ports or physical memory) up, interrupts off. NOT_FOUND: no resource, or no
// UART answers.
MX_MUST_CHECK mx_status_t uart_init(uint64_t base);
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
