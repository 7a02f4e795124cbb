// vCPUs: each is bound to the thread that created it, and runs when that thread enters it.
//
// The vCPU refers to its guest. It may be destroyed by any thread (the last handle closed), also
// after its own thread has ended; while a thread is inside mx_vcpu_enter the system call holds a
// reference. vcpu_binding_lock protects the link between thread and vCPU.
//
// How others reach a running vCPU: they change what they want to change (an interrupt posted, a
// kick), then call arch_vcpu_notify. The vCPU's thread announces where it runs (guest_cpu) or that
// it is about to block (is_blocked) before it looks for such changes the last time, so one of the
// two always sees the other.
#pragma once

#include <arch/hypervisor.h>

#include "kernel/core/thread.h"
#include "kernel/object/object.h"

struct guest;

#define VCPU_NO_CPU UINT32_MAX

struct vcpu {
    struct arch_vcpu arch; // first: the world switch addresses it
    struct object object;
    struct guest *guest;   // referenced
    struct thread *thread; // NULL once it has ended; vcpu_binding_lock
    uint32_t id;
    uint32_t options;
    uint32_t guest_cpu;  // index of the CPU it runs the guest on, or VCPU_NO_CPU; atomic
    uint32_t is_kicked;  // atomic
    uint32_t is_blocked; // sched_lock for writing
    struct wait_queue waiters;
    uint64_t run_time_ns;
    struct mx_guest_stats stats;
    struct mx_vcpu_packet packet; // of the enter under way
};

static inline struct vcpu *vcpu_from_object(struct object *object)
{
    return CONTAINER_OF(object, struct vcpu, object);
}

MUST_CHECK mx_status_t vcpu_create(struct guest *guest, uint32_t id, uint32_t options,
                                   struct vcpu **out);
// For the end of a thread whose `vcpu` is not NULL: undoes the link. By the thread itself or by who
// destroys it.
void vcpu_thread_ended(struct thread *thread);
// Whether the calling thread is the one that may enter it.
static inline bool vcpu_is_current(const struct vcpu *vcpu)
{
    return thread_current()->vcpu == vcpu;
}

void vcpu_kick(struct vcpu *vcpu);
// Takes the kick; for the architecture's run loop.
static inline bool vcpu_take_kick(struct vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->is_kicked, __ATOMIC_RELAXED) &&
           __atomic_exchange_n(&vcpu->is_kicked, 0, __ATOMIC_ACQUIRE);
}

// Blocks the vCPU's thread until vcpu_wake, a kick or a kill, unless `must_run` says that there is
// something to do. It is called with sched_lock held. Interrupts enabled.
void vcpu_block(struct vcpu *vcpu, bool (*must_run)(struct vcpu *vcpu));
// Any context, sched_lock not held. Cheap if the vCPU is not blocked.
void vcpu_wake(struct vcpu *vcpu);

// MX_INFO_VCPU.
void vcpu_get_info(const struct vcpu *vcpu, struct mx_info_vcpu *out);

// Counts an exit on this CPU and this vCPU. Interrupts disabled.
static inline void vcpu_count_exit(struct vcpu *vcpu, unsigned reason)
{
    struct mx_guest_stats *cpu_stats = &arch_current_cpu()->guest_stats;

    vcpu->stats.vm_exits++;
    vcpu->stats.exits[reason]++;
    cpu_stats->vm_exits++;
    cpu_stats->exits[reason]++;
}
static inline void vcpu_count_entry(struct vcpu *vcpu)
{
    vcpu->stats.vm_entries++;
    arch_current_cpu()->guest_stats.vm_entries++;
}
