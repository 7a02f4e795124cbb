// This CPU's interrupt controller: the local APIC, as xAPIC or x2APIC.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Start-up of the boot CPU: maps the registers (xAPIC; `base` from the firmware tables). False: no
// room.
bool apic_init(uint64_t base);
// On each CPU: enables it, the timer as a counter, what comes from outside masked. Idempotent.
void apic_init_cpu(void);
uint32_t apic_current_id(void);
void apic_end_of_interrupt(void);
// Makes the controller look again at what it holds for this CPU, for emulators that forget to tell.
void apic_look_again(void);

// A fixed interrupt to one CPU. Interrupts disabled.
void apic_send_ipi(uint32_t apic_id, uint8_t vector);
void apic_send_nmi(uint32_t apic_id);
// The two interrupts that start a CPU; `page` is the number of a page below 1 MiB.
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, uint8_t page);

// The timer counts down from `count` once; 0 stops it.
void apic_timer_start(uint32_t count);
uint32_t apic_timer_current(void);
// The other mode, if the CPU has it: the timer waits for a value of the time-stamp counter; 0 stops
// it.
void apic_timer_use_tsc_deadline(void);
void apic_timer_set_tsc_deadline(uint64_t tsc);
