// The driver of a PC's PS/2 keyboard at the controller that all PCs agree on: Intel 8042 and its
// successors (IBM Personal System/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary
// Device Controller").
//
// Every wait is bounded, so that a machine without the controller, or with one that does not
// answer, loses the keyboard and nothing else. A keyboard that is plugged in later says so, and is
// set up then.

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <machina/syscalls.h>

#include <machina_user/keyboard.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "user/portable/ps2_scancodes.h"
#include "user/services/i8042.h"

enum {
    STATUS_OUTPUT_FULL = 0x01, // a byte can be read
    STATUS_INPUT_FULL = 0x02,  // a byte cannot be written
    STATUS_FROM_MOUSE = 0x20,
    STATUS_ABSENT = 0xff,

    COMMAND_READ_CONFIG = 0x20,
    COMMAND_WRITE_CONFIG = 0x60,
    COMMAND_DISABLE_MOUSE = 0xa7,
    COMMAND_SELF_TEST = 0xaa,
    COMMAND_DISABLE_KEYBOARD = 0xad,
    COMMAND_ENABLE_KEYBOARD = 0xae,
    SELF_TEST_PASSED = 0x55,

    CONFIG_KEYBOARD_INTERRUPT = 0x01,
    CONFIG_MOUSE_INTERRUPT = 0x02,
    CONFIG_KEYBOARD_OFF = 0x10,
    CONFIG_TRANSLATE = 0x40, // scan codes of set 2 into set 1

    KEYBOARD_SET_INDICATORS = 0xed,
    KEYBOARD_SET_CODES = 0xf0,
    KEYBOARD_ENABLE = 0xf4,
    KEYBOARD_RESET = 0xff,
    KEYBOARD_ACK = 0xfa,
    KEYBOARD_RESEND = 0xfe,
    KEYBOARD_PASSED = 0xaa,
};

#define POLL_PERIOD    MX_USEC(100)
#define ANSWER_TIMEOUT MX_MSEC(250)
#define RESET_TIMEOUT  MX_SEC(2) // a keyboard tests itself first
#define FLUSH_MAX      64        // bytes that firmware may have left
#define TRIES          3
#define BYTES_MAX      256 // of one interrupt: a controller that always has another is broken

static struct {
    mx_handle_t data, command; // the ports
    mx_handle_t interrupt, port;
    mx_handle_t keyboard; // the stream to the screen
    bool has_sent;        // a key over that stream
    uint8_t indicators;   // that shall be lit
    bool is_translated;
    uint8_t config; // of the controller, as it was set up
    struct ps2_scancodes codes;
} driver;

enum packet_key { KEY_INTERRUPT, KEY_INDICATORS };

// --- the controller

// An access to a port of a resource that this process holds cannot fail; all ones look like a
// machine without the chip.
static uint8_t read_port(mx_handle_t resource, uint32_t port)
{
    uint32_t value;

    return mx_ioport_read(resource, port, 1, &value) == MX_OK ? (uint8_t)value : STATUS_ABSENT;
}

static uint8_t read_status(void)
{
    return read_port(driver.command, I8042_COMMAND_PORT);
}

static uint8_t read_data(void)
{
    return read_port(driver.data, I8042_DATA_PORT);
}

// Waits until the bits of `mask` in the status are `value`.
static bool wait_status(uint8_t mask, uint8_t value, mx_time_t timeout)
{
    mx_time_t deadline = mx_clock_get_monotonic() + timeout;

    while ((read_status() & mask) != value) {
        if (mx_clock_get_monotonic() >= deadline)
            return false;
        mx_nanosleep(mx_clock_get_monotonic() + POLL_PERIOD);
    }
    return true;
}

static bool write_port(mx_handle_t resource, uint32_t port, uint8_t value)
{
    return wait_status(STATUS_INPUT_FULL, 0, ANSWER_TIMEOUT) &&
           mx_ioport_write(resource, port, 1, value) == MX_OK;
}

static bool send_command(uint8_t command)
{
    return write_port(driver.command, I8042_COMMAND_PORT, command);
}

static bool send_data(uint8_t value)
{
    return write_port(driver.data, I8042_DATA_PORT, value);
}

static bool receive(uint8_t *value, mx_time_t timeout)
{
    if (!wait_status(STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL, timeout))
        return false;
    *value = read_data();
    return true;
}

static void flush(void)
{
    for (unsigned i = 0; i < FLUSH_MAX && (read_status() & STATUS_OUTPUT_FULL); i++)
        read_data();
}

static bool read_config(uint8_t *config)
{
    return send_command(COMMAND_READ_CONFIG) && receive(config, ANSWER_TIMEOUT);
}

static bool write_config(uint8_t config)
{
    return send_command(COMMAND_WRITE_CONFIG) && send_data(config);
}

// --- the keyboard

// Sends a byte until it is acknowledged; what else comes meanwhile was typed, and is lost.
static bool tell_keyboard(uint8_t value)
{
    uint8_t answer;

    for (unsigned i = 0; i < TRIES; i++) {
        if (!send_data(value))
            return false;
        for (unsigned j = 0; j < FLUSH_MAX; j++) {
            if (!receive(&answer, ANSWER_TIMEOUT))
                return false;
            if (answer == KEYBOARD_ACK)
                return true;
            if (answer == KEYBOARD_RESEND)
                break;
        }
    }
    return false;
}

static bool reset_keyboard(void)
{
    uint8_t answer;

    return tell_keyboard(KEYBOARD_RESET) && receive(&answer, RESET_TIMEOUT) &&
           answer == KEYBOARD_PASSED;
}

static void show_indicators(void)
{
    uint8_t indicators = driver.indicators;
    // HID's order is Num, Caps, Scroll; PS/2's is Scroll, Num, Caps.
    uint8_t bits = (indicators & KEYBOARD_SCROLL_LOCK ? 1 : 0) |
                   (indicators & KEYBOARD_NUM_LOCK ? 2 : 0) |
                   (indicators & KEYBOARD_CAPS_LOCK ? 4 : 0);

    if (tell_keyboard(KEYBOARD_SET_INDICATORS))
        (void)tell_keyboard(bits);
}

// Set 2 is what every keyboard begins with and the only one that all of them get right.
static bool start_keyboard(void)
{
    ps2_scancodes_init(&driver.codes, driver.is_translated);
    return tell_keyboard(KEYBOARD_SET_CODES) && tell_keyboard(2) && tell_keyboard(KEYBOARD_ENABLE);
}

// --- start

static const char *start_controller(void)
{
    uint8_t config, answer;

    if (read_status() == STATUS_ABSENT)
        return "there is none";
    if (!send_command(COMMAND_DISABLE_KEYBOARD) || !send_command(COMMAND_DISABLE_MOUSE))
        return "it takes no commands";
    flush();
    if (!read_config(&config))
        return "it does not answer";
    config &= (uint8_t) ~(CONFIG_KEYBOARD_INTERRUPT | CONFIG_MOUSE_INTERRUPT | CONFIG_TRANSLATE);
    if (!send_command(COMMAND_SELF_TEST) || !receive(&answer, ANSWER_TIMEOUT) ||
        answer != SELF_TEST_PASSED)
        return "its self-test failed";
    // After the test, which resets some controllers.
    if (!write_config(config) || !read_config(&config))
        return "it cannot be set up";
    driver.config = config;
    driver.is_translated = (config & CONFIG_TRANSLATE) != 0;
    if (!send_command(COMMAND_ENABLE_KEYBOARD))
        return "it takes no commands";
    return NULL;
}

// The configuration is not read again: the keyboard is on, and what it sends now would be taken for
// the answer.
static const char *enable_interrupt(void)
{
    uint8_t config = driver.config & (uint8_t)~CONFIG_KEYBOARD_OFF;

    return write_config(config | CONFIG_KEYBOARD_INTERRUPT) ? NULL : "it cannot be set up";
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
            show_indicators();
        return reconnect();
    case PS2_OVERRUN:
        return reconnect();
    }
    return MX_OK;
}

static mx_status_t take_bytes(void)
{
    mx_status_t status = MX_OK;

    for (unsigned i = 0; i < BYTES_MAX && status == MX_OK; i++) {
        uint8_t flags = read_status();
        if (!(flags & STATUS_OUTPUT_FULL) || flags == STATUS_ABSENT)
            break;
        uint8_t byte = read_data();
        if (!(flags & STATUS_FROM_MOUSE))
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
        show_indicators();
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
    problem = start_controller();
    if (problem) {
        printf("PS/2 controller: %s\n", problem);
        return 1;
    }
    // One that is not plugged in does not answer; when it is, it begins with PS2_RESTARTED.
    if (!reset_keyboard() || !start_keyboard())
        printf("PS/2 keyboard: none answers\n");
    status = connect_interrupt();
    if (status == MX_OK)
        status = connect();
    problem = status == MX_OK ? enable_interrupt() : mx_status_string(status);
    if (problem) {
        printf("PS/2 keyboard: %s\n", problem);
        return 1;
    }
    return run() == MX_ERR_PEER_CLOSED ? 0 : 1;
}
