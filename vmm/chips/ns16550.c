#include "vmm/chips/ns16550.h"

#include "vmm/chips/byte_port.h"

#include <string.h>

enum {
    RBR_THR = 0, // also DLL
    IER = 1,     // also DLM
    IIR_FCR = 2,
    LCR = 3,
    MCR = 4,
    LSR = 5,
    MSR = 6,
    SCR = 7,
};

#define IER_ERBFI 0x01
#define IER_ETBEI 0x02
#define IER_ELSI  0x04
#define IER_EDSSI 0x08
#define IER_MASK  0x0f

#define IIR_NO_INTERRUPT      0x01
#define IIR_MODEM_STATUS      0x00
#define IIR_THR_EMPTY         0x02
#define IIR_RECEIVED_DATA     0x04
#define IIR_LINE_STATUS       0x06
#define IIR_CHARACTER_TIMEOUT 0x0c
#define IIR_FIFOS_ENABLED     0xc0

#define FCR_ENABLE         0x01
#define FCR_RECEIVE_RESET  0x02
#define FCR_TRANSMIT_RESET 0x04
#define FCR_DMA_MODE       0x08
#define FCR_TRIGGER_SHIFT  6
#define FCR_TRIGGER_MASK   0xc0

#define LCR_DLAB 0x80

#define MCR_DTR  0x01
#define MCR_RTS  0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

#define LSR_DR   0x01
#define LSR_OE   0x02
#define LSR_THRE 0x20
#define LSR_TEMT 0x40

#define MSR_DELTAS 0x0f
#define MSR_DCTS   0x01
#define MSR_DDSR   0x02
#define MSR_TERI   0x04
#define MSR_DDCD   0x08
#define MSR_CTS    0x10
#define MSR_DSR    0x20
#define MSR_RI     0x40
#define MSR_DCD    0x80

#define DIVISOR_9600_BAUD 12

static void fifo_clear(struct ns16550_fifo *fifo)
{
    fifo->first = 0;
    fifo->count = 0;
}

static bool fifo_push(struct ns16550_fifo *fifo, size_t depth, uint8_t byte)
{
    if (fifo->count >= depth)
        return false;
    fifo->bytes[(fifo->first + fifo->count) % NS16550_FIFO_BYTES] = byte;
    fifo->count++;
    return true;
}

static uint8_t fifo_pop(struct ns16550_fifo *fifo)
{
    uint8_t byte = fifo->bytes[fifo->first];

    fifo->first = (fifo->first + 1) % NS16550_FIFO_BYTES;
    fifo->count--;
    return byte;
}

// Without FIFOs the two holding registers are FIFOs of one byte.
static size_t fifo_depth(const struct ns16550 *uart)
{
    return uart->fcr & FCR_ENABLE ? NS16550_FIFO_BYTES : 1;
}

static size_t receive_trigger_level(const struct ns16550 *uart)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    return uart->fcr & FCR_ENABLE ? levels[uart->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

// The highest-priority interrupt that is pending and enabled, as IIR reports it (without the FIFO
// bits).
static uint8_t interrupt_identification(const struct ns16550 *uart)
{
    if ((uart->ier & IER_ELSI) && uart->lsr_errors != 0)
        return IIR_LINE_STATUS;
    if ((uart->ier & IER_ERBFI) && uart->receive_fifo.count > 0)
        return uart->receive_fifo.count >= receive_trigger_level(uart) ? IIR_RECEIVED_DATA
                                                                       : IIR_CHARACTER_TIMEOUT;
    if ((uart->ier & IER_ETBEI) && uart->thre_interrupt_pending)
        return IIR_THR_EMPTY;
    if ((uart->ier & IER_EDSSI) && (uart->msr & MSR_DELTAS))
        return IIR_MODEM_STATUS;
    return IIR_NO_INTERRUPT;
}

static void set_irq_level(struct ns16550 *uart, bool level)
{
    if (uart->irq_level == level)
        return;
    uart->irq_level = level;
    irq_line_set(&uart->irq, level);
}

static void update_irq(struct ns16550 *uart)
{
    bool is_gate_open = (uart->mcr & MCR_OUT2) && !(uart->mcr & MCR_LOOP);

    set_irq_level(uart, is_gate_open && interrupt_identification(uart) != IIR_NO_INTERRUPT);
}

// Offers the transmit FIFO to the sink. THR becomes empty only when the sink took everything.
static void drain_transmit_fifo(struct ns16550 *uart)
{
    struct ns16550_fifo *fifo = &uart->transmit_fifo;
    uint8_t bytes[NS16550_FIFO_BYTES];
    size_t taken;

    if (fifo->count == 0)
        return;
    for (size_t i = 0; i < fifo->count; i++)
        bytes[i] = fifo->bytes[(fifo->first + i) % NS16550_FIFO_BYTES];
    taken = uart->host.transmit(uart->host.context, bytes, fifo->count);
    if (taken > fifo->count)
        taken = fifo->count;
    fifo->first = (uint8_t)((fifo->first + taken) % NS16550_FIFO_BYTES);
    fifo->count -= (uint8_t)taken;
    if (fifo->count == 0)
        uart->thre_interrupt_pending = true;
}

static void loop_back(struct ns16550 *uart, uint8_t byte)
{
    if (!fifo_push(&uart->receive_fifo, fifo_depth(uart), byte))
        uart->lsr_errors |= LSR_OE;
    if (uart->transmit_fifo.count == 0)
        uart->thre_interrupt_pending = true;
}

// Writing THR ends the THRE interrupt, and an instantly empty THR raises it again: an edge for each
// byte. While a driver that acknowledged by reading IIR fills the FIFO ("1 to 16 characters may be
// written while servicing this interrupt"), the line went low at the acknowledgement already and
// one edge is enough.
static void write_thr(struct ns16550 *uart, uint8_t byte)
{
    bool is_burst = (uart->fcr & FCR_ENABLE) && uart->burst_count < NS16550_FIFO_BYTES;

    uart->thre_interrupt_pending = false;
    if (is_burst)
        uart->burst_count++;
    else
        update_irq(uart);
    if (uart->mcr & MCR_LOOP) {
        loop_back(uart, byte);
    } else {
        (void)fifo_push(&uart->transmit_fifo, fifo_depth(uart),
                        byte); // a full FIFO ignores the byte
        drain_transmit_fifo(uart);
    }
    update_irq(uart);
}

static void announce_receive_room(struct ns16550 *uart)
{
    if (!uart->receive_refused || uart->receive_fifo.count > 0 || (uart->mcr & MCR_LOOP))
        return;
    uart->receive_refused = false;
    uart->host.receive_ready(uart->host.context);
}

static uint8_t read_rbr(struct ns16550 *uart)
{
    uint8_t byte;

    if (uart->receive_fifo.count == 0)
        return 0;
    byte = fifo_pop(&uart->receive_fifo);
    update_irq(uart);
    announce_receive_room(uart);
    return byte;
}

// "If the THR empty interrupt is enabled while THR is empty, it is raised at once."
static void write_ier(struct ns16550 *uart, uint8_t value)
{
    bool is_thre_newly_enabled = (value & IER_ETBEI) && !(uart->ier & IER_ETBEI);

    uart->ier = value & IER_MASK;
    uart->burst_count = NS16550_FIFO_BYTES;
    if (is_thre_newly_enabled && uart->transmit_fifo.count == 0)
        uart->thre_interrupt_pending = true;
    update_irq(uart);
}

static uint8_t read_iir(struct ns16550 *uart)
{
    uint8_t iir = interrupt_identification(uart);

    if (iir == IIR_THR_EMPTY) {
        uart->thre_interrupt_pending = false;
        uart->burst_count = 0;
        update_irq(uart);
    }
    return iir | (uart->fcr & FCR_ENABLE ? IIR_FIFOS_ENABLED : 0);
}

static void write_fcr(struct ns16550 *uart, uint8_t value)
{
    bool is_enable_changed = (value ^ uart->fcr) & FCR_ENABLE;

    if (is_enable_changed || ((value & FCR_ENABLE) && (value & FCR_RECEIVE_RESET)))
        fifo_clear(&uart->receive_fifo);
    if (is_enable_changed || ((value & FCR_ENABLE) && (value & FCR_TRANSMIT_RESET))) {
        if (uart->transmit_fifo.count > 0)
            uart->thre_interrupt_pending = true;
        fifo_clear(&uart->transmit_fifo);
    }
    // The other bits are programmed only while bit 0 is written as one.
    uart->fcr = value & FCR_ENABLE ? value & (FCR_ENABLE | FCR_DMA_MODE | FCR_TRIGGER_MASK) : 0;
    update_irq(uart);
    announce_receive_room(uart);
}

// The modem inputs: a terminal that is always there, or our own outputs in loopback.
static uint8_t modem_inputs(const struct ns16550 *uart)
{
    if (!(uart->mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (uint8_t)((uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
                     (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

static void update_msr(struct ns16550 *uart)
{
    uint8_t inputs = modem_inputs(uart);
    uint8_t changed = uart->msr ^ inputs;
    uint8_t deltas = uart->msr & MSR_DELTAS;

    if (changed & MSR_CTS)
        deltas |= MSR_DCTS;
    if (changed & MSR_DSR)
        deltas |= MSR_DDSR;
    if ((changed & MSR_RI) && !(inputs & MSR_RI))
        deltas |= MSR_TERI;
    if (changed & MSR_DCD)
        deltas |= MSR_DDCD;
    uart->msr = inputs | deltas;
}

static void write_mcr(struct ns16550 *uart, uint8_t value)
{
    uart->mcr = value & MCR_MASK;
    update_msr(uart);
    update_irq(uart);
    announce_receive_room(uart);
}

static uint8_t read_lsr(struct ns16550 *uart)
{
    uint8_t lsr = uart->lsr_errors;

    if (uart->receive_fifo.count > 0)
        lsr |= LSR_DR;
    if (uart->transmit_fifo.count == 0)
        lsr |= LSR_THRE | LSR_TEMT;
    uart->lsr_errors = 0;
    update_irq(uart);
    return lsr;
}

static uint8_t read_msr(struct ns16550 *uart)
{
    uint8_t msr = uart->msr;

    uart->msr &= (uint8_t)~MSR_DELTAS;
    update_irq(uart);
    return msr;
}

static uint8_t read_register(void *chip, uint64_t offset)
{
    struct ns16550 *uart = chip;

    switch (offset) {
    case RBR_THR:
        return uart->lcr & LCR_DLAB ? uart->dll : read_rbr(uart);
    case IER:
        return uart->lcr & LCR_DLAB ? uart->dlm : uart->ier;
    case IIR_FCR:
        return read_iir(uart);
    case LCR:
        return uart->lcr;
    case MCR:
        return uart->mcr;
    case LSR:
        return read_lsr(uart);
    case MSR:
        return read_msr(uart);
    case SCR:
        return uart->scr;
    default:
        return 0xff;
    }
}

static void write_register(void *chip, uint64_t offset, uint8_t value)
{
    struct ns16550 *uart = chip;

    switch (offset) {
    case RBR_THR:
        if (uart->lcr & LCR_DLAB)
            uart->dll = value;
        else
            write_thr(uart, value);
        break;
    case IER:
        if (uart->lcr & LCR_DLAB)
            uart->dlm = value;
        else
            write_ier(uart, value);
        break;
    case IIR_FCR:
        write_fcr(uart, value);
        break;
    case LCR:
        uart->lcr = value;
        break;
    case MCR:
        write_mcr(uart, value);
        break;
    case SCR:
        uart->scr = value;
        break;
    default: // LSR and MSR are written in factory tests only
        break;
    }
}

static uint64_t ns16550_read(void *device, uint64_t offset, unsigned width_bytes)
{
    return byte_port_read(device, read_register, offset, width_bytes);
}

static void ns16550_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    byte_port_write(device, write_register, offset, width_bytes, value);
}

static void ns16550_reset(void *device)
{
    struct ns16550 *uart = device;

    fifo_clear(&uart->receive_fifo);
    fifo_clear(&uart->transmit_fifo);
    uart->ier = uart->fcr = uart->lcr = uart->mcr = uart->scr = 0;
    uart->dll = DIVISOR_9600_BAUD;
    uart->dlm = 0;
    uart->msr = modem_inputs(uart);
    uart->lsr_errors = 0;
    uart->burst_count = NS16550_FIFO_BYTES;
    uart->thre_interrupt_pending = false;
    set_irq_level(uart, false);
    announce_receive_room(uart);
}

const struct device_ops ns16550_ops = {
    .read = ns16550_read,
    .write = ns16550_write,
    .reset = ns16550_reset,
};

void ns16550_init(struct ns16550 *uart, const struct uart_host *host, struct irq_line irq)
{
    memset(uart, 0, sizeof(*uart));
    uart->host = *host;
    uart->irq = irq;
    ns16550_reset(uart);
}

size_t ns16550_receive(struct ns16550 *uart, const uint8_t *bytes, size_t count)
{
    size_t taken = 0;

    if (!(uart->mcr & MCR_LOOP)) {
        while (taken < count && fifo_push(&uart->receive_fifo, fifo_depth(uart), bytes[taken]))
            taken++;
    }
    if (taken < count)
        uart->receive_refused = true;
    update_irq(uart);
    return taken;
}

void ns16550_writable(struct ns16550 *uart)
{
    drain_transmit_fifo(uart);
    update_irq(uart);
}

static void init(void *uart, const struct uart_host *host, struct irq_line irq)
{
    ns16550_init(uart, host, irq);
}

static size_t receive(void *uart, const uint8_t *bytes, size_t count)
{
    return ns16550_receive(uart, bytes, count);
}

static void writable(void *uart)
{
    ns16550_writable(uart);
}

const struct uart_ops ns16550_uart_ops = {.init = init, .receive = receive, .writable = writable};
