// What init gives the driver of a PC's PS/2 keyboard: the controller's two ports as resources, its
// interrupt.
#pragma once

#define I8042_DATA_PORT    0x60
#define I8042_COMMAND_PORT 0x64
#define I8042_KEYBOARD_IRQ 1

// Kinds of handles in its start-up message.
#define I8042_STARTUP_DATA    256
#define I8042_STARTUP_COMMAND 257
