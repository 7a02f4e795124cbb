// Threads and the scheduler; see thread.h.
//
// Each CPU has a run queue ordered by virtual run time: CPU time used, so that whoever had least goes first. A
// queue's base follows the smallest value it has given out; a thread that enters (new, woken, from another CPU) is
// placed no further than a slice before the base, so sleeping saves up no credit.

#include "kernel/core/thread.h"

#include <arch/mmu.h>
#include <arch/time.h>

#include "kernel/core/log.h"
#include "kernel/lib/string.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/phys.h"
#include "kernel/object/process.h"

#define SLICE_NS            MX_MSEC(4)
#define WAKE_GRANULARITY_NS MX_MSEC(1)

struct spinlock sched_lock = SPINLOCK_INIT;

static struct thread idle_threads[CPU_MAX];
static struct wait_queue reaper_queue;
static struct list_node dead_threads;

// --- run queues; sched_lock held ----------------------------------------------------------------

static bool cpu_is_idle(const struct cpu *cpu)
{
    return cpu->is_online && !cpu->is_spared && cpu->idle_thread->state == THREAD_RUNNING &&
           cpu->run_queue.count == 0;
}

static void insert_by_runtime(struct run_queue *queue, struct thread *thread)
{
    struct list_node *at = queue->threads.previous;

    while (at != &queue->threads &&
           CONTAINER_OF(at, struct thread, node)->virtual_runtime_ns > thread->virtual_runtime_ns)
        at = at->previous;
    list_insert_before(at->next, &thread->node);
    queue->count++;
}

// Brings a thread that comes from elsewhere into the range of this queue's threads.
static void place_in_queue(const struct run_queue *queue, struct thread *thread)
{
    uint64_t earliest = queue->base > SLICE_NS ? queue->base - SLICE_NS : 0;
    uint64_t latest = queue->base + 4 * SLICE_NS;

    if (thread->virtual_runtime_ns < earliest)
        thread->virtual_runtime_ns = earliest;
    if (thread->virtual_runtime_ns > latest)
        thread->virtual_runtime_ns = latest;
}

static void request_reschedule(struct cpu *cpu)
{
    if (__atomic_exchange_n(&cpu->needs_reschedule, 1, __ATOMIC_RELAXED) == 0 && cpu != arch_current_cpu())
        arch_cpu_send_reschedule(cpu->index);
}

static struct cpu *least_loaded_cpu(void)
{
    struct cpu *best = NULL;

    for (uint32_t i = 0; i < cpu_count; i++) {
        if (cpus[i].is_online && !cpus[i].is_spared &&
            (best == NULL || cpus[i].run_queue.count < best->run_queue.count))
            best = &cpus[i];
    }
    return best;
}

static struct cpu *choose_cpu(const struct thread *thread)
{
    struct cpu *last = thread->cpu != NULL ? thread->cpu : arch_current_cpu();

    if (cpu_is_idle(last))
        return last;
    for (uint32_t i = 0; i < cpu_count; i++) {
        if (cpu_is_idle(&cpus[i]))
            return &cpus[i];
    }
    return last->is_spared ? least_loaded_cpu() : last;
}

// What the thread that runs on `cpu` has used up to now.
static uint64_t running_used(const struct cpu *cpu, mx_time_t now)
{
    const struct thread *running = cpu->running;
    uint64_t ran = now > running->last_start ? (uint64_t)(now - running->last_start) : 0;

    return running->virtual_runtime_ns + ran;
}

// Whether `thread`, newly in the queue of `cpu`, should run before what runs there now.
static bool should_preempt(const struct cpu *cpu, const struct thread *thread, const struct thread *running)
{
    if (running == cpu->idle_thread)
        return true;
    return thread->virtual_runtime_ns + WAKE_GRANULARITY_NS < running_used(cpu, arch_time_now());
}

static void make_ready(struct thread *thread)
{
    struct cpu *cpu = choose_cpu(thread);
    struct run_queue *queue = &cpu->run_queue;

    thread->state = THREAD_READY;
    if (thread->cpu != cpu)
        cpu->stats.migrations++;
    thread->cpu = cpu;
    place_in_queue(queue, thread);
    insert_by_runtime(queue, thread);
    // The running thread may have an endless slice so far: its CPU must look again in any case, but this one, which
    // can set its own timer, only if the new thread is to run first.
    if (should_preempt(cpu, thread, cpu->running) || cpu != arch_current_cpu()) {
        request_reschedule(cpu);
    } else if (cpu->slice_end == MX_TIME_INFINITE) {
        cpu->slice_end = cpu->running->last_start + SLICE_NS;
        spin_acquire(&cpu->timers_lock);
        timer_program(cpu);
        spin_release(&cpu->timers_lock);
    }
}

static struct thread *take_first(struct run_queue *queue)
{
    struct thread *thread = LIST_FIRST(&queue->threads, struct thread, node);

    if (thread == NULL)
        return NULL;
    list_remove(&thread->node);
    queue->count--;
    if (thread->virtual_runtime_ns > queue->base)
        queue->base = thread->virtual_runtime_ns;
    return thread;
}

// Takes a thread from the longest queue of another CPU that has one waiting.
static struct thread *steal(struct cpu *cpu)
{
    struct run_queue *longest = NULL;

    for (uint32_t i = 0; i < cpu_count; i++) {
        if (i != cpu->index && cpus[i].run_queue.count > (longest != NULL ? longest->count : 0))
            longest = &cpus[i].run_queue;
    }
    if (longest == NULL || cpu->is_spared)
        return NULL;
    struct thread *thread = take_first(longest);
    place_in_queue(&cpu->run_queue, thread);
    cpu->stats.migrations++;
    return thread;
}

// Fairness across CPUs: if a thread that waits here has had clearly less than one that runs elsewhere, it goes there, where it
// will run next.
static void balance(struct cpu *cpu, mx_time_t now)
{
    struct run_queue *queue = &cpu->run_queue;
    struct thread *waiting = LIST_FIRST(&queue->threads, struct thread, node);
    struct cpu *target = NULL;
    uint64_t most = waiting != NULL ? waiting->virtual_runtime_ns + 2 * SLICE_NS : 0;

    for (uint32_t i = 0; waiting != NULL && i < cpu_count; i++) {
        if (i == cpu->index || !cpus[i].is_online || cpus[i].running == cpus[i].idle_thread)
            continue;
        if (running_used(&cpus[i], now) > most) {
            most = running_used(&cpus[i], now);
            target = &cpus[i];
        }
    }
    if (target == NULL)
        return;
    list_remove(&waiting->node);
    queue->count--;
    waiting->cpu = target;
    target->stats.migrations++;
    insert_by_runtime(&target->run_queue, waiting);
    request_reschedule(target);
}

static void account_runtime(struct thread *thread, mx_time_t now)
{
    if (now > thread->last_start) {
        uint64_t ran = (uint64_t)(now - thread->last_start);
        thread->cpu_time_ns += ran;
        thread->virtual_runtime_ns += ran;
    }
    thread->last_start = now;
}

static void set_slice(struct cpu *cpu, mx_time_t now)
{
    mx_time_t slice_end = cpu->run_queue.count != 0 ? now + SLICE_NS : MX_TIME_INFINITE;

    if (slice_end == MX_TIME_INFINITE && cpu->slice_end == MX_TIME_INFINITE)
        return;
    cpu->slice_end = slice_end;
    spin_acquire(&cpu->timers_lock);
    timer_program(cpu);
    spin_release(&cpu->timers_lock);
}

static NOINLINE void bury(struct cpu *cpu)
{
    list_add_tail(&dead_threads, &cpu->dead_thread->node);
    cpu->dead_thread = NULL;
    wait_queue_wake_one_locked(&reaper_queue, MX_OK);
}

// After a switch, in the new thread: hands a thread that has died to the reaper.
static inline void finish_switch(void)
{
    struct cpu *cpu = arch_current_cpu();

    if (cpu->dead_thread != NULL)
        bury(cpu);
}

// `next` is marked as running; returns when `previous` runs again.
static void switch_to(struct cpu *cpu, struct thread *previous, struct thread *next)
{
    cpu->stats.context_switches++;
    cpu->running = next;
    arch_set_current_thread(next);
    arch_thread_switch(previous, next);
    finish_switch();
}

// Gives the CPU to whoever is next. The caller has set the running thread's state (and queued it elsewhere if it
// blocks); if it is still RUNNING it stays eligible. Returns when the thread runs again.
static void schedule_locked(void)
{
    struct thread *previous = arch_current_thread();
    struct cpu *cpu = arch_current_cpu();
    struct run_queue *queue = &cpu->run_queue;
    mx_time_t now = arch_time_now();

    cpu->needs_reschedule = 0;
    account_runtime(previous, now);
    if (previous->state == THREAD_RUNNING && previous != cpu->idle_thread) {
        previous->state = THREAD_READY;
        insert_by_runtime(queue, previous);
    }
    struct thread *next = take_first(queue);
    if (next == NULL)
        next = steal(cpu);
    if (next == NULL)
        next = cpu->idle_thread;
    next->state = THREAD_RUNNING;
    next->cpu = cpu;
    next->last_start = now;
    balance(cpu, now);
    set_slice(cpu, now);
    if (next == previous)
        return;
    if (previous == cpu->idle_thread)
        previous->state = THREAD_READY;
    if (previous->state == THREAD_DEAD)
        cpu->dead_thread = previous;
    switch_to(cpu, previous, next);
}

// Gives the CPU, and the rest of the slice, from a thread that blocks to one that it has just woken. False: others have
// waited for longer.
static bool hand_over_locked(struct thread *next)
{
    struct thread *previous = arch_current_thread();
    struct cpu *cpu = arch_current_cpu();
    struct run_queue *queue = &cpu->run_queue;
    const struct thread *first = LIST_FIRST(&queue->threads, struct thread, node);

    place_in_queue(queue, next);
    if (first != NULL && next->virtual_runtime_ns > first->virtual_runtime_ns + SLICE_NS)
        return false;
    mx_time_t now = arch_time_now();
    account_runtime(previous, now);
    next->state = THREAD_RUNNING;
    next->cpu = cpu;
    next->last_start = now;
    switch_to(cpu, previous, next);
    return true;
}

// --- life of a thread ---------------------------------------------------------------------------

// A kernel stack with an unmapped page below it. Address space is never given back, so it waits in one of two lists: of
// stacks that are mapped still, since mapping them anew needs every CPU's translations flushed, and of places alone.
#define STACK_PAGES           (KERNEL_STACK_SIZE / PAGE_SIZE)
#define FREE_STACK_MAPPED_MAX 32

// Lies in the stack itself while it is mapped, on the heap otherwise.
struct free_stack {
    struct free_stack *next;
    char *base;
};
static struct spinlock stack_lock = SPINLOCK_INIT;
static struct free_stack *mapped_stacks, *stack_places;
static unsigned mapped_stack_count;

static void unmap_stack(char *stack, size_t mapped_pages)
{
    for (size_t i = 0; i < mapped_pages; i++)
        phys_free(arch_kernel_unmap_page(stack + i * PAGE_SIZE), 0, PHYS_USE_HEAP);
}

static bool map_stack(char *stack)
{
    for (size_t i = 0; i < STACK_PAGES; i++) {
        paddr_t page = phys_alloc(0, PHYS_USE_HEAP);
        if (paddr_is_none(page) || !arch_kernel_map_page(stack + i * PAGE_SIZE, page)) {
            if (!paddr_is_none(page))
                phys_free(page, 0, PHYS_USE_HEAP);
            unmap_stack(stack, i);
            return false;
        }
    }
    return true;
}

static struct free_stack *take_mapped_stack(void)
{
    arch_interrupt_state_t state = spin_lock(&stack_lock);
    struct free_stack *free = mapped_stacks;
    if (free != NULL) {
        mapped_stacks = free->next;
        mapped_stack_count--;
    }
    spin_unlock(&stack_lock, state);
    return free;
}

static void add_stack_place(struct free_stack *place)
{
    arch_interrupt_state_t state = spin_lock(&stack_lock);
    place->next = stack_places;
    stack_places = place;
    spin_unlock(&stack_lock, state);
}

// A place that is known, or a new one; on the heap. NULL: none.
static struct free_stack *take_stack_place(void)
{
    arch_interrupt_state_t state = spin_lock(&stack_lock);
    struct free_stack *place = stack_places;
    if (place != NULL)
        stack_places = place->next;
    spin_unlock(&stack_lock, state);
    if (place != NULL)
        return place;
    place = heap_alloc(sizeof(*place));
    char *base = place != NULL ? arch_kernel_reserve(KERNEL_STACK_SIZE + PAGE_SIZE) : NULL;
    if (base == NULL) {
        heap_free(place, sizeof(*place));
        return NULL;
    }
    place->base = base + PAGE_SIZE;
    return place;
}

static void *stack_alloc(void)
{
    struct free_stack *free = take_mapped_stack();

    if (free != NULL)
        return free->base;
    struct free_stack *place = take_stack_place();
    if (place == NULL)
        return NULL;
    char *base = place->base;
    if (!map_stack(base)) {
        add_stack_place(place);
        return NULL;
    }
    heap_free(place, sizeof(*place));
    return base;
}

// Interrupts enabled, no lock held.
static void stack_free(void *stack)
{
    struct free_stack *free = stack, *place = NULL;

    if (__atomic_load_n(&mapped_stack_count, __ATOMIC_RELAXED) >= FREE_STACK_MAPPED_MAX)
        place = heap_alloc(sizeof(*place));
    if (place != NULL) {
        unmap_stack(stack, STACK_PAGES);
        place->base = stack;
        add_stack_place(place);
        return;
    }
    free->base = stack;
    arch_interrupt_state_t state = spin_lock(&stack_lock);
    free->next = mapped_stacks;
    mapped_stacks = free;
    mapped_stack_count++;
    spin_unlock(&stack_lock, state);
}

static void wait_timer_expired(struct timer *timer)
{
    struct thread *thread = CONTAINER_OF(timer, struct thread, wait_timer);

    spin_acquire(&sched_lock);
    if (thread->state == THREAD_BLOCKED) {
        list_remove(&thread->node);
        thread->wait_status = MX_ERR_TIMED_OUT;
        make_ready(thread);
    }
    spin_release(&sched_lock);
}

static void thread_init(struct thread *thread, const char *name)
{
    memcpy(thread->name, name, strnlen(name, MX_NAME_SIZE - 1));
    list_init(&thread->node);
    timer_init(&thread->wait_timer, wait_timer_expired);
}

struct thread *thread_create(const char *name, struct process *process, void (*entry)(void *argument),
                             void *argument, void (*finished)(struct thread *thread))
{
    struct job *job = process != NULL ? process->job : NULL;

    if (job_charge(job, KERNEL_STACK_SIZE) != MX_OK)
        return NULL;
    struct thread *thread = object_alloc(job, sizeof(*thread));
    void *stack = thread != NULL ? stack_alloc() : NULL;
    if (stack == NULL) {
        object_free(job, thread, sizeof(*thread));
        job_uncharge(job, KERNEL_STACK_SIZE);
        return NULL;
    }
    thread_init(thread, name);
    thread->process = process;
    thread->aspace = process != NULL ? process->aspace : NULL;
    thread->kernel_stack = stack;
    thread->kernel_entry = entry;
    thread->kernel_argument = argument;
    thread->finished = finished;
    arch_thread_init(thread, (char *)stack + KERNEL_STACK_SIZE);
    return thread;
}

void thread_destroy(struct thread *thread)
{
    struct job *job = thread->process != NULL ? thread->process->job : NULL;

    arch_thread_destroy(thread);
    stack_free(thread->kernel_stack);
    object_free(job, thread, sizeof(*thread));
    job_uncharge(job, KERNEL_STACK_SIZE);
}

_Noreturn void thread_start_first(void)
{
    finish_switch();
    spin_release(&sched_lock);
    arch_interrupts_enable();
    struct thread *self = thread_current();
    self->kernel_entry(self->kernel_argument);
    thread_exit();
}

void thread_start(struct thread *thread)
{
    arch_interrupt_state_t state = spin_lock(&sched_lock);
    ASSERT(thread->state == THREAD_INITIAL);
    make_ready(thread);
    spin_unlock(&sched_lock, state);
}

_Noreturn void thread_exit(void)
{
    arch_interrupts_disable();
    spin_acquire(&sched_lock);
    thread_current()->state = THREAD_DEAD;
    schedule_locked();
    panic("a dead thread runs again");
}

void thread_yield(void)
{
    arch_interrupt_state_t state = spin_lock(&sched_lock);
    struct thread *self = thread_current();
    const struct run_queue *queue = &arch_current_cpu()->run_queue;
    const struct thread *last = list_is_empty(&queue->threads)
                                    ? NULL
                                    : CONTAINER_OF(queue->threads.previous, struct thread, node);
    // Behind everybody who waits for this CPU now.
    if (last != NULL && self->virtual_runtime_ns <= last->virtual_runtime_ns)
        self->virtual_runtime_ns = last->virtual_runtime_ns + 1;
    schedule_locked();
    spin_unlock(&sched_lock, state);
}

void thread_kill(struct thread *thread)
{
    arch_interrupt_state_t state = spin_lock(&sched_lock);
    __atomic_fetch_or(&thread->pending, THREAD_PENDING_KILL, __ATOMIC_RELAXED);
    if (thread->state == THREAD_BLOCKED && thread->is_wait_interruptible) {
        list_remove(&thread->node);
        thread->wait_status = MX_ERR_CANCELED;
        make_ready(thread);
    } else if (thread->state == THREAD_RUNNING && thread->cpu != arch_current_cpu()) {
        arch_cpu_send_reschedule(thread->cpu->index);
    }
    spin_unlock(&sched_lock, state);
}

void thread_handle_pending(void)
{
    // Whoever kills a thread that waits for a CPU sends no interrupt, so it is looked at again after each switch.
    do {
        if (thread_is_killed(thread_current())) {
            arch_interrupts_enable();
            user_thread_exit_current();
        }
        thread_preempt();
    } while (thread_is_killed(thread_current()) || thread_must_reschedule());
}

void thread_preempt(void)
{
    struct cpu *cpu = arch_current_cpu();

    if (cpu->needs_reschedule == 0)
        return;
    spin_acquire(&sched_lock);
    cpu->stats.preemptions++;
    schedule_locked();
    spin_release(&sched_lock);
}

// --- wait queues ----------------------------------------------------------------------------------

void wait_queue_init(struct wait_queue *queue)
{
    list_init(&queue->threads);
}

// `queue` and `next` may be NULL.
static inline mx_status_t block(struct wait_queue *queue, mx_time_t deadline, bool is_interruptible,
                                arch_interrupt_state_t state, struct thread *next)
{
    struct thread *self = thread_current();
    mx_status_t early = MX_OK;

    if (is_interruptible && thread_is_killed(self))
        early = MX_ERR_CANCELED;
    else if (deadline != MX_TIME_INFINITE && deadline <= arch_time_now())
        early = MX_ERR_TIMED_OUT;
    if (early != MX_OK) {
        if (next != NULL)
            make_ready(next);
        spin_unlock(&sched_lock, state);
        return early;
    }
    self->state = THREAD_BLOCKED;
    self->is_wait_interruptible = is_interruptible;
    if (queue != NULL)
        list_add_tail(&queue->threads, &self->node);
    if (deadline != MX_TIME_INFINITE)
        timer_set(&self->wait_timer, deadline);
    if (next == NULL || !hand_over_locked(next)) {
        if (next != NULL)
            make_ready(next);
        schedule_locked();
    }
    mx_status_t status = self->wait_status;
    spin_unlock(&sched_lock, state);
    // The call-back takes sched_lock, so the timer is stopped only now; until then it finds a running thread.
    if (deadline != MX_TIME_INFINITE)
        timer_cancel(&self->wait_timer);
    return status;
}

mx_status_t wait_queue_block_locked(struct wait_queue *queue, mx_time_t deadline, bool is_interruptible,
                                    arch_interrupt_state_t state)
{
    return block(queue, deadline, is_interruptible, state, NULL);
}

mx_status_t thread_block_locked(mx_time_t deadline, bool is_interruptible, arch_interrupt_state_t state,
                                struct thread *next)
{
    return block(NULL, deadline, is_interruptible, state, next);
}

bool thread_unblock_locked(struct thread *thread)
{
    if (thread->state != THREAD_BLOCKED)
        return false;
    thread->wait_status = MX_OK;
    thread->state = THREAD_READY;
    return true;
}

void thread_make_ready_locked(struct thread *thread)
{
    make_ready(thread);
}

bool wait_queue_wake_one_locked(struct wait_queue *queue, mx_status_t status)
{
    struct thread *thread = LIST_FIRST(&queue->threads, struct thread, node);

    if (thread == NULL)
        return false;
    list_remove(&thread->node);
    thread->wait_status = status;
    make_ready(thread);
    return true;
}

void wait_queue_wake_all_locked(struct wait_queue *queue, mx_status_t status)
{
    while (wait_queue_wake_one_locked(queue, status)) {
    }
}

bool wait_queue_wake_one(struct wait_queue *queue, mx_status_t status)
{
    arch_interrupt_state_t state = spin_lock(&sched_lock);
    bool is_woken = wait_queue_wake_one_locked(queue, status);
    spin_unlock(&sched_lock, state);
    return is_woken;
}

void wait_queue_wake_all(struct wait_queue *queue, mx_status_t status)
{
    arch_interrupt_state_t state = spin_lock(&sched_lock);
    wait_queue_wake_all_locked(queue, status);
    spin_unlock(&sched_lock, state);
}

// --- start-up, idle threads, the reaper --------------------------------------------------------

void thread_prepare_cpu(struct cpu *cpu)
{
    struct thread *idle = &idle_threads[cpu->index];

    thread_init(idle, "idle");
    idle->state = THREAD_RUNNING;
    idle->cpu = cpu;
    list_init(&cpu->run_queue.threads);
    cpu->hardware_deadline = MX_TIME_INFINITE;
    cpu->slice_end = MX_TIME_INFINITE;
    cpu->idle_thread = idle;
    cpu->running = idle;
}

void thread_enter_cpu(struct cpu *cpu)
{
    cpu->idle_thread->last_start = arch_time_now();
    arch_set_current_thread(cpu->idle_thread);
}

void thread_spare_cpu(struct cpu *cpu)
{
    arch_interrupt_state_t state = spin_lock(&sched_lock);
    struct thread *self = thread_current(), *waiting;

    cpu->is_spared = true;
    while ((waiting = take_first(&cpu->run_queue)) != NULL)
        make_ready(waiting);
    if (arch_current_cpu() == cpu) {
        make_ready(self); // nobody can take it before this CPU has left its stack: sched_lock is held until then
        schedule_locked();
    } else {
        request_reschedule(cpu);
    }
    spin_unlock(&sched_lock, state);
}

uint64_t thread_idle_time(const struct cpu *cpu)
{
    arch_interrupt_state_t state = spin_lock(&sched_lock);
    const struct thread *idle = cpu->idle_thread;
    uint64_t time = idle->cpu_time_ns;
    mx_time_t now = arch_time_now();
    if (idle->state == THREAD_RUNNING && now > idle->last_start)
        time += (uint64_t)(now - idle->last_start);
    spin_unlock(&sched_lock, state);
    return time;
}

_Noreturn void thread_become_idle(void)
{
    struct cpu *cpu = arch_current_cpu();

    for (;;) {
        arch_interrupts_disable();
        spin_acquire(&sched_lock);
        schedule_locked();
        spin_release(&sched_lock);
        if (cpu->needs_reschedule == 0)
            arch_cpu_idle();
        else
            arch_interrupts_enable();
    }
}

static void reap(void *argument)
{
    (void)argument;
    for (;;) {
        arch_interrupt_state_t state = spin_lock(&sched_lock);
        struct thread *thread = LIST_FIRST(&dead_threads, struct thread, node);
        if (thread == NULL) {
            (void)wait_queue_block_locked(&reaper_queue, MX_TIME_INFINITE, false, state);
            continue;
        }
        list_remove(&thread->node);
        spin_unlock(&sched_lock, state);
        thread->finished(thread);
    }
}

void thread_start_reaper(void)
{
    wait_queue_init(&reaper_queue);
    list_init(&dead_threads);
    struct thread *reaper = thread_create("reaper", NULL, reap, NULL, thread_destroy);
    if (reaper == NULL)
        panic("no memory for the first thread");
    thread_start(reaper);
}
