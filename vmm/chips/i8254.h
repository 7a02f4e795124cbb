// The 8254 programmable interval timer and the PC's system control port B (0x61) that gates its
// channel 2.
//
// Counters are computed from the time when somebody looks; only rising edges of channel 0's output
// (IRQ 0) use the timer. A guest that programs channel 0 faster than one interrupt per
// I8254_MIN_PERIOD_NS gets that rate, and edges that passed while the machine was late become one.
// A count written in modes 2 and 3 takes effect at the end of the running period.
//
// Spec: Intel 8254 data sheet, "Programming the 8254" and "Mode Definitions"; Intel 82371AB
// (PIIX4), "NMI Status and Control Register".
#pragma once

#include "vmm/device.h"

#define I8254_HZ            1193182u
#define I8254_MIN_PERIOD_NS 100000u
#define I8254_CHANNEL_COUNT 3

struct i8254_channel {
    uint32_t count;        // of the running period: 1 to 0x10000
    uint32_t next_count;   // written, not in effect yet
    uint64_t start_clock;  // when `count` was loaded; while not running, the clocks that had passed
    uint64_t switch_clock; // when a periodic mode takes next_count
    uint16_t latch;
    uint8_t mode;   // 0 to 5
    uint8_t access; // 1 low byte, 2 high byte, 3 low then high
    uint8_t status_latch;
    uint8_t write_low; // the first byte of two
    bool bcd;
    bool gate;
    bool is_loaded;  // a count was written since the control word
    bool is_running; // counting; start_clock is a time
    bool is_next_pending;
    bool is_high_byte_next_read, is_high_byte_next_write;
    bool is_count_latched, is_status_latched;
};

struct i8254 {
    struct i8254_channel channels[I8254_CHANNEL_COUNT];
    struct irq_line irq0;
    struct device_timer timer;
    uint64_t edge_clock; // the rising edge of channel 0 that the timer is armed for
    bool is_armed;
    bool irq_level;
    uint8_t port61; // the bits that can be written
};

extern const struct device_ops i8254_ops;        // four ports from 0x40
extern const struct device_ops i8254_port61_ops; // one port, 0x61

void i8254_init(struct i8254 *pit, struct irq_line irq0, const struct device_timer *timer);

// The timer's deadline has passed.
void i8254_timer_expired(struct i8254 *pit);
