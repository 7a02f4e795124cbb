// The MC146818 real-time clock with 128 bytes of CMOS memory, at the PC's index and data ports.
//
// The clock starts from the host's UTC time and runs by the machine's monotonic clock; what a guest
// sets changes only its own clock. It is advanced by whole seconds when somebody looks, so an idle
// clock costs nothing; the timer runs only while an enabled interrupt has not been raised yet. Time
// and calendar are kept as numbers: a switch between BCD and binary or 12 and 24 hours converts
// what is read, and an impossible date (February 31) stands until midnight, when it becomes the day
// after.
//
// Spec: Motorola MC146818A data sheet, "Time, Calendar, and Alarm Locations" and "Registers"; the
// century in byte 0x32 and the memory sizes as PC firmware leaves them.
#pragma once

#include "vmm/device.h"

#define MC146818_PORT_COUNT   2 // index and data, from 0x70
#define MC146818_MEMORY_BYTES 128
#define MC146818_CENTURY      0x32 // for the FADT

// Numbers as people say them: month 1 to 12, day 1 to 31, weekday 1 (Sunday) to 7.
struct mc146818_time {
    uint8_t second, minute, hour, weekday, day, month;
    uint16_t year; // 0 to 9999
};

struct mc146818 {
    struct irq_line irq8;
    struct device_timer timer;
    struct mc146818_time time;
    uint64_t second_ns; // when `time` began
    uint64_t sync_ns;   // how far periodic interrupts are accounted for
    uint8_t
        memory[MC146818_MEMORY_BYTES]; // alarm bytes, registers A and B, memory; time bytes unused
    uint8_t index;
    uint8_t flags; // register C without IRQF
    bool irq_level;
};

extern const struct device_ops mc146818_ops;

// It is utc_seconds (since 1970) now, as timer->now_ns says it. low_memory_bytes is the RAM below 4
// GiB and high_memory_bytes the RAM above.
void mc146818_init(struct mc146818 *rtc, struct irq_line irq8, const struct device_timer *timer,
                   uint64_t utc_seconds, uint64_t low_memory_bytes, uint64_t high_memory_bytes);

// The timer's deadline has passed.
void mc146818_timer_expired(struct mc146818 *rtc);
