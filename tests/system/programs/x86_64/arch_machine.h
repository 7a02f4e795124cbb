// What of a PC the tests may touch.
#pragma once

// External interrupts that no driver has.
#define TEST_IRQ 10
// Interrupt numbers that are no external interrupts.
#define TEST_IRQ_INTERNAL 250
#define TEST_HAS_PORTS    true // 0x80 and 0x81, of which the first shows codes of firmware
