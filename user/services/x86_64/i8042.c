// The driver of a PC's PS/2 keyboard: ports, interrupt and the screen for what
// user/portable/ps2_controller.h and ps2_scancodes.h do. A keyboard that is plugged in later says
// so, and is set up then.

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <machina/syscalls.h>

#include <machina_user/keyboard.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "user/portable/ps2_controller.h"
#include "user/portable/ps2_scancodes.h"
#include "user/services/i8042.h"

#define POLL_PERIOD  MX_USEC(100)
#define BYTES_MAX    256 // of one interrupt: a controller that always has another is broken
#define ABSENT_VALUE 0xff

static struct {
    mx_handle_t data, command; // the ports
    mx_handle_t interrupt, port;
    mx_handle_t keyboard; // the stream to the screen
    bool has_sent;        // a key over that stream
    uint8_t indicators;   // that shall be lit
    struct ps2_controller controller;
    struct ps2_scancodes codes;
} driver;

enum packet_key { KEY_INTERRUPT, KEY_INDICATORS };

// --- the ports

// An access to a port of a resource that this process holds cannot fail; all ones look like a
// machine without the chip.
static uint8_t read_port(mx_handle_t resource, uint32_t port)
{
    uint32_t value;

    return mx_ioport_read(resource, port, 1, &value) == MX_OK ? (uint8_t)value : ABSENT_VALUE;
}

static uint8_t read_status(void)
{
    return read_port(driver.command, I8042_COMMAND_PORT);
}

static uint8_t read_data(void)
{
    return read_port(driver.data, I8042_DATA_PORT);
}

static bool write_command(uint8_t value)
{
    return mx_ioport_write(driver.command, I8042_COMMAND_PORT, 1, value) == MX_OK;
}

static bool write_data(uint8_t value)
{
    return mx_ioport_write(driver.data, I8042_DATA_PORT, 1, value) == MX_OK;
}

static int64_t now_ns(void)
{
    return mx_clock_get_monotonic();
}

static void pause(void)
{
    mx_nanosleep(mx_clock_get_monotonic() + POLL_PERIOD);
}

static const struct ps2_controller_ops ops = {read_status,   read_data, write_data,
                                              write_command, now_ns,    pause};

// --- start

static bool start_keyboard(void)
{
    ps2_scancodes_init(&driver.codes, driver.controller.is_translated);
    return ps2_keyboard_start(&driver.controller);
}

static mx_status_t connect_interrupt(void)
{
    mx_handle_t irqs = startup_handle_take(MX_STARTUP_RESOURCE, MX_RESOURCE_IRQ);
    mx_status_t status = mx_interrupt_create(irqs, I8042_KEYBOARD_IRQ, &driver.interrupt);

    handle_close(irqs);
    if (status == MX_OK)
        status = mx_port_create(&driver.port);
    if (status == MX_OK)
        status = mx_interrupt_bind(driver.interrupt, driver.port, KEY_INTERRUPT);
    return status;
}

// --- work

static mx_status_t connect(void)
{
    mx_status_t status = keyboard_connect(&driver.keyboard);

    if (status != MX_OK)
        return status;
    return mx_object_wait_async(driver.keyboard, driver.port, KEY_INDICATORS,
                                MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0);
}

// A keyboard that lost codes, or is another one now: what was held is let go. Nothing is held when
// no key was sent; one that loses codes all the time does not fill the screen's places.
static mx_status_t reconnect(void)
{
    if (!driver.has_sent)
        return MX_OK;
    driver.has_sent = false;
    mx_status_t ignored = mx_port_cancel(driver.port, driver.keyboard, KEY_INDICATORS);

    (void)ignored;
    handle_close(driver.keyboard);
    return connect();
}

static mx_status_t take_byte(uint8_t byte)
{
    struct keyboard_event event;

    switch (ps2_scancodes_feed(&driver.codes, byte, &event)) {
    case PS2_NOTHING:
        return MX_OK;
    case PS2_KEY:
        driver.has_sent = true;
        return keyboard_send(driver.keyboard, &event, 1);
    case PS2_RESTARTED:
        if (start_keyboard())
            ps2_keyboard_show(&driver.controller, driver.indicators);
        return reconnect();
    case PS2_OVERRUN:
        return reconnect();
    }
    return MX_OK;
}

static mx_status_t take_bytes(void)
{
    mx_status_t status = MX_OK;
    uint8_t byte;

    for (unsigned i = 0; i < BYTES_MAX && status == MX_OK; i++) {
        if (!ps2_controller_take(&driver.controller, &byte))
            break;
        status = take_byte(byte);
    }
    return status;
}

static mx_status_t take_indicators(void)
{
    uint8_t bytes[16];
    size_t length = 0;
    mx_status_t status = mx_stream_read(driver.keyboard, bytes, sizeof(bytes), &length);

    if (status == MX_OK) {
        driver.indicators = bytes[length - 1];
        ps2_keyboard_show(&driver.controller, driver.indicators);
    }
    if (status != MX_OK && status != MX_ERR_SHOULD_WAIT)
        return status;
    return mx_object_wait_async(driver.keyboard, driver.port, KEY_INDICATORS,
                                MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0);
}

// Until the screen is gone.
static mx_status_t run(void)
{
    struct mx_port_packet packet;
    // What was typed before there were interrupts.
    mx_status_t status = take_bytes();

    while (status == MX_OK) {
        status = mx_port_wait(driver.port, MX_TIME_INFINITE, &packet);
        if (status == MX_OK && packet.key == KEY_INDICATORS)
            status = take_indicators();
        // Unmasked before the controller is looked at, so that an edge from now on is not lost.
        if (status == MX_OK && packet.key == KEY_INTERRUPT)
            status = mx_interrupt_ack(driver.interrupt);
        // After indicators too: the keyboard's answers were awaited without interrupts.
        if (status == MX_OK)
            status = take_bytes();
    }
    return status;
}

int main(void)
{
    const char *problem;
    mx_status_t status;

    driver.data = startup_handle_take(I8042_STARTUP_DATA, 0);
    driver.command = startup_handle_take(I8042_STARTUP_COMMAND, 0);
    problem = ps2_controller_start(&driver.controller, &ops);
    if (problem) {
        printf("PS/2 controller: %s\n", problem);
        return 1;
    }
    // One that is not plugged in does not answer; when it is, it begins with PS2_RESTARTED.
    if (!ps2_keyboard_reset(&driver.controller) || !start_keyboard())
        printf("PS/2 keyboard: none answers\n");
    status = connect_interrupt();
    if (status == MX_OK)
        status = connect();
    problem = status == MX_OK ? ps2_controller_enable_interrupt(&driver.controller)
                              : mx_status_string(status);
    if (problem) {
        printf("PS/2 keyboard: %s\n", problem);
        return 1;
    }
    return run() == MX_ERR_PEER_CLOSED ? 0 : 1;
}
