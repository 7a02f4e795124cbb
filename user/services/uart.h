// What the console service needs of the machine's UART; one implementation per architecture.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/types.h>

// Where its registers are, as struct mx_info_console says.
struct uart_place {
    uint64_t base;
    uint32_t stride_bytes, access_bytes; // of an 8250
};

// Takes the resource for the registers from the start-up message (MX_STARTUP_RESOURCE) and sets the
// UART up, interrupts off; its rate stays as the kernel or firmware has set it. NOT_FOUND: no
// resource, or no UART answers.
MX_MUST_CHECK mx_status_t uart_init(const struct uart_place *place);
// Takes received bytes, as many as fit.
size_t uart_receive(uint8_t *bytes, size_t capacity);
// Hands over bytes to send; returns how many the UART took, possibly none.
size_t uart_send(const uint8_t *bytes, size_t length);
// Which conditions raise the interrupt.
void uart_set_interrupts(bool on_receive, bool on_room_to_send);
// Makes the interrupt come as soon as nothing waits to be sent. False: this UART cannot be made to.
bool uart_request_interrupt(void);
// Whether a condition that raises the interrupt is there now; asking acknowledges the one for
// sending.
bool uart_is_interrupting(void);
// Whether everything has left the UART.
bool uart_is_idle(void);
