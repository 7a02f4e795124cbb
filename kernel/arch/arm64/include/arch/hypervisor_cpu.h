// What kernel/arch/arm64/hypervisor provides to the rest of the architecture.
#pragma once

#include <machina/status.h>

struct arch_aspace;
struct thread;

// Prepares this CPU for guests. Called from arch_init_cpu on every CPU, interrupts disabled, heap
// usable. Does nothing if arch_hypervisor_init failed.
void hypervisor_init_cpu(void);
// The running thread is about to be switched out, and arm64_cpu.resident_vcpu is not NULL: saves
// the guest's registers. Interrupts disabled, sched_lock held, the thread's own TPIDR_EL0 not saved
// yet.
void hypervisor_thread_leaves(struct thread *thread);
// For arch_aspace_init of a guest: format, size of the root table, identifier. NOT_SUPPORTED,
// NO_RESOURCES.
MX_MUST_CHECK mx_status_t hypervisor_aspace_init(struct arch_aspace *aspace);
// Gives the identifier back. No CPU knows a translation of it any more on return.
void hypervisor_aspace_destroy(struct arch_aspace *aspace);
// [0, this) are the addresses that guests can have.
uint64_t hypervisor_aspace_limit(void);
// Whether guests can access memory past the caches, by the memory type of their own tables.
bool hypervisor_bypasses_caches(void);
