// The inline part of <arch/cpu.h> on the host port. Being interrupted is possible where interrupts
// become enabled and where they are about to be disabled: the points at which the simulation may
// let another CPU go on; see kernel/arch/host/host.h.
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef bool arch_interrupt_state_t; // whether they were enabled

arch_interrupt_state_t arch_interrupts_save(void);
void arch_interrupts_restore(arch_interrupt_state_t state);
void arch_interrupts_enable(void);
void arch_interrupts_disable(void);
bool arch_interrupts_are_enabled(void);
void arch_cpu_relax(void);
struct cpu *arch_current_cpu(void);
struct thread *arch_current_thread(void);
void arch_set_current_thread(struct thread *thread);
