// Contract: guests. struct arch_guest and struct arch_vcpu come from <arch/guest_state.h>.
//
// The generic part (kernel/hypervisor) holds objects, traps, interrupt lines and statistics; the architecture holds the
// CPU's state, its interrupt controller and timer as the guest sees them, and the world switch.
#pragma once

#include <arch/guest_state.h>

#include <machina/hypervisor.h>

#include "kernel/lib/types.h"

struct guest;
struct vcpu;

// MX_OK, or why this machine cannot run guests. Looks at the CPU and is called once, on the boot CPU, before others.
MX_MUST_CHECK mx_status_t arch_hypervisor_init(void);
// One line for the log and MX_INFO_SYSTEM: what is used, or what is missing. Never NULL.
const char *arch_hypervisor_description(void);
// Whether guests are not safe on this CPU, for an erratum, so that it is to run no threads if there is another. After
// arch_hypervisor_init.
bool arch_hypervisor_spares_cpu(uint32_t cpu_index);

MX_MUST_CHECK mx_status_t arch_guest_init(struct guest *guest);
void arch_guest_destroy(struct guest *guest);
// Which trap kinds this CPU has, and how far each space reaches: size of the space, 0 if there is none.
uint64_t arch_guest_trap_limit(uint32_t kind);
// Whether the message could be delivered, now or later: something of the guest listens at that address. Any context.
bool arch_guest_accepts_msi(struct guest *guest, uint64_t addr, uint64_t data);
// Delivers a message-signalled interrupt. INVALID_ARGS: nothing listens at that address. Any context.
MX_MUST_CHECK mx_status_t arch_guest_send_msi(struct guest *guest, uint64_t addr, uint64_t data);
// The line behind such a message goes down, if it is one that has a level; whether it was up. Any context.
bool arch_guest_lower_line(struct guest *guest, uint64_t addr, uint64_t data);
// The state of the guest's interrupts for the VMM's models of their controller, as mx_guest_gic_read, write, set_lpi and place. An
// architecture that has such guests names its functions in arch_hypervisor_init, by guest_set_interrupt_ops. Interrupts enabled, no
// spinlock held.
struct guest_interrupt_ops {
    mx_status_t (*read)(struct guest *guest, uint32_t vcpu_id, uint32_t field, uint32_t first, uint32_t *value);
    mx_status_t (*write)(struct guest *guest, uint32_t vcpu_id, uint32_t field, uint32_t first, uint32_t value,
                         uint32_t mask);
    mx_status_t (*set_message)(struct guest *guest, uint32_t number, uint32_t vcpu_id, uint32_t priority,
                               bool is_enabled);
    mx_status_t (*place_interface)(struct guest *guest, uint64_t addr);
};

MX_MUST_CHECK mx_status_t arch_vcpu_init(struct vcpu *vcpu);
void arch_vcpu_destroy(struct vcpu *vcpu);
// Runs the vCPU until the VMM is needed; see mx_vcpu_enter. Takes the answer to the last packet from `packet` first. Called on the
// vCPU's own thread, interrupts enabled; blocks while the vCPU is idle or not started.
MX_MUST_CHECK mx_status_t arch_vcpu_enter(struct vcpu *vcpu, struct mx_vcpu_packet *packet);
// Makes the vCPU look at its pending interrupts and kicks: out of the guest if it runs on another CPU, awake if it is idle.
// Any context, sched_lock not held.
void arch_vcpu_notify(struct vcpu *vcpu);
// OUT_OF_RANGE. Any context.
MX_MUST_CHECK mx_status_t arch_vcpu_interrupt(struct vcpu *vcpu, uint32_t vector);
MX_MUST_CHECK mx_status_t arch_vcpu_read_state(struct vcpu *vcpu, struct mx_vcpu_state *state);
MX_MUST_CHECK mx_status_t arch_vcpu_write_state(struct vcpu *vcpu, const struct mx_vcpu_state *state);
