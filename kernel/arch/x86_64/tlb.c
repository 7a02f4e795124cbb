// TLB shootdown.
//
// Each CPU has one request of its own, and a set of CPUs whose requests it has to serve. A CPU that
// waits for its request serves those of others meanwhile, so two that flush at the same time do not
// wait for each other for ever, and no lock is needed.
#include "kernel/arch/x86_64/tlb.h"

#include <arch/percpu.h>

#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/paging.h"
#include "kernel/arch/x86_64/regs/control.h"
#include "kernel/arch/x86_64/regs/paging.h"
#include "kernel/arch/x86_64/regs/segments.h"
#include "kernel/core/cpu.h"
#include "kernel/core/thread.h"

// Beyond this many pages, everything is forgotten at once.
#define FLUSH_PAGES_MAX 32

static uint64_t joined_cpus; // by index; atomic

static uint64_t cpu_bit(uint32_t index)
{
    return (uint64_t)1 << index;
}

static void flush_everything(void)
{
    uint64_t cr4 = cr4_read();

    if (cr4 & CR4_PGE) { // changing PGE forgets global entries too
        cr4_write(cr4 & ~CR4_PGE);
        cr4_write(cr4);
    } else {
        cr3_write(cr3_read());
    }
}

static void flush_range(uint64_t addr, uint64_t size_bytes)
{
    if (size_bytes > FLUSH_PAGES_MAX * MX_PAGE_SIZE) {
        flush_everything();
        return;
    }
    for (uint64_t offset = 0; offset < size_bytes; offset += MX_PAGE_SIZE)
        tlb_flush_page(addr + offset);
}

static void serve(const struct x86_tlb_request *request)
{
    struct x86_cpu *cpu = x86_current_cpu();

    if (!request->aspace) {
        flush_range(request->addr, request->size_bytes);
        return;
    }
    // A guest's translations: that the CPU took the interrupt is all (aspace_state.h).
    if (cpu->loaded_aspace != request->aspace)
        return;
    // A kernel thread has no use for it, and without it the CPU gets no more requests.
    if (request->is_destroyed || !cpu->current_thread->aspace)
        paging_load_aspace(NULL);
    else
        flush_range(request->addr, request->size_bytes);
}

void tlb_handle_requests(void)
{
    struct x86_cpu *cpu = x86_current_cpu();
    uint64_t from = __atomic_exchange_n(&cpu->tlb_requested_by, 0, __ATOMIC_ACQ_REL);

    for (; from; from &= from - 1) {
        struct x86_tlb_request *request = &x86_cpus[__builtin_ctzll(from)].tlb_request;
        serve(request);
        // Release pairs with the acquire in ask_and_wait: the request is not looked at any more.
        __atomic_and_fetch(&request->waiting_for, ~cpu_bit(cpu->cpu->index), __ATOMIC_RELEASE);
    }
}

// Interrupts disabled.
static void ask_and_wait(uint64_t targets, const struct x86_tlb_request *what)
{
    struct x86_cpu *cpu = x86_current_cpu();

    cpu->tlb_request = *what;
    __atomic_store_n(&cpu->tlb_request.waiting_for, targets, __ATOMIC_RELEASE);
    for (uint64_t left = targets; left; left &= left - 1) {
        struct x86_cpu *target = &x86_cpus[__builtin_ctzll(left)];
        __atomic_or_fetch(&target->tlb_requested_by, cpu_bit(cpu->cpu->index), __ATOMIC_SEQ_CST);
        apic_send_ipi(target->apic_id, VECTOR_TLB);
    }
    while (__atomic_load_n(&cpu->tlb_request.waiting_for, __ATOMIC_ACQUIRE)) {
        tlb_handle_requests();
        arch_cpu_relax();
    }
}

static void request_flush(struct arch_aspace *aspace, uint64_t addr, uint64_t size_bytes,
                          bool is_destroyed)
{
    struct x86_tlb_request what = {
        .aspace = aspace, .addr = addr, .size_bytes = size_bytes, .is_destroyed = is_destroyed};
    arch_interrupt_state_t state = arch_interrupts_save();
    uint64_t own = cpu_bit(arch_current_cpu()->index);
    // Ordered after the change of the tables: pairs with the CPU that sets its bit before it loads
    // them.
    uint64_t targets =
        __atomic_load_n(aspace ? &aspace->active_cpus : &joined_cpus, __ATOMIC_SEQ_CST) & ~own;

    if (!aspace || x86_current_cpu()->loaded_aspace == aspace)
        serve(&what);
    if (targets)
        ask_and_wait(targets, &what);
    arch_interrupts_restore(state);
}

void tlb_flush_aspace(struct arch_aspace *aspace, uint64_t addr, uint64_t size_bytes)
{
    if (aspace->is_guest)
        __atomic_add_fetch(&aspace->flush_generation, 1, __ATOMIC_SEQ_CST);
    else
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    request_flush(aspace, addr, size_bytes, false);
}

void tlb_flush_kernel(uint64_t addr, uint64_t size_bytes)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    request_flush(NULL, addr, size_bytes, false);
}

void tlb_leave_aspace(struct arch_aspace *aspace)
{
    if (__atomic_load_n(&aspace->active_cpus, __ATOMIC_SEQ_CST) != 0)
        request_flush(aspace, 0, 0, true);
}

void tlb_join(void)
{
    __atomic_or_fetch(&joined_cpus, cpu_bit(arch_current_cpu()->index), __ATOMIC_SEQ_CST);
    flush_everything();
}
