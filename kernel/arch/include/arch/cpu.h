// Contract: the CPU that is running this code. Inline definitions are the architecture's <arch/cpu_inline.h>.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/status.h>

struct cpu;
struct thread;

// Includes the definitions of arch_interrupt_state_t and of these:
//
//   arch_interrupt_state_t arch_interrupts_save(void)       disables interrupts, returns how they were
//   void arch_interrupts_restore(arch_interrupt_state_t)    as they were at the save
//   void arch_interrupts_enable(void), arch_interrupts_disable(void)
//   bool arch_interrupts_are_enabled(void)
//   void arch_cpu_relax(void)                               in a loop that waits for another CPU
//   struct cpu *arch_current_cpu(void)                      interrupts disabled, or the answer may be stale
//   struct thread *arch_current_thread(void)                right at any time
//   void arch_set_current_thread(struct thread *)           by the scheduler, interrupts disabled
#include <arch/cpu_inline.h>

// Waits for an interrupt. Called with interrupts disabled and returns with them enabled; an interrupt that arrives
// in between ends the wait.
void arch_cpu_idle(void);

// Makes another CPU look at needs_reschedule soon (also out of a guest), by an interrupt. Any context.
void arch_cpu_send_reschedule(uint32_t cpu_index);
// Makes another online CPU call cpu_handle_call() from interrupt context. Interrupts disabled.
void arch_cpu_send_call(uint32_t cpu_index);

// Starts the CPU `cpu_index`, which then runs start_secondary_cpu() on `stack_top` with arch_current_cpu() set. TIMED_OUT if it
// does not come up.
MX_MUST_CHECK mx_status_t arch_cpu_start(uint32_t cpu_index, void *stack_top);

// For a panic: stops another online CPU for good; prints registers and a backtrace (kernel/core/backtrace.h); stops this CPU.
void arch_cpu_send_stop(uint32_t cpu_index);
void arch_cpu_print_backtrace(void);
_Noreturn void arch_cpu_halt(void);

// 64 bits of hardware entropy; false if the CPU has none to give.
bool arch_cpu_random(uint64_t *value);
// For the log and MX_INFO_SYSTEM: what the CPU calls itself. Never NULL.
const char *arch_cpu_name(void);
