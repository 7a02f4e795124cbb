// The set of CPUs and calls across them; see cpu.h.

#include "kernel/core/cpu.h"

#include "kernel/core/mutex.h"

struct cpu cpus[CPU_MAX];
uint32_t cpu_count = 1;

static struct mutex call_mutex;
static void (*call_function)(void *argument);
static void *call_argument;
static uint32_t call_pending_count;
static uint64_t call_pending_mask; // CPUs that have not begun

// The CPUs that are online but this one: a mask, and how many. Interrupts disabled.
static uint64_t find_others(uint32_t *count)
{
    uint32_t self = arch_current_cpu()->index;
    uint64_t mask = 0;

    *count = 0;
    for (uint32_t i = 0; i < cpu_count; i++) {
        if (i != self && cpus[i].is_online) {
            mask |= UINT64_C(1) << i;
            (*count)++;
        }
    }
    return mask;
}

static void send_to(uint64_t mask, void (*send)(uint32_t cpu_index))
{
    for (; mask != 0; mask &= mask - 1)
        send((uint32_t)__builtin_ctzll(mask));
}

void cpu_stop_others(void)
{
    arch_interrupt_state_t state = arch_interrupts_save();
    uint32_t count;

    send_to(find_others(&count), arch_cpu_send_stop);
    arch_interrupts_restore(state);
}

void cpu_call_others(void (*function)(void *argument), void *argument)
{
    mutex_lock(&call_mutex);
    arch_interrupt_state_t state = arch_interrupts_save();
    uint32_t count;
    uint64_t mask = find_others(&count);
    call_function = function;
    call_argument = argument;
    __atomic_store_n(&call_pending_count, count, __ATOMIC_RELAXED);
    // Release pairs with the acquire in cpu_handle_call: function and argument are seen with the
    // bit.
    __atomic_store_n(&call_pending_mask, mask, __ATOMIC_RELEASE);
    send_to(mask, arch_cpu_send_call);
    arch_interrupts_restore(state);
    // Acquire pairs with the release in cpu_handle_call: what the others did is seen.
    while (__atomic_load_n(&call_pending_count, __ATOMIC_ACQUIRE) != 0)
        arch_cpu_relax();
    mutex_unlock(&call_mutex);
}

void cpu_handle_call(void)
{
    uint64_t bit = UINT64_C(1) << arch_current_cpu()->index;

    if ((__atomic_fetch_and(&call_pending_mask, ~bit, __ATOMIC_ACQ_REL) & bit) == 0)
        return;
    call_function(call_argument);
    __atomic_fetch_sub(&call_pending_count, 1, __ATOMIC_RELEASE);
}
