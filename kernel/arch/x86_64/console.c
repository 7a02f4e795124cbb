// The first console: COM1, a 16550 driven by polling (NS16550A data sheet).
#include <arch/console.h>

#include "kernel/arch/x86_64/console.h"
#include "kernel/arch/x86_64/regs/io.h"

#define COM1                  0x3f8
#define COM1_IRQ              4
#define COM1_PORTS            8
#define UART_DATA             (COM1 + 0)
#define UART_IER              (COM1 + 1)
#define UART_DIVISOR_LOW      (COM1 + 0)
#define UART_DIVISOR_HIGH     (COM1 + 1)
#define UART_FCR              (COM1 + 2)
#define UART_LCR              (COM1 + 3)
#define UART_MCR              (COM1 + 4)
#define UART_LSR              (COM1 + 5)
#define UART_FCR_ENABLE_CLEAR 0x07
#define UART_LCR_8N1          0x03
#define UART_LCR_DLAB         0x80
#define UART_MCR_DTR_RTS_OUT2 0x0b
#define UART_LSR_THRE         0x20
#define UART_NO_DEVICE        0xff

// More than one character takes at 115200 baud, and not for ever.
#define WAIT_LOOPS 100000

void console_init(void)
{
    io_write8(UART_IER, 0);
    io_write8(UART_LCR, UART_LCR_DLAB);
    io_write8(UART_DIVISOR_LOW, 1); // 115200 baud
    io_write8(UART_DIVISOR_HIGH, 0);
    io_write8(UART_LCR, UART_LCR_8N1);
    io_write8(UART_FCR, UART_FCR_ENABLE_CLEAR);
    io_write8(UART_MCR, UART_MCR_DTR_RTS_OUT2);
}

static void write_byte(uint8_t byte)
{
    for (uint32_t i = 0; i < WAIT_LOOPS; i++) {
        uint8_t status = io_read8(UART_LSR);
        if (status == UART_NO_DEVICE)
            return;
        if (status & UART_LSR_THRE)
            break;
    }
    io_write8(UART_DATA, byte);
}

void arch_console_describe(struct mx_info_console *out)
{
    *out = (struct mx_info_console){MX_RESOURCE_IOPORT, COM1_IRQ, COM1, COM1_PORTS};
}

void arch_console_write(const char *text, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (text[i] == '\n')
            write_byte('\r');
        write_byte((uint8_t)text[i]);
    }
}
