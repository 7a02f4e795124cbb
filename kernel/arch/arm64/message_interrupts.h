// Message-signalled interrupts; the contract is <arch/interrupts.h>.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/objects.h>

struct arm64_cpu;
struct machine;

// LPIs are counted from here as global interrupt numbers, behind all SPIs.
#define LPI_IRQ_BASE 1024u
#define LPI_COUNT    256u // that are used

// The machine's way to turn messages into interrupts; chosen once by what firmware says.
struct message_ops {
    const char *name;
    // Boot CPU, with its interface to the GIC set up. False: there is none, or it does not work,
    // and *why.
    bool (*init)(const struct machine *machine, const struct arm64_cpu *boot_cpu, const char **why);
    // As in the contract. Called by one thread at a time.
    mx_status_t (*take)(uint32_t requester, uint32_t *irq, struct mx_interrupt_message *message);
    void (*free)(uint32_t irq);
};

extern const struct message_ops gic_v2m, gic_its;
extern bool gic_v2m_is_taken[LPI_IRQ_BASE]; // by INTID

// On the boot CPU, when its interface is set up.
void message_interrupts_init(void);
// Whether the number is a message's: an LPI, or an SPI that is taken as one.
static inline bool message_interrupts_has(uint32_t irq)
{
    return irq >= LPI_IRQ_BASE || gic_v2m_is_taken[irq];
}
