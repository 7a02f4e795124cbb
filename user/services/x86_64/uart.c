// The 16550A UART that is a PC's console, on I/O ports or in memory. National Semiconductor
// PC16550D data sheet, "Registers".

#include "user/services/uart.h"

#include <machina/syscalls.h>

#include <machina_user/startup.h>

#include "user/services/uart_memory.h"

enum uart_register {
    UART_RBR = 0, // received byte
    UART_THR = 0, // byte to send
    UART_IER = 1,
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
    MCR_DTR_RTS_OUT2 = 0x0b, // OUT2 lets the interrupt out of the chip
    LSR_DATA_READY = 0x01,
    LSR_THR_EMPTY = 0x20,
    LSR_IDLE = 0x40,

    FIFO_BYTES = 16,
};

#define REGISTER_COUNT 8

static struct uart_place uart;
static mx_handle_t ports = MX_HANDLE_INVALID; // unless the registers are in memory
static uintptr_t registers;

// An access to a port of a resource that this process holds cannot fail; reading all ones otherwise
// looks like a machine without the chip.
static uint8_t read_register(enum uart_register number)
{
    uint32_t offset = number * uart.stride_bytes, value;

    if (ports == MX_HANDLE_INVALID && uart.access_bytes == 4)
        return (uint8_t) * (volatile uint32_t *)(registers + offset);
    if (ports == MX_HANDLE_INVALID)
        return *(volatile uint8_t *)(registers + offset);
    if (mx_ioport_read(ports, (uint32_t)uart.base + offset, 1, &value) != MX_OK)
        return 0xff;
    return (uint8_t)value;
}

static void write_register(enum uart_register number, uint8_t value)
{
    uint32_t offset = number * uart.stride_bytes;

    if (ports == MX_HANDLE_INVALID && uart.access_bytes == 4)
        *(volatile uint32_t *)(registers + offset) = value;
    else if (ports == MX_HANDLE_INVALID)
        *(volatile uint8_t *)(registers + offset) = value;
    else
        (void)!mx_ioport_write(ports, (uint32_t)uart.base + offset, 1, value);
}

static bool is_present(void)
{
    write_register(UART_SCR, 0x5a);
    if (read_register(UART_SCR) != 0x5a)
        return false;
    write_register(UART_SCR, 0xa5);
    return read_register(UART_SCR) == 0xa5;
}

mx_status_t uart_init(const struct uart_place *place)
{
    mx_status_t status = MX_OK;

    uart = *place;
    ports = startup_handle_take(MX_STARTUP_RESOURCE, MX_RESOURCE_IOPORT);
    if (ports == MX_HANDLE_INVALID)
        status = uart_map_registers(place->base, (uint64_t)REGISTER_COUNT * place->stride_bytes,
                                    &registers);
    if (status != MX_OK)
        return status;
    if (!is_present())
        return MX_ERR_NOT_FOUND;
    write_register(UART_IER, 0);
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

// It comes when the condition is there as well as when it arises ("Interrupt Enable Register").
bool uart_request_interrupt(void)
{
    write_register(UART_IER, IER_THR_EMPTY);
    return true;
}

bool uart_is_interrupting(void)
{
    return !(read_register(UART_IIR) & IIR_NONE);
}

bool uart_is_idle(void)
{
    return (read_register(UART_LSR) & LSR_IDLE) != 0;
}
