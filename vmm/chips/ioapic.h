// The 82093AA I/O APIC, with as many inputs as there are ISA interrupts: each routed by a redirection
// entry to a vector of some CPUs. Software goes through all of them several times as it starts.
//
// An interrupt leaves as a message (address, data) in the format of message-signalled interrupts,
// so the same path that serves MSI delivers it. The host's local APICs report the end of a
// level-triggered interrupt by ioapic_eoi. An edge that comes while its entry is masked is kept and
// delivered at the unmasking; input polarity is read back but not applied, since lines here say
// "asserted", not "high".
//
// Spec: Intel 82093AA data sheet, section 3.0 "Register Description"; Intel SDM volume 3, "Message
// Signalled Interrupts" for the message.
#pragma once

#include "vmm/device.h"

#define IOAPIC_INPUT_COUNT 16
#define IOAPIC_SIZE_BYTES  0x1000

struct ioapic_host {
    void (*send_message)(void *context, uint64_t address, uint32_t data);
    // The set of vectors that need ioapic_eoi may have changed; see ioapic_level_vectors. May be
    // NULL.
    void (*routes_changed)(void *context);
    void *context;
};

struct ioapic {
    struct ioapic_host host;
    uint8_t *shown; // a page that has what a read would give; NULL: none
    uint64_t redirtbl[IOAPIC_INPUT_COUNT];
    uint32_t lines;         // levels of the inputs
    uint32_t edges_pending; // edges not delivered yet
    uint8_t ioregsel;
    uint8_t id;
};

extern const struct device_ops ioapic_ops; // memory-mapped

void ioapic_init(struct ioapic *ioapic, const struct ioapic_host *host);

// Keeps in `page`, IOAPIC_SIZE_BYTES of zeros, what reads give, so that a guest who can read it there
// needs no exit. It is told of writes as ever.
void ioapic_show_registers(struct ioapic *ioapic, uint8_t *page);

// The level of an input changes; inputs that do not exist are ignored. Has the type of irq_line's
// `set`.
void ioapic_set_input(void *context, unsigned input, bool level);

// A local APIC has seen the end of interrupt `vector`: inputs still asserted interrupt again.
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);

// Sets the bits of all vectors whose end of interrupt matters (those of level-triggered entries).
void ioapic_level_vectors(const struct ioapic *ioapic, uint64_t vectors[4]);
