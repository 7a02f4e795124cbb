// Makes other CPUs forget translations. Callers: interrupts enabled, no spinlock held, unless said
// otherwise.
#pragma once

#include <arch/mmu.h>

// After entries for the range were removed or lost permissions: on return no CPU uses the old ones,
// guests included.
void tlb_flush_aspace(struct arch_aspace *aspace, uint64_t addr, uint64_t size_bytes);
// The same for the kernel's half, on all CPUs.
void tlb_flush_kernel(uint64_t addr, uint64_t size_bytes);
// Takes the address space out of CR3 wherever a kernel thread still runs on it.
void tlb_leave_aspace(struct arch_aspace *aspace);

// This CPU takes part from now on. Interrupts disabled.
void tlb_join(void);
// Does what others ask of this CPU: its interrupt, and whoever waits with interrupts disabled.
// Interrupts disabled.
void tlb_handle_requests(void);
