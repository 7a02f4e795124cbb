// The local APIC as a guest sees it: a state machine without a clock, a lock or a CPU of its own.
//
// One vCPU thread owns each local_apic and is the only one to call what is not marked "any
// context". Others leave messages in the mailbox (`posted*`, atomic) and call ops->notify; the
// owner takes them in with local_apic_take_posted before it enters the guest. So the owner's own
// path (timer, self-IPI, EOI) takes no lock and no atomic operation. Intel SDM Volume 3A, "Advanced
// Programmable Interrupt Controller (APIC)"; AMD64 APM Volume 2, chapter 16.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/types.h>

#include "kernel/arch/x86_64/regs/local_apic.h"
#include "kernel/arch/x86_64/regs/msr.h"

#define APIC_BUS_MAX 64
// One timer tick is one nanosecond before the divider.
#define LOCAL_APIC_TIMER_HZ 1000000000u

struct local_apic;
struct apic_message;

// What the state machine needs from outside.
struct local_apic_ops {
    mx_time_t (*now)(struct local_apic *apic);
    uint64_t (*guest_tsc)(struct local_apic *apic);
    // When the guest's TSC will reach `tsc`, on the scale of now(); MX_TIME_INFINITE if not in this
    // age.
    mx_time_t (*time_of_tsc)(struct local_apic *apic, uint64_t tsc);
    // Calls local_apic_post_timer at `deadline`, replacing what was set; MX_TIME_INFINITE: not at
    // all.
    void (*set_timer)(struct local_apic *apic, mx_time_t deadline);
    // Calls apic_bus_send on the bus the APIC is on, serialised.
    void (*send)(struct local_apic *apic, const struct apic_message *message,
                 const struct local_apic *except);
    // Makes the owner call local_apic_take_posted soon. Any context.
    void (*notify)(struct local_apic *apic);
};

// local_apic.posted
#define APIC_POSTED_IRR     (1u << 0)
#define APIC_POSTED_NMI     (1u << 1)
#define APIC_POSTED_INIT    (1u << 2)
#define APIC_POSTED_STARTUP (1u << 3)
#define APIC_POSTED_TIMER   (1u << 4)
#define APIC_POSTED_EXTINT  (1u << 5) // the level of the external line changed

struct local_apic {
    // Mailbox: any context, atomic.
    uint32_t posted;
    uint32_t posted_startup_vector;
    uint32_t extint_level;
    uint64_t posted_irr[4];
    uint64_t tmr[4]; // set and cleared by senders
    // Read by senders of logical messages, written by the owner; each is one word.
    uint64_t base; // IA32_APIC_BASE
    uint32_t ldr, dfr, svr;

    uint32_t id;
    uint64_t irr[4], isr[4];
    uint32_t tpr;
    uint32_t esr, esr_pending;
    uint32_t icr_low, icr_high;
    uint32_t lvt_timer, lvt_thermal, lvt_performance, lvt_lint0, lvt_lint1, lvt_error;
    uint32_t timer_initial, timer_divide;
    mx_time_t timer_start, timer_deadline; // MX_TIME_INFINITE: not running
    uint64_t tsc_deadline;                 // 0: none

    const struct local_apic_ops *ops;
};

// All local APICs of a guest, by id. The caller serialises apic_bus_send with adding and removing.
struct apic_bus {
    struct local_apic *apics[APIC_BUS_MAX];
    uint32_t next_lowest; // where the search for a lowest-priority target begins
};

// An interrupt message, from an ICR, a device or the I/O APIC.
struct apic_message {
    uint32_t destination;
    bool is_logical;
    bool is_x2apic; // the destination has 32 bits
    bool is_level;
    uint8_t vector;
    enum local_apic_delivery delivery;
};

void local_apic_init(struct local_apic *apic, uint32_t id, const struct local_apic_ops *ops);
// To the state after INIT; after power-on too, with IA32_APIC_BASE, if `is_power_on`.
void local_apic_reset(struct local_apic *apic, bool is_power_on);

// --- any context
// ------------------------------------------------------------------------------------

void local_apic_post_vector(struct local_apic *apic, uint8_t vector, bool is_level);
void local_apic_post_nmi(struct local_apic *apic);
void local_apic_post_timer(struct local_apic *apic);
void local_apic_post_extint(struct local_apic *apic, bool is_raised);
// Delivers to every APIC on the bus that the message names, but not to `except` (may be NULL).
void apic_bus_send(struct apic_bus *bus, const struct apic_message *message,
                   const struct local_apic *except);
// Takes an MSI apart, with the extended destination id in address bits 11:5. False: not for a local
// APIC.
bool apic_message_from_msi(uint64_t addr, uint64_t data, struct apic_message *out);

// --- the owner
// --------------------------------------------------------------------------------------

// Takes in what was posted; returns the APIC_POSTED_NMI, _INIT, _STARTUP bits, which are the CPU's
// business.
uint32_t local_apic_take_posted(struct local_apic *apic);
static inline bool local_apic_has_posted(const struct local_apic *apic)
{
    return __atomic_load_n(&apic->posted, __ATOMIC_ACQUIRE) != 0;
}

// The highest requested vector that is above what is in service, -1 if there is none. The task
// priority is left out: the caller compares with local_apic_task_class.
int local_apic_pending_vector(const struct local_apic *apic);
// Whether local_apic_pending_vector is worth asking.
static inline bool local_apic_has_requests(const struct local_apic *apic)
{
    return (apic->irr[0] | apic->irr[1] | apic->irr[2] | apic->irr[3]) != 0;
}
static inline uint32_t local_apic_task_class(const struct local_apic *apic)
{
    return apic->tpr >> 4;
}
// CR8 was written.
static inline void local_apic_set_task_class(struct local_apic *apic, uint32_t value)
{
    apic->tpr = value << 4;
}
// The CPU took the interrupt: from requested to in service.
void local_apic_accept_vector(struct local_apic *apic, uint8_t vector);
// Whether exactly one interrupt is in service or requested, a requested one being `offered` to the
// CPU (-1: none is), and it is edge-triggered, so that its end is no business of others.
bool local_apic_has_lone_interrupt(const struct local_apic *apic, int offered);
// The end of that interrupt, if it was taken.
void local_apic_end_lone_interrupt(struct local_apic *apic);
// Whether an external interrupt (from a 8259) is waiting and gets through.
bool local_apic_has_extint(const struct local_apic *apic);
// A local interrupt, as if by a self-IPI.
void local_apic_raise(struct local_apic *apic, uint8_t vector);

static inline bool local_apic_is_enabled(const struct local_apic *apic)
{
    return apic->base & APIC_BASE_ENABLE;
}
static inline bool local_apic_is_x2apic(const struct local_apic *apic)
{
    return apic->base & APIC_BASE_X2APIC;
}

// A register write can end an interrupt that a device wants to hear of.
enum local_apic_result {
    LOCAL_APIC_OK,
    LOCAL_APIC_FAULT,         // #GP
    LOCAL_APIC_EOI_BROADCAST, // *eoi_vector was level-triggered: I/O APICs must know
};

// IA32_APIC_BASE. False: #GP.
bool local_apic_write_base(struct local_apic *apic, uint64_t value, uint32_t physical_address_bits);
// MSRs 0x800 to 0x8ff.
bool local_apic_read_msr(struct local_apic *apic, uint32_t msr, uint64_t *value);
enum local_apic_result local_apic_write_msr(struct local_apic *apic, uint32_t msr, uint64_t value,
                                            uint8_t *eoi_vector);
// The memory-mapped page; `offset` within it.
uint32_t local_apic_read_page(struct local_apic *apic, uint32_t offset);
enum local_apic_result local_apic_write_page(struct local_apic *apic, uint32_t offset,
                                             uint32_t value, uint8_t *eoi_vector);

// IA32_TSC_DEADLINE.
uint64_t local_apic_read_tsc_deadline(const struct local_apic *apic);
void local_apic_write_tsc_deadline(struct local_apic *apic, uint64_t value);
