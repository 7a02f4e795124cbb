// Guests: an address space of guest-physical memory, traps in it, and vCPUs.
//
// A guest holds references to its job and its address space; vCPUs and interrupt lines hold
// references to the guest. So a guest outlives all that belongs to it, and takes back its queued
// packets when it goes. Locks: vcpus_lock protects the table of vCPUs (a vCPU enters itself at
// creation and leaves when it is destroyed) and may be held while a vCPU is woken; trap_lock
// protects the trap maps and is held while a bell's packet is queued.
#pragma once

#include <arch/hypervisor.h>

#include "kernel/hypervisor/trap_map.h"
#include "kernel/memory/aspace.h"
#include "kernel/object/process.h"

struct vcpu;

struct guest {
    struct object object;
    struct job *job;
    struct aspace *aspace;
    struct spinlock vcpus_lock;
    struct vcpu *vcpus[MX_GUEST_MAX_VCPUS]; // not referenced
    uint32_t vcpu_count;
    struct spinlock trap_lock;
    struct trap_map memory_traps, io_traps;
    struct arch_guest arch;
};

static inline struct guest *guest_from_object(struct object *object)
{
    return CONTAINER_OF(object, struct guest, object);
}

// For arch_hypervisor_init, once. Without, the whole controller of guests' interrupts is the
// architecture's own.
void guest_set_interrupt_ops(const struct guest_interrupt_ops *ops);
// NULL: there are none.
const struct guest_interrupt_ops *guest_interrupt_ops(void);

// NOT_SUPPORTED: what arch_hypervisor_init said. NO_MEMORY, NO_RESOURCES.
MUST_CHECK mx_status_t guest_create(struct job *job, struct guest **out);

// As mx_guest_set_trap; `port` is NULL but for the bells, and is referenced by the trap.
MUST_CHECK mx_status_t guest_set_trap(struct guest *guest, const struct mx_trap *trap,
                                      struct port *port);
MUST_CHECK mx_status_t guest_clear_trap(struct guest *guest, uint32_t kind, uint64_t addr);

// What an access hit.
struct guest_trap_hit {
    enum mx_trap_kind kind;
    uint64_t key;
};

// For the architecture, on an access to guest memory or I/O ports. False: no trap there.
bool guest_find_trap(struct guest *guest, struct trap_map *map, uint64_t addr,
                     struct guest_trap_hit *hit);
// Rings the bell at `addr`, if one is there still. BAD_STATE: its port has no handles left.
MUST_CHECK mx_status_t guest_ring_bell(struct guest *guest, struct trap_map *map, uint64_t addr,
                                       uint64_t value);
// Both in one look-up, for the fast path of port I/O: MX_OK: it was a bell and is rung. BAD_STATE
// as above. NOT_FOUND: no trap. SHOULD_WAIT: a synchronous trap, *hit is filled.
MUST_CHECK mx_status_t guest_write_trap(struct guest *guest, struct trap_map *map, uint64_t addr,
                                        uint64_t value, struct guest_trap_hit *hit);

// MX_INFO_GUEST: fills up to `capacity` records and returns how many vCPUs there are.
uint32_t guest_get_vcpu_info(struct guest *guest, struct mx_info_vcpu *records, uint32_t capacity);
// The guest's memory from the kernel, for structures that a paravirtual interface puts there.
// False: not (all of) it is memory that can be written.
bool guest_write_memory(struct guest *guest, uint64_t addr, const void *data, size_t size_bytes);
