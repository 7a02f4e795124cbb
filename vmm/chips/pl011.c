#include "vmm/chips/pl011.h"

#include "vmm/chips/primecell.h"

#include <string.h>

enum {
    UARTDR = 0x00,
    UARTRSR = 0x04, // written: UARTECR
    UARTFR = 0x18,
    UARTILPR = 0x20,
    UARTIBRD = 0x24,
    UARTFBRD = 0x28,
    UARTLCR_H = 0x2c,
    UARTCR = 0x30,
    UARTIFLS = 0x34,
    UARTIMSC = 0x38,
    UARTRIS = 0x3c,
    UARTMIS = 0x40,
    UARTICR = 0x44,
    UARTDMACR = 0x48,
};

#define DR_DATA 0x0ffu
#define DR_OE   0x800u

#define RSR_OE         0x8u
#define DR_ERROR_SHIFT 8 // errors of a byte in UARTDR and in UARTRSR

#define FR_CTS  0x001u
#define FR_DSR  0x002u
#define FR_DCD  0x004u
#define FR_BUSY 0x008u
#define FR_RXFE 0x010u
#define FR_TXFF 0x020u
#define FR_RXFF 0x040u
#define FR_TXFE 0x080u
#define FR_RI   0x100u

#define FBRD_MASK 0x3fu

#define LCRH_FEN 0x10u

#define CR_UARTEN 0x0001u
#define CR_LBE    0x0080u
#define CR_TXE    0x0100u
#define CR_RXE    0x0200u
#define CR_DTR    0x0400u
#define CR_RTS    0x0800u
#define CR_OUT1   0x1000u
#define CR_OUT2   0x2000u
#define CR_MASK   0xff87u

#define IFLS_TX_MASK  0x7u
#define IFLS_RX_SHIFT 3
#define IFLS_MASK     0x3fu
#define IFLS_RESET    0x12u

#define INT_RI   0x001u
#define INT_CTS  0x002u
#define INT_DCD  0x004u
#define INT_DSR  0x008u
#define INT_RX   0x010u
#define INT_TX   0x020u
#define INT_RT   0x040u
#define INT_OE   0x400u
#define INT_MASK 0x7ffu

#define DMACR_MASK 0x7u

#define PART     0x011u
#define REVISION 3u // r1p5, which has FIFOs of 32

static bool has_fifos(const struct pl011 *uart)
{
    return uart->lcrh & LCRH_FEN;
}

// Without FIFOs the two holding registers are FIFOs of one byte.
static unsigned fifo_depth(const struct pl011 *uart)
{
    return has_fifos(uart) ? PL011_FIFO_COUNT : 1;
}

// 1/8, 1/4, 1/2, 3/4 and 7/8 full; the other values are reserved.
static unsigned trigger_level(unsigned selection)
{
    static const uint8_t levels[8] = {4, 8, 16, 24, 28, 28, 28, 28};

    return levels[selection & 7];
}

static unsigned receive_trigger(const struct pl011 *uart)
{
    return has_fifos(uart) ? trigger_level(uart->ifls >> IFLS_RX_SHIFT) : 1;
}

static unsigned transmit_trigger(const struct pl011 *uart)
{
    return has_fifos(uart) ? trigger_level(uart->ifls & IFLS_TX_MASK) : 0;
}

static void update_irq(struct pl011 *uart)
{
    const bool level = (uart->ris & uart->imsc) != 0;

    if (uart->irq_level == level)
        return;
    uart->irq_level = level;
    irq_line_set(&uart->irq, level);
}

// --- receiving ----------------------------------------------------------------------------------

// After the receive FIFO has changed: by more bytes (the timeout comes at once) or by fewer.
static void update_receive_interrupts(struct pl011 *uart)
{
    uart->ris &= (uint16_t) ~(INT_RX | INT_RT);
    if (uart->receive_count >= receive_trigger(uart))
        uart->ris |= INT_RX;
    else if (uart->receive_count > 0)
        uart->ris |= INT_RT;
}

static bool push_received(struct pl011 *uart, uint8_t byte)
{
    const unsigned place = uart->receive_first + uart->receive_count;

    if (uart->receive_count >= fifo_depth(uart))
        return false;
    uart->receive_fifo[place % PL011_FIFO_COUNT] = byte | (uart->receive_overrun ? DR_OE : 0);
    uart->receive_overrun = false;
    uart->receive_count++;
    return true;
}

static bool is_receiving(const struct pl011 *uart)
{
    return (uart->cr & (CR_UARTEN | CR_RXE | CR_LBE)) == (CR_UARTEN | CR_RXE);
}

static void announce_receive_room(struct pl011 *uart)
{
    if (!uart->receive_refused || uart->receive_count > 0 || !is_receiving(uart))
        return;
    uart->receive_refused = false;
    uart->host.receive_ready(uart->host.context);
}

size_t pl011_receive(struct pl011 *uart, const uint8_t *bytes, size_t count)
{
    size_t taken = 0;

    while (taken < count && is_receiving(uart) && push_received(uart, bytes[taken]))
        taken++;
    if (taken < count)
        uart->receive_refused = true;
    if (taken > 0)
        update_receive_interrupts(uart);
    update_irq(uart);
    return taken;
}

static uint16_t read_dr(struct pl011 *uart)
{
    uint16_t value;

    if (uart->receive_count == 0)
        return 0;
    value = uart->receive_fifo[uart->receive_first];
    uart->receive_first = (uart->receive_first + 1) % PL011_FIFO_COUNT;
    uart->receive_count--;
    uart->rsr = (uint8_t)(value >> DR_ERROR_SHIFT);
    update_receive_interrupts(uart);
    update_irq(uart);
    announce_receive_room(uart);
    return value;
}

// --- transmitting -------------------------------------------------------------------------------

static void update_transmit_interrupt(struct pl011 *uart)
{
    if (uart->transmit_count <= transmit_trigger(uart))
        uart->ris |= INT_TX;
    else
        uart->ris &= (uint16_t)~INT_TX;
}

// Offers the transmit FIFO to the sink.
static void drain_transmit_fifo(struct pl011 *uart)
{
    uint8_t bytes[PL011_FIFO_COUNT];
    size_t taken;

    for (size_t i = 0; i < uart->transmit_count; i++)
        bytes[i] = uart->transmit_fifo[(uart->transmit_first + i) % PL011_FIFO_COUNT];
    taken = uart->host.transmit(uart->host.context, bytes, uart->transmit_count);
    if (taken > uart->transmit_count)
        taken = uart->transmit_count;
    uart->transmit_first = (uint8_t)((uart->transmit_first + taken) % PL011_FIFO_COUNT);
    uart->transmit_count -= (uint8_t)taken;
}

static void loop_back(struct pl011 *uart, uint8_t byte)
{
    if (push_received(uart, byte)) {
        update_receive_interrupts(uart);
        return;
    }
    uart->receive_overrun = true;
    uart->rsr |= RSR_OE;
    uart->ris |= INT_OE;
}

// "The transmit interrupt is based on a transition through a level": each byte that leaves is one.
static void write_dr(struct pl011 *uart, uint8_t byte)
{
    const unsigned place = uart->transmit_first + uart->transmit_count;

    if (uart->cr & CR_LBE) {
        loop_back(uart, byte);
    } else if (uart->transmit_count < fifo_depth(uart)) { // a full FIFO ignores the byte
        uart->transmit_fifo[place % PL011_FIFO_COUNT] = byte;
        uart->transmit_count++;
        drain_transmit_fifo(uart);
    }
    update_transmit_interrupt(uart);
    update_irq(uart);
}

void pl011_writable(struct pl011 *uart)
{
    if (uart->transmit_count == 0)
        return;
    drain_transmit_fifo(uart);
    update_transmit_interrupt(uart);
    update_irq(uart);
}

// --- registers ----------------------------------------------------------------------------------

static uint16_t read_fr(const struct pl011 *uart)
{
    uint16_t fr = uart->modem_inputs;

    if (uart->receive_count == 0)
        fr |= FR_RXFE;
    if (uart->receive_count >= fifo_depth(uart))
        fr |= FR_RXFF;
    if (uart->transmit_count == 0)
        fr |= FR_TXFE;
    else
        fr |= FR_BUSY;
    if (uart->transmit_count >= fifo_depth(uart))
        fr |= FR_TXFF;
    return fr;
}

// A terminal that is always there, or our own outputs in loopback.
static uint16_t read_modem_inputs(const struct pl011 *uart)
{
    if (!(uart->cr & CR_LBE))
        return FR_CTS | FR_DSR | FR_DCD;
    return (uint16_t)((uart->cr & CR_RTS ? FR_CTS : 0) | (uart->cr & CR_DTR ? FR_DSR : 0) |
                      (uart->cr & CR_OUT1 ? FR_DCD : 0) | (uart->cr & CR_OUT2 ? FR_RI : 0));
}

// The modem interrupts come with each change of an input.
static void update_modem(struct pl011 *uart)
{
    const uint16_t inputs = read_modem_inputs(uart), changed = inputs ^ uart->modem_inputs;

    uart->modem_inputs = inputs;
    uart->ris |= (uint16_t)((changed & FR_CTS ? INT_CTS : 0) | (changed & FR_DSR ? INT_DSR : 0) |
                            (changed & FR_DCD ? INT_DCD : 0) | (changed & FR_RI ? INT_RI : 0));
}

static void write_cr(struct pl011 *uart, uint16_t value)
{
    uart->cr = value & CR_MASK;
    update_modem(uart);
    update_irq(uart);
    announce_receive_room(uart);
}

// "When FEN is cleared the FIFOs become 1-byte-deep holding registers": what they held is flushed,
// and so it is when they are made FIFOs.
static void write_lcrh(struct pl011 *uart, uint8_t value)
{
    const bool is_fen_changed = (value ^ uart->lcrh) & LCRH_FEN;

    uart->lcrh = value;
    if (!is_fen_changed)
        return;
    uart->receive_count = 0;
    update_receive_interrupts(uart);
    if (uart->transmit_count > 0) {
        uart->transmit_count = 0;
        update_transmit_interrupt(uart);
    }
    update_irq(uart);
    announce_receive_room(uart);
}

static void write_ifls(struct pl011 *uart, uint8_t value)
{
    uart->ifls = value & IFLS_MASK;
    update_receive_interrupts(uart);
    update_irq(uart);
}

static uint32_t read_register(struct pl011 *uart, uint64_t offset)
{
    switch (offset) {
    case UARTDR:
        return read_dr(uart);
    case UARTRSR:
        return uart->rsr;
    case UARTFR:
        return read_fr(uart);
    case UARTILPR:
        return uart->ilpr;
    case UARTIBRD:
        return uart->ibrd;
    case UARTFBRD:
        return uart->fbrd;
    case UARTLCR_H:
        return uart->lcrh;
    case UARTCR:
        return uart->cr;
    case UARTIFLS:
        return uart->ifls;
    case UARTIMSC:
        return uart->imsc;
    case UARTRIS:
        return uart->ris;
    case UARTMIS:
        return uart->ris & uart->imsc;
    case UARTDMACR:
        return uart->dmacr;
    default:
        return offset >= PRIMECELL_ID_OFFSET ? primecell_id_read(offset, PART, REVISION) : 0;
    }
}

static void write_register(struct pl011 *uart, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case UARTDR:
        write_dr(uart, value & DR_DATA);
        break;
    case UARTRSR: // any value clears all errors
        uart->rsr = 0;
        break;
    case UARTILPR:
        uart->ilpr = (uint8_t)value;
        break;
    case UARTIBRD:
        uart->ibrd = (uint16_t)value;
        break;
    case UARTFBRD:
        uart->fbrd = value & FBRD_MASK;
        break;
    case UARTLCR_H:
        write_lcrh(uart, (uint8_t)value);
        break;
    case UARTCR:
        write_cr(uart, (uint16_t)value);
        break;
    case UARTIFLS:
        write_ifls(uart, (uint8_t)value);
        break;
    case UARTIMSC:
        uart->imsc = value & INT_MASK;
        update_irq(uart);
        break;
    case UARTICR:
        uart->ris &= (uint16_t)~value;
        update_irq(uart);
        break;
    case UARTDMACR:
        uart->dmacr = value & DMACR_MASK;
        break;
    default:
        break;
    }
}

// A register answers at its own address, whatever the width of its bus.
static uint64_t pl011_read(void *device, uint64_t offset, unsigned width_bytes)
{
    return width_bytes <= 4 && offset % 4 == 0 ? read_register(device, offset) : 0;
}

static void pl011_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    if (width_bytes <= 4 && offset % 4 == 0)
        write_register(device, offset, (uint32_t)value);
}

static void pl011_reset(void *device)
{
    struct pl011 *uart = device;
    const struct uart_host host = uart->host;
    const struct irq_line irq = uart->irq;
    const bool irq_level = uart->irq_level, receive_refused = uart->receive_refused;

    *uart = (struct pl011){.host = host,
                           .irq = irq,
                           .irq_level = irq_level,
                           .receive_refused = receive_refused,
                           .cr = CR_TXE | CR_RXE,
                           .ifls = IFLS_RESET};
    uart->modem_inputs = read_modem_inputs(uart);
    update_irq(uart);
}

const struct device_ops pl011_ops = {
    .read = pl011_read,
    .write = pl011_write,
    .reset = pl011_reset,
};

void pl011_init(struct pl011 *uart, const struct uart_host *host, struct irq_line irq)
{
    memset(uart, 0, sizeof(*uart));
    uart->host = *host;
    uart->irq = irq;
    pl011_reset(uart);
}

static void init(void *uart, const struct uart_host *host, struct irq_line irq)
{
    pl011_init(uart, host, irq);
}

static size_t receive(void *uart, const uint8_t *bytes, size_t count)
{
    return pl011_receive(uart, bytes, count);
}

static void writable(void *uart)
{
    pl011_writable(uart);
}

const struct uart_ops pl011_uart_ops = {.init = init, .receive = receive, .writable = writable};
