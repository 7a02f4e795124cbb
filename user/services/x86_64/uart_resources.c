// Where the first serial port of a PC is.

#include "user/services/uart.h"

#include <machina/objects.h>

const struct uart_resource uart_resources[UART_RESOURCE_COUNT] = {
    {MX_RESOURCE_IOPORT, 0x3f8, 8},
    {MX_RESOURCE_IRQ, 4, 1},
};

const uint32_t uart_irq = 4;
