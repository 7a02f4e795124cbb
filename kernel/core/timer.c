// Kernel timers; see timer.h. Each CPU has a list ordered by deadline, protected by its timers_lock.

#include "kernel/core/timer.h"

#include <arch/time.h>

#include "kernel/core/thread.h"

void timer_init(struct timer *timer, void (*expire)(struct timer *timer))
{
    *timer = (struct timer){.expire = expire};
    list_init(&timer->node);
}

void timer_program(struct cpu *cpu)
{
    struct timer *first = LIST_FIRST(&cpu->timers, struct timer, node);
    mx_time_t deadline = cpu->slice_end;

    if (first != NULL && first->deadline < deadline)
        deadline = first->deadline;
    if (deadline == cpu->hardware_deadline)
        return;
    cpu->hardware_deadline = deadline;
    arch_time_set_timer(deadline);
}

static void insert_timer(struct cpu *cpu, struct timer *timer)
{
    struct list_node *at = cpu->timers.next;

    while (at != &cpu->timers && CONTAINER_OF(at, struct timer, node)->deadline <= timer->deadline)
        at = at->next;
    list_insert_before(at, &timer->node);
}

void timer_set(struct timer *timer, mx_time_t deadline)
{
    timer_cancel(timer);
    arch_interrupt_state_t state = arch_interrupts_save();
    struct cpu *cpu = arch_current_cpu();
    spin_acquire(&cpu->timers_lock);
    timer->deadline = deadline;
    __atomic_store_n(&timer->cpu, cpu, __ATOMIC_RELEASE);
    insert_timer(cpu, timer);
    if (cpu->timers.next == &timer->node)
        timer_program(cpu);
    spin_release(&cpu->timers_lock);
    arch_interrupts_restore(state);
}

void timer_cancel(struct timer *timer)
{
    struct cpu *cpu = __atomic_load_n(&timer->cpu, __ATOMIC_ACQUIRE);

    // Never set, or known to be out of the list: a timer enters a list only by its owner's own timer_set.
    if (cpu == NULL)
        return;
    arch_interrupt_state_t state = spin_lock(&cpu->timers_lock);
    list_remove(&timer->node);
    bool is_self = cpu == arch_current_cpu();
    spin_unlock(&cpu->timers_lock, state);
    // On this CPU a running call-back can only be the caller. Acquire pairs with the release in timer_interrupt.
    while (!is_self && __atomic_load_n(&timer->is_running, __ATOMIC_ACQUIRE))
        arch_cpu_relax();
}

// Takes the first timer that is due out of the list, or NULL; timers_lock held.
static struct timer *take_due(struct cpu *cpu, mx_time_t now)
{
    struct timer *timer = LIST_FIRST(&cpu->timers, struct timer, node);

    if (timer == NULL || timer->deadline > now)
        return NULL;
    list_remove(&timer->node);
    timer->is_running = true;
    return timer;
}

void timer_interrupt(void)
{
    struct cpu *cpu = arch_current_cpu();
    mx_time_t now = arch_time_now();
    struct timer *timer;

    spin_acquire(&cpu->timers_lock);
    cpu->hardware_deadline = MX_TIME_INFINITE;
    while ((timer = take_due(cpu, now)) != NULL) {
        spin_release(&cpu->timers_lock);
        timer->expire(timer);
        // Release pairs with the acquire in timer_cancel.
        __atomic_store_n(&timer->is_running, false, __ATOMIC_RELEASE);
        spin_acquire(&cpu->timers_lock);
    }
    if (cpu->slice_end <= now) {
        cpu->slice_end = MX_TIME_INFINITE;
        __atomic_store_n(&cpu->needs_reschedule, 1, __ATOMIC_RELAXED);
    }
    timer_program(cpu);
    spin_release(&cpu->timers_lock);
}
