// The 16550A UART of a PC's first serial port. National Semiconductor PC16550D data sheet,
// "Registers".

#include "user/services/uart.h"

#include <machina/syscalls.h>

#include <machina_user/startup.h>

enum uart_register {
    UART_RBR = 0, // received byte
    UART_THR = 0, // byte to send
    UART_DLL = 0, // divisor, while LCR.DLAB is set
    UART_IER = 1,
    UART_DLM = 1,
    UART_IIR = 2,
    UART_FCR = 2,
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_SCR = 7,
};

enum {
    IER_RECEIVED = 0x01,
    IER_THR_EMPTY = 0x02,
    IIR_NONE = 0x01,
    FCR_ENABLE_AND_CLEAR = 0x07,
    LCR_8N1 = 0x03,
    LCR_DLAB = 0x80,
    MCR_DTR_RTS_OUT2 = 0x0b, // OUT2 lets the interrupt out of the chip
    LSR_DATA_READY = 0x01,
    LSR_THR_EMPTY = 0x20,
    LSR_IDLE = 0x40,

    DIVISOR_115200 = 1,
    FIFO_BYTES = 16,
};

static mx_handle_t ports;
static uint32_t first_port;

// An access to a port of a resource that this process holds cannot fail; reading all ones otherwise
// looks like a machine without the chip.
static uint8_t read_register(enum uart_register number)
{
    uint32_t value;

    if (mx_ioport_read(ports, first_port + number, 1, &value) != MX_OK)
        return 0xff;
    return (uint8_t)value;
}

static void write_register(enum uart_register number, uint8_t value)
{
    mx_status_t ignored = mx_ioport_write(ports, first_port + number, 1, value);

    (void)ignored;
}

static bool is_present(void)
{
    write_register(UART_SCR, 0x5a);
    if (read_register(UART_SCR) != 0x5a)
        return false;
    write_register(UART_SCR, 0xa5);
    return read_register(UART_SCR) == 0xa5;
}

mx_status_t uart_init(uint64_t base)
{
    first_port = (uint32_t)base;
    ports = startup_handle_take(MX_STARTUP_RESOURCE, MX_RESOURCE_IOPORT);
    if (ports == MX_HANDLE_INVALID || !is_present())
        return MX_ERR_NOT_FOUND;
    write_register(UART_IER, 0);
    write_register(UART_LCR, LCR_DLAB);
    write_register(UART_DLL, DIVISOR_115200);
    write_register(UART_DLM, 0);
    write_register(UART_LCR, LCR_8N1);
    write_register(UART_FCR, FCR_ENABLE_AND_CLEAR);
    write_register(UART_MCR, MCR_DTR_RTS_OUT2);
    return MX_OK;
}

size_t uart_receive(uint8_t *bytes, size_t capacity)
{
    size_t count = 0;

    while (count < capacity && (read_register(UART_LSR) & LSR_DATA_READY))
        bytes[count++] = read_register(UART_RBR);
    return count;
}

size_t uart_send(const uint8_t *bytes, size_t length)
{
    if (length == 0 || !(read_register(UART_LSR) & LSR_THR_EMPTY))
        return 0;
    if (length > FIFO_BYTES)
        length = FIFO_BYTES;
    for (size_t i = 0; i < length; i++)
        write_register(UART_THR, bytes[i]);
    return length;
}

void uart_set_interrupts(bool on_receive, bool on_room_to_send)
{
    write_register(UART_IER,
                   (on_receive ? IER_RECEIVED : 0) | (on_room_to_send ? IER_THR_EMPTY : 0));
}

bool uart_is_interrupting(void)
{
    return !(read_register(UART_IIR) & IIR_NONE);
}

bool uart_is_idle(void)
{
    return (read_register(UART_LSR) & LSR_IDLE) != 0;
}
