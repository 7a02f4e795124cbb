// The PL011 UART. Arm PrimeCell UART (PL011) Technical Reference Manual, DDI 0183G, chapter 3
// "Programmers Model".

#include "user/services/uart.h"
#include "user/services/uart_memory.h"

#include <machina/syscalls.h>

#include <machina_user/startup.h>

enum uart_register {
    UART_DR = 0x00,
    UART_FR = 0x18,
    UART_LCR_H = 0x2c,
    UART_CR = 0x30,
    UART_IFLS = 0x34,
    UART_IMSC = 0x38,
    UART_MIS = 0x40,
    UART_ICR = 0x44,
};

enum {
    FR_BUSY = 1 << 3,
    FR_RXFE = 1 << 4,
    FR_TXFF = 1 << 5,
    LCR_H_FEN = 1 << 4,
    LCR_H_WLEN_8 = 3 << 5,
    CR_UARTEN = 1 << 0,
    CR_TXE = 1 << 8,
    CR_RXE = 1 << 9,
    IFLS_EIGHTH_EACH = 0, // the receiving FIFO fills up to 1/8, the other empties down to 1/8
    INTERRUPT_RX = 1 << 4,
    INTERRUPT_TX = 1 << 5,
    INTERRUPT_RX_TIMEOUT = 1 << 6, // something has waited below the FIFO's level
    INTERRUPT_ALL = 0x7ff,
    DR_DATA = 0xff,
};

#define REGISTERS_BYTES MX_PAGE_SIZE

static uintptr_t registers;

// One instruction of a form that every hypervisor below can emulate.
static uint32_t read_register(enum uart_register offset)
{
    uint32_t value;

    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(registers + offset) : "memory");
    return value;
}

static void write_register(enum uart_register offset, uint32_t value)
{
    __asm__ volatile("str %w0, [%1]" : : "r"(value), "r"(registers + offset) : "memory");
}

mx_status_t uart_init(const struct uart_place *place)
{
    mx_status_t status = uart_map_registers(place->base, REGISTERS_BYTES, &registers);

    if (status != MX_OK)
        return status;
    write_register(UART_IMSC, 0);
    write_register(UART_ICR, INTERRUPT_ALL);
    write_register(UART_LCR_H, LCR_H_WLEN_8 | LCR_H_FEN);
    write_register(UART_IFLS, IFLS_EIGHTH_EACH);
    write_register(UART_CR, CR_UARTEN | CR_TXE | CR_RXE);
    return MX_OK;
}

size_t uart_receive(uint8_t *bytes, size_t capacity)
{
    size_t count = 0;

    while (count < capacity && !(read_register(UART_FR) & FR_RXFE))
        bytes[count++] = (uint8_t)(read_register(UART_DR) & DR_DATA);
    return count;
}

size_t uart_send(const uint8_t *bytes, size_t length)
{
    size_t count = 0;

    while (count < length && !(read_register(UART_FR) & FR_TXFF))
        write_register(UART_DR, bytes[count++]);
    return count;
}

void uart_set_interrupts(bool on_receive, bool on_room_to_send)
{
    write_register(UART_IMSC, (on_receive ? INTERRUPT_RX | INTERRUPT_RX_TIMEOUT : 0) |
                                  (on_room_to_send ? INTERRUPT_TX : 0));
}

// It comes when the queue runs empty, but not of one that is ("UARTRIS").
bool uart_request_interrupt(void)
{
    return false;
}

bool uart_is_interrupting(void)
{
    return read_register(UART_MIS) != 0;
}

bool uart_is_idle(void)
{
    return !(read_register(UART_FR) & FR_BUSY);
}
