// The host port: the kernel as an ordinary program, for unit tests under sanitizers.
//
// CPUs, threads and time are simulated on one thread of the host. Every kernel thread is a
// coroutine. A CPU keeps running until it has nothing to do, waits for another CPU, or reaches a
// point where it may be interrupted and the schedule (host_set_seed) says so; then host_run chooses
// the next CPU. Time stands still while any CPU has something to do, then moves to the next timer
// or end of simulated work. So each run with the same seed is the same run.
//
// A user program is a function of the test: arch_thread_enter_user calls its entry address. It
// calls the kernel by sys_* functions inside HOST_SYSCALL and reaches its memory with
// host_user_load and host_user_store.
#pragma once

#include <stdarg.h>

#include "kernel/core/thread.h"
#include "kernel/memory/aspace.h"

#define HOST_RAM_BYTES ((uint64_t)128 << 20)
#define HOST_ECAM_BASE UINT64_C(0xb0000000) // of the only PCI host bridge

// Starts the kernel with that many CPUs and a root job; once per program.
void host_start(uint32_t wanted_cpu_count);
// Seed of the choices of host_run. 0: a CPU is never interrupted by another, and the lowest one
// goes first.
void host_set_seed(uint32_t seed);
// Runs all CPUs until `is_done` says so and nothing more can happen without time passing. When
// nothing at all can happen and it is not done, prints who waits and aborts.
void host_run(bool (*is_done)(void *argument), void *argument);

// thread_start from outside of all CPUs, before host_run.
void host_start_thread(struct thread *thread);

void host_set_utc(int64_t seconds);
// From a thread: the device raises `irq`, if it is not masked; true if it was delivered to a CPU.
bool host_raise_interrupt(uint32_t irq);
bool host_interrupt_is_masked(uint32_t irq);
// What was written on the console since the last call, at most 64 KiB of it.
const char *host_take_console_text(void);
// 0, or MX_POWER_OFF or MX_POWER_REBOOT if it was asked for. The port's power functions return, as
// if they had failed.
uint32_t host_take_power_action(void);
// The next `count` pages for page tables are refused.
void host_fail_tables(uint32_t count);

// The words of configuration space of a function of buses 0 and 1 (HOST_ECAM_BASE). All are zero at
// first, and of `deaf` functions no write changes anything.
uint32_t *host_pci_config(uint32_t requester);
void host_pci_make_deaf(uint32_t requester, bool is_deaf);

// --- for user programs
// -----------------------------------------------------------------------------

// Evaluates the call as a system call: kernel mode around it, and what is pending is done on the
// way back.
#define HOST_SYSCALL(call)             \
    __extension__({                    \
        host_enter_kernel();           \
        int64_t host_result_ = (call); \
        host_return_to_user();         \
        host_result_;                  \
    })
void host_enter_kernel(void);
void host_return_to_user(void);

// Computes for that long, and may be interrupted meanwhile.
void host_user_work(uint64_t duration_ns);
// The stack pointer the thread was started with.
uint64_t host_user_stack(void);
// The user program's own accesses. A fault that the kernel cannot resolve ends the process.
void host_user_load(void *to, uint64_t from, size_t size_bytes);
void host_user_store(uint64_t to, const void *from, size_t size_bytes);

// --- for looking at what the kernel did
// -------------------------------------------------------------

// Whether the tables show a page at `addr`, and with which options. Of a large page too.
bool host_aspace_lookup(const struct arch_aspace *aspace, uint64_t addr, paddr_t *page,
                        uint32_t *options, enum memory_type *memory);
uint64_t host_aspace_page_count(const struct arch_aspace *aspace); // shown, in pages of 4 KiB
