// Serial ports; see serial.h.
#include "vmm/monitor/serial.h"

static size_t discard(void *context, const uint8_t *bytes, size_t count)
{
    (void)context;
    (void)bytes;
    return count;
}

static void no_input(void *context)
{
    (void)context;
}

static void send_batch(void *context)
{
    struct serial *serial = context;

    serial->is_batch_open = false;
    terminal_flush(&serial->terminal);
    serial->ops->writable(serial->uart); // a reader that has gone must not keep what it refused
}

static size_t transmit(void *context, const uint8_t *bytes, size_t count)
{
    struct serial *serial = context;
    const size_t taken = terminal_write(&serial->terminal, bytes, count);

    if (serial->terminal.stream == MX_HANDLE_INVALID)
        return taken;
    if (backlog_unread_bytes(&serial->terminal.backlog) >= SERIAL_BATCH_BYTES) {
        terminal_flush(&serial->terminal);
    } else if (!serial->is_batch_open) {
        serial->is_batch_open = true;
        serial->timer.arm(serial->timer.context,
                          serial->timer.now_ns(serial->timer.context) + SERIAL_BATCH_NS);
    }
    return taken;
}

// Gives the UART input until it takes no more or there is none.
static void feed(struct serial *serial)
{
    for (;;) {
        if (serial->input_count == 0) {
            serial->input_first = 0;
            serial->input_count =
                terminal_read(&serial->terminal, serial->input, sizeof(serial->input));
        }
        if (serial->input_count == 0)
            return;
        const size_t taken = serial->ops->receive(serial->uart, serial->input + serial->input_first,
                                                  serial->input_count);
        serial->input_first += taken;
        serial->input_count -= taken;
        if (serial->input_count > 0)
            return; // receive_ready follows
    }
}

static void receive_ready(void *context)
{
    feed(context);
}

mx_status_t serial_init(struct serial *serial, const struct uart_ops *ops, void *uart,
                        struct irq_line irq, struct system_timer *timers)
{
    const struct uart_host nothing = {.transmit = discard, .receive_ready = no_input};
    const struct uart_host host = {
        .transmit = transmit, .receive_ready = receive_ready, .context = serial};

    serial->has_terminal = timers != NULL;
    serial->ops = ops;
    serial->uart = uart;
    ops->init(uart, timers ? &host : &nothing, irq);
    if (!timers)
        return MX_OK;
    terminal_init(&serial->terminal, timers->guest->port, guest_event_key(GUEST_EVENT_SERIAL, 0));
    return timer_queue_add(&timers->queue, send_batch, serial, &serial->timer);
}

void serial_attach(struct serial *serial, mx_handle_t stream)
{
    terminal_attach(&serial->terminal, stream);
    // What the reader before had kept the UART from sending.
    serial->ops->writable(serial->uart);
}

mx_handle_t serial_detach(struct serial *serial)
{
    terminal_flush(&serial->terminal);
    return terminal_detach(&serial->terminal);
}

void serial_event(struct serial *serial, uint64_t key)
{
    terminal_event(&serial->terminal, key);
    terminal_flush(&serial->terminal);
    serial->ops->writable(serial->uart);
    feed(serial);
}
