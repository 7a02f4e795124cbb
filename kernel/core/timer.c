// Kernel timers; see timer.h.
//
// Each CPU's timers are a leftist heap under its timers_lock: no timer is due before its parent, and the rank, which is the
// number of timers on the way down to the right, is never higher on the right than on the left. So that way is as short as
// the logarithm of their number, and programs with many timers delay nobody: setting a timer happens with sched_lock held.

#include "kernel/core/timer.h"

#include <arch/time.h>

#include "kernel/core/thread.h"

// So many call-backs in one interrupt; then others get their turn.
#define EXPIRE_MAX 32

void timer_init(struct timer *timer, void (*expire)(struct timer *timer))
{
    *timer = (struct timer){.expire = expire};
}

// --- the heap; timers_lock held -----------------------------------------------------------------

static uint32_t rank_of(const struct timer *timer)
{
    return timer != NULL ? timer->rank : 0;
}

static void order_children(struct timer *timer)
{
    struct timer *left = timer->left;

    if (rank_of(left) < rank_of(timer->right)) {
        timer->left = timer->right;
        timer->right = left;
    }
    timer->rank = rank_of(timer->right) + 1;
}

// The heap of both, each of which may be NULL. Goes down the ways to the right, so its depth is bounded.
static struct timer *merge(struct timer *a, struct timer *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    if (b->deadline < a->deadline) {
        struct timer *first = b;
        b = a;
        a = first;
    }
    a->right = merge(a->right, b);
    a->right->parent = a;
    order_children(a);
    return a;
}

static void heap_insert(struct cpu *cpu, struct timer *timer)
{
    timer->parent = timer->left = timer->right = NULL;
    timer->rank = 1;
    timer->is_queued = true;
    cpu->timers = merge(cpu->timers, timer);
    cpu->timers->parent = NULL;
}

static void heap_remove(struct cpu *cpu, struct timer *timer)
{
    struct timer *parent = timer->parent, *rest = merge(timer->left, timer->right);

    timer->is_queued = false;
    if (rest != NULL)
        rest->parent = parent;
    if (parent == NULL)
        cpu->timers = rest;
    else if (parent->left == timer)
        parent->left = rest;
    else
        parent->right = rest;
    // Ranks that change grow on the way up, so it ends as soon as the way down does.
    for (; parent != NULL; parent = parent->parent) {
        uint32_t rank = parent->rank;
        order_children(parent);
        if (parent->rank == rank)
            break;
    }
}

// --- setting and cancelling ---------------------------------------------------------------------

void timer_program(struct cpu *cpu)
{
    mx_time_t deadline = cpu->slice_end;

    if (cpu->timers != NULL && cpu->timers->deadline < deadline)
        deadline = cpu->timers->deadline;
    // An interrupt that comes too early only sets the hardware again; to move it back each time would cost more.
    if (deadline >= cpu->hardware_deadline)
        return;
    cpu->hardware_deadline = deadline;
    arch_time_set_timer(deadline);
}

void timer_set(struct timer *timer, mx_time_t deadline)
{
    timer_cancel(timer);
    arch_interrupt_state_t state = arch_interrupts_save();
    struct cpu *cpu = arch_current_cpu();
    spin_acquire(&cpu->timers_lock);
    timer->deadline = deadline;
    __atomic_store_n(&timer->cpu, cpu, __ATOMIC_RELEASE);
    heap_insert(cpu, timer);
    if (cpu->timers == timer)
        timer_program(cpu);
    spin_release(&cpu->timers_lock);
    arch_interrupts_restore(state);
}

void timer_cancel(struct timer *timer)
{
    struct cpu *cpu = __atomic_load_n(&timer->cpu, __ATOMIC_ACQUIRE);

    // Never set: a timer enters a heap only by its owner's own timer_set.
    if (cpu == NULL)
        return;
    arch_interrupt_state_t state = spin_lock(&cpu->timers_lock);
    if (timer->is_queued)
        heap_remove(cpu, timer);
    bool is_self = cpu == arch_current_cpu();
    spin_unlock(&cpu->timers_lock, state);
    // On this CPU a running call-back can only be the caller. Acquire pairs with the release in timer_interrupt.
    while (!is_self && __atomic_load_n(&timer->is_running, __ATOMIC_ACQUIRE))
        arch_cpu_relax();
}

// Takes the first timer that is due out of the heap, or NULL; timers_lock held.
static struct timer *take_due(struct cpu *cpu, mx_time_t now)
{
    struct timer *timer = cpu->timers;

    if (timer == NULL || timer->deadline > now)
        return NULL;
    heap_remove(cpu, timer);
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
    // What is left over is due already: the hardware comes back at once, and other interrupts in between.
    for (unsigned i = 0; i < EXPIRE_MAX && (timer = take_due(cpu, now)) != NULL; i++) {
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
