// The PC's two cascaded 8259A interrupt controllers with the edge/level control registers.
//
// Inputs 0-7 are the master's, 8-15 the slave's; the slave's output is the master's input 2. INTR
// tells the CPU that i8259_acknowledge has a vector for it. An edge is kept until it is
// acknowledged even if its line falls before, so that a guest that was not running loses nothing; a
// request that vanishes (a level that falls, a mask set in between) is acknowledged with the
// spurious vector of input 7.
//
// Spec: Intel 8259A data sheet, "Programming the 8259A"; Intel 82371AB (PIIX4), "Interrupt
// Controller Registers", ELCR1 and ELCR2.
#pragma once

#include "vmm/device.h"

#define I8259_INPUT_COUNT 16

struct i8259_pic {
    uint8_t irr, isr, imr;
    uint8_t lines; // levels of the inputs
    uint8_t elcr, elcr_mask;
    uint8_t vector_base;
    uint8_t lowest_priority; // the input with the lowest priority; the next one has the highest
    uint8_t next_icw;        // 2, 3 or 4 while the initialisation sequence runs, otherwise 0
    bool is_master;
    bool is_single, is_icw4_needed;
    bool auto_eoi, rotate_on_auto_eoi;
    bool special_mask, special_fully_nested;
    bool read_isr; // A0=0 reads ISR, not IRR
    bool poll;     // the next read is a poll
    bool intr;     // the chip's output
};

struct i8259 {
    struct i8259_pic master, slave;
    struct irq_line intr;
};

extern const struct device_ops i8259_master_ops; // two ports from 0x20
extern const struct device_ops i8259_slave_ops;  // two ports from 0xa0
extern const struct device_ops i8259_elcr_ops;   // two ports from 0x4d0

// `intr` is set to the level of the master's output whenever it changes.
void i8259_init(struct i8259 *pics, struct irq_line intr);

// The level of input 0 to 15 changes; other inputs (and 2, the cascade) are ignored. Has the type
// of irq_line's `set`, with the struct i8259 as context.
void i8259_set_input(void *context, unsigned input, bool level);

// The CPU's interrupt acknowledge cycle: the vector of the most urgent request, which is now in
// service.
uint8_t i8259_acknowledge(struct i8259 *pics);
