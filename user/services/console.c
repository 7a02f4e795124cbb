// The console service: the machine's UART as one stream of bytes, and the kernel's log on it.
//
// One thread waits on a port for the UART's interrupt, the client's stream, the log and init's
// requests. Bytes to send wait in one ring, received ones in another; neither overflows: what does
// not fit stays where it is, in the stream, the log or the UART. A line feed goes out with a
// carriage return in front. The kernel writes to the UART by itself until somebody reads the log,
// so that only records from then on are copied. A UART without an interrupt, or whose interrupt
// does not come when it is asked for, is looked at every few milliseconds.

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/console.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "user/portable/log_line.h"
#include "user/services/uart.h"

#define RING_BYTES 4096 // a power of two

// How often a UART without an interrupt is looked at: its FIFO of 16 bytes is sent in this time.
#define POLL_BUSY MX_MSEC(1)
#define POLL_IDLE MX_MSEC(10)
// After this long without input the next one is taken to be a person's.
#define INPUT_PAUSE MX_SEC(1)
// For an interrupt that was asked for; many times what the UART needs to send what it holds.
#define INTERRUPT_TIMEOUT MX_SEC(1)

struct ring {
    uint8_t bytes[RING_BYTES];
    size_t head, tail; // both only grow; the ring holds [tail, head)
};

enum packet_key {
    KEY_INTERRUPT,
    KEY_STREAM_READABLE,
    KEY_STREAM_WRITABLE,
    KEY_LOG,
    KEY_CONTROL,
    KEY_COUNT,
};

struct console {
    mx_handle_t port, interrupt, stream, log, control;
    bool is_armed[KEY_COUNT]; // an asynchronous wait is under way
    bool is_stream_open, is_control_open;
    bool is_polled;
    bool is_log_shown;
    bool after_return; // the last byte sent was a carriage return
    bool is_held_back; // the stream or the log may have more than there was room for
    mx_time_t log_start;
    struct ring input, output;
    mx_time_t last_input; // of a polled UART
};

static struct console console;

static size_t ring_used(const struct ring *ring)
{
    return ring->head - ring->tail;
}

static size_t ring_room(const struct ring *ring)
{
    return RING_BYTES - ring_used(ring);
}

static void ring_put(struct ring *ring, uint8_t byte)
{
    ring->bytes[ring->head++ % RING_BYTES] = byte;
}

// The longest run of bytes that lies in one piece.
static size_t ring_run(const struct ring *ring, const uint8_t **bytes)
{
    size_t at = ring->tail % RING_BYTES;
    size_t used = ring_used(ring);

    *bytes = ring->bytes + at;
    return used < RING_BYTES - at ? used : RING_BYTES - at;
}

static void put_output(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' && !console.after_return)
            ring_put(&console.output, '\r');
        ring_put(&console.output, (uint8_t)bytes[i]);
        console.after_return = bytes[i] == '\r';
    }
}

static void arm(enum packet_key key, mx_handle_t handle, mx_signals_t signals)
{
    if (console.is_armed[key])
        return;
    console.is_armed[key] = mx_object_wait_async(handle, console.port, key, signals, 0) == MX_OK;
}

// Stream to output ring, as long as a doubled chunk fits.
static void fill_from_stream(void)
{
    char chunk[256];

    while (console.is_stream_open && ring_room(&console.output) >= 2 * sizeof(chunk)) {
        size_t length = 0;
        mx_status_t status = mx_stream_read(console.stream, chunk, sizeof(chunk), &length);
        if (status == MX_ERR_SHOULD_WAIT) {
            arm(KEY_STREAM_READABLE, console.stream, MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED);
            return;
        }
        if (status != MX_OK) {
            console.is_stream_open = false;
            return;
        }
        put_output(chunk, length);
    }
    console.is_held_back = console.is_held_back || console.is_stream_open;
}

static void put_record(const struct mx_log_record *record)
{
    char line[LOG_LINE_BYTES];

    put_output(line, log_line_format(record, line));
}

static void fill_from_log(void)
{
    struct mx_log_record record;

    while (console.is_log_shown && ring_room(&console.output) >= 2 * sizeof(record)) {
        mx_status_t status = mx_log_read(console.log, &record);
        if (status == MX_ERR_SHOULD_WAIT)
            arm(KEY_LOG, console.log, MX_SIGNAL_READABLE);
        if (status != MX_OK)
            return;
        if (record.timestamp >= console.log_start)
            put_record(&record);
    }
    console.is_held_back = console.is_held_back || console.is_log_shown;
}

static void receive(void)
{
    uint8_t chunk[64];
    size_t room = ring_room(&console.input);
    size_t length = uart_receive(chunk, room < sizeof(chunk) ? room : sizeof(chunk));

    for (size_t i = 0; i < length; i++)
        ring_put(&console.input, chunk[i]);
    if (console.is_polled && length > 0)
        console.last_input = mx_clock_get_monotonic();
}

static void deliver(void)
{
    const uint8_t *bytes;
    size_t run;

    while (console.is_stream_open && (run = ring_run(&console.input, &bytes)) > 0) {
        size_t written = 0;
        mx_status_t status = mx_stream_write(console.stream, bytes, run, &written);
        if (status == MX_ERR_SHOULD_WAIT) {
            arm(KEY_STREAM_WRITABLE, console.stream, MX_SIGNAL_WRITABLE | MX_SIGNAL_PEER_CLOSED);
            return;
        }
        if (status != MX_OK) {
            console.is_stream_open = false;
            return;
        }
        console.input.tail += written;
    }
}

static void transmit(void)
{
    const uint8_t *bytes;
    size_t run, sent;

    do {
        run = ring_run(&console.output, &bytes);
        sent = uart_send(bytes, run);
        console.output.tail += sent;
    } while (sent > 0);
}

// Moves everything that can move. When it returns, the UART is not interrupting, so that its next
// interrupt is an edge that is seen; and who is held back is so by bytes that the UART has yet to
// take, which interrupts for more.
static void pump(void)
{
    do {
        console.is_held_back = false;
        receive();
        deliver();
        fill_from_stream();
        fill_from_log();
        transmit();
        uart_set_interrupts(!console.is_polled && ring_room(&console.input) > 0,
                            !console.is_polled && ring_used(&console.output) > 0);
    } while (uart_is_interrupting() || (console.is_held_back && ring_used(&console.output) == 0));
}

// Waits in small steps, as a UART raises nothing when its last byte has left.
static void flush(void)
{
    pump();
    while (ring_used(&console.output) > 0 || !uart_is_idle()) {
        mx_nanosleep(mx_clock_get_monotonic() + MX_USEC(200));
        pump();
    }
}

static mx_status_t perform(uint32_t operation)
{
    switch (operation) {
    case CONSOLE_FLUSH:
        flush();
        return MX_OK;
    case CONSOLE_SHOW_LOG:
        console.is_log_shown = true;
        return MX_OK;
    case CONSOLE_HIDE_LOG:
        fill_from_log();
        console.is_log_shown = false;
        return MX_OK;
    default:
        return MX_ERR_NOT_SUPPORTED;
    }
}

static void serve_control(void)
{
    struct console_request request;
    uint32_t actual[2];
    mx_status_t status;

    while (console.is_control_open) {
        status = mx_channel_read(console.control, &request, sizeof(request), NULL, 0, actual);
        if (status == MX_ERR_SHOULD_WAIT) {
            arm(KEY_CONTROL, console.control, MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED);
            return;
        }
        if (status == MX_OK && actual[0] == sizeof(request)) {
            struct console_reply reply = {request.transaction, perform(request.operation)};
            status = mx_channel_write(console.control, &reply, sizeof(reply), NULL, 0);
        }
        console.is_control_open = status == MX_OK;
    }
}

static mx_status_t connect_interrupt(uint32_t irq)
{
    mx_handle_t irqs = startup_handle_take(MX_STARTUP_RESOURCE, MX_RESOURCE_IRQ);
    mx_status_t status = mx_interrupt_create(irqs, irq, &console.interrupt);

    handle_close(irqs);
    if (status == MX_OK)
        status = mx_interrupt_bind(console.interrupt, console.port, KEY_INTERRUPT);
    return status;
}

// Before anything else comes by the port.
static bool interrupt_comes(void)
{
    struct mx_port_packet packet;

    if (!uart_request_interrupt())
        return true;
    mx_status_t status =
        mx_port_wait(console.port, mx_clock_get_monotonic() + INTERRUPT_TIMEOUT, &packet);
    uart_set_interrupts(false, false);
    return status == MX_OK && mx_interrupt_ack(console.interrupt) == MX_OK;
}

// Firmware may tell of an interrupt that does not exist, or is another device's.
static bool has_interrupt(uint32_t irq)
{
    if (irq == MX_CONSOLE_NO_IRQ)
        return false;
    if (connect_interrupt(irq) == MX_OK && interrupt_comes())
        return true;
    printf("console: interrupt %u is not the serial port's, which is polled\n", irq);
    return false;
}

static mx_status_t start(const struct uart_place *place, uint32_t irq)
{
    mx_status_t status = mx_port_create(&console.port);

    if (status != MX_OK)
        return status;
    status = uart_init(place);
    if (status != MX_OK)
        return status;
    console.is_polled = !has_interrupt(irq);
    console.log_start = mx_clock_get_monotonic();
    console.stream = startup_handle_take(CONSOLE_STARTUP_STREAM, 0);
    console.log = startup_handle_look(MX_STARTUP_LOG, 0);
    console.control = startup_channel();
    console.is_stream_open = console.stream != MX_HANDLE_INVALID;
    console.is_control_open = true;
    console.is_log_shown = console.log != MX_HANDLE_INVALID;
    return MX_OK;
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 0);
}

// Whether a UART that is polled has output to take, or input that comes faster than people type:
// at 115200 baud its 16 bytes are full in 1.4 ms.
static bool is_busy(void)
{
    return ring_used(&console.output) > 0 ||
           mx_clock_get_monotonic() - console.last_input < INPUT_PAUSE;
}

// Until something is to be done.
static mx_status_t wait(void)
{
    mx_time_t deadline = MX_TIME_INFINITE;
    struct mx_port_packet packet;

    if (console.is_polled)
        deadline = mx_clock_get_monotonic() + (is_busy() ? POLL_BUSY : POLL_IDLE);
    mx_status_t status = mx_port_wait(console.port, deadline, &packet);
    if (status == MX_ERR_TIMED_OUT)
        return MX_OK;
    if (status != MX_OK)
        return status;
    if (packet.key < KEY_COUNT)
        console.is_armed[packet.key] = false;
    // Unmasked before the UART is looked at, so that an edge from now on is not lost.
    return packet.key == KEY_INTERRUPT ? mx_interrupt_ack(console.interrupt) : MX_OK;
}

// console BASE STRIDE ACCESS IRQ: where the UART's registers are, and its interrupt, as struct
// mx_info_console has them.
int main(int argc, char **argv)
{
    mx_status_t status = MX_ERR_INVALID_ARGS;

    if (argc == 5) {
        const struct uart_place place = {strtoul(argv[1], NULL, 0), number(argv[2]),
                                         number(argv[3])};
        status = start(&place, number(argv[4]));
    }
    if (status != MX_OK) {
        printf("console: cannot drive the serial port: %s\n", mx_status_string(status));
        return 1;
    }
    do {
        pump();
        serve_control();
    } while (wait() == MX_OK);
    return 1;
}
