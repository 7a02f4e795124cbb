// The 8042 keyboard controller with nothing attached: enough for a driver to find the controller,
// see at once that no keyboard and no mouse answer, and for the reset pulse and the A20 gate to
// work.
//
// A byte sent to the missing keyboard is answered with "resend" and the time-out bit, as a
// controller does whose device never clocks. Commands for the auxiliary port fail their loop and
// interface tests.
//
// Spec: Intel UPI-41/42 based "8042 Keyboard Controller" as in the IBM PC/AT Technical Reference,
// "Keyboard Controller", and PS/2 Hardware Interface Technical Reference, "Keyboard/Auxiliary
// Device Controller".
#pragma once

#include "vmm/device.h"

struct i8042_host {
    void (*reset)(void *context);                 // the guest pulses the CPU's reset line
    void (*set_a20)(void *context, bool enabled); // may be NULL
    void *context;
};

struct i8042 {
    struct i8042_host host;
    struct irq_line irq1;
    uint8_t ram[32]; // byte 0 is the command byte
    uint8_t status;
    uint8_t output;      // the output buffer
    uint8_t output_port; // bit 0: not reset, bit 1: A20
    uint8_t command;     // a command that waits for its data byte, or 0
    bool irq_level;
};

extern const struct device_ops i8042_data_ops;    // one port, 0x60
extern const struct device_ops i8042_command_ops; // one port, 0x64

void i8042_init(struct i8042 *controller, const struct i8042_host *host, struct irq_line irq1);
