// The PL061 general-purpose I/O controller: eight pins, each an input that may interrupt or an
// output.
//
// Level-sensitive pins interrupt as long as they have the level; edges are kept until they are
// cleared. What outputs drive leads nowhere. Alternate functions (GPIOAFSEL) can be chosen and do
// nothing.
//
// Spec: ARM DDI 0190B "PrimeCell General Purpose Input/Output (PL061) Technical Reference Manual",
// chapter 3 "Programmer's Model".
#pragma once

#include "vmm/device.h"

#define PL061_SIZE_BYTES 0x1000u
#define PL061_PIN_COUNT  8u

struct pl061 {
    struct irq_line irq;
    uint8_t inputs;  // levels from outside
    uint8_t outputs; // GPIODATA of the pins that are outputs
    uint8_t dir;     // 1: output
    uint8_t is;      // 1: level-sensitive
    uint8_t ibe;     // 1: both edges
    uint8_t iev;     // 1: rising edge or high level
    uint8_t ie;      // 1: not masked
    uint8_t edges;   // detected and not cleared
    uint8_t afsel;
    bool irq_level;
};

extern const struct device_ops pl061_ops; // PL061_SIZE_BYTES

void pl061_init(struct pl061 *gpio, struct irq_line irq);

// What a pin is wired to changed its level; a pin beyond the last is ignored.
void pl061_set_input(struct pl061 *gpio, unsigned pin, bool level);
