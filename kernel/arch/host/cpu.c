// The simulation: CPUs, interrupts and time; see host.h.

#include "kernel/arch/host/host_cpu.h"

#include <arch/boot.h>
#include <arch/time.h>

#include <stdio.h>
#include <stdlib.h>
#include <sanitizer/common_interface_defs.h>

#include "kernel/arch/host/host_interrupts.h"
#include "kernel/core/log.h"
#include "kernel/core/random.h"

#define RELAX_LIMIT 100000

struct host_cpu host_cpus[CPU_MAX];
struct host_cpu *host_this;

static ucontext_t driver;
static void *driver_fake_stack;
static const void *driver_stack;
static size_t driver_stack_bytes;
static mx_time_t now_ns = 1;
static int64_t utc_seconds = 1700000000;
static uint32_t random_state;

// --- choices
// ----------------------------------------------------------------------------------------

void host_set_seed(uint32_t seed)
{
    random_state = seed;
}

// Xorshift; 0 stays 0.
static uint32_t draw(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % limit;
}

void host_maybe_pause(void)
{
    if (host_this != NULL && random_state != 0 && draw(4) == 0)
        host_pause();
}

void host_pause(void)
{
    struct host_cpu *self = host_this;

    if (self == NULL)
        return;
    __sanitizer_start_switch_fiber(&self->fake_stack, driver_stack, driver_stack_bytes);
    swapcontext(&self->paused, &driver);
    __sanitizer_finish_switch_fiber(host_this->fake_stack, NULL, NULL);
}

static bool has_interrupt(const struct host_cpu *cpu)
{
    return cpu->is_reschedule_pending || cpu->is_call_pending || cpu->timer <= now_ns ||
           (cpu == host_cpus && host_interrupt_is_pending());
}

static bool can_run(const struct host_cpu *cpu)
{
    if (!cpu->is_started)
        return false;
    if (cpu->is_idle || cpu->busy_until > now_ns)
        return has_interrupt(cpu);
    return true;
}

static struct host_cpu *choose_cpu(void)
{
    struct host_cpu *candidates[CPU_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < cpu_count; i++) {
        if (can_run(&host_cpus[i]))
            candidates[count++] = &host_cpus[i];
    }
    if (count == 0)
        return NULL;
    if (random_state != 0)
        return candidates[draw(count)];
    // Without a seed too, whoever only waits for another CPU must let that one go on.
    struct host_cpu *best = candidates[0];
    for (uint32_t i = 1; i < count; i++) {
        if (candidates[i]->relax_count < best->relax_count)
            best = candidates[i];
    }
    return best;
}

static void resume(struct host_cpu *cpu)
{
    host_this = cpu;
    const struct arch_thread *thread = &cpu->current->arch;
    __sanitizer_start_switch_fiber(&driver_fake_stack, thread->stack, thread->stack_bytes);
    swapcontext(&driver, &cpu->paused);
    __sanitizer_finish_switch_fiber(driver_fake_stack, NULL, NULL);
    host_this = NULL;
}

static mx_time_t next_event(void)
{
    mx_time_t next = MX_TIME_INFINITE;

    for (uint32_t i = 0; i < cpu_count; i++) {
        const struct host_cpu *cpu = &host_cpus[i];
        if (cpu->is_started && cpu->timer < next)
            next = cpu->timer;
        if (cpu->is_started && cpu->busy_until > now_ns && cpu->busy_until < next)
            next = cpu->busy_until;
    }
    return next;
}

void host_run(bool (*is_done)(void *argument), void *argument)
{
    for (;;) {
        struct host_cpu *cpu = choose_cpu();
        if (cpu != NULL) {
            if (cpu->relax_count > RELAX_LIMIT)
                host_fail("CPU %u waits for another CPU for ever", cpu->cpu->index);
            resume(cpu);
            continue;
        }
        if (is_done(argument))
            return;
        mx_time_t next = next_event();
        if (next == MX_TIME_INFINITE)
            host_fail("nothing can happen any more, and the scenario is not at its end");
        now_ns = next;
    }
}

_Noreturn void host_fail(const char *format, ...)
{
    va_list args;

    printf("# host port: ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n# console:\n%s\n", host_take_console_text());
    fflush(stdout);
    abort();
}

void host_start_thread(struct thread *thread)
{
    thread_start(thread);
    // Nobody interrupts the CPU that it is to run on: that one is not running now.
    for (uint32_t i = 0; i < cpu_count; i++)
        host_cpus[i].is_reschedule_pending |= cpus[i].needs_reschedule != 0;
}

// --- starting CPUs
// ------------------------------------------------------------------------------------

#define CPU_STACK_BYTES ((size_t)256 << 10)

static void run_boot_cpu(void)
{
    __sanitizer_finish_switch_fiber(NULL, &driver_stack, &driver_stack_bytes);
    thread_become_idle();
}

static void run_secondary_cpu(void)
{
    __sanitizer_finish_switch_fiber(NULL, &driver_stack, &driver_stack_bytes);
    start_secondary_cpu();
}

static void start_cpu(uint32_t index, void (*entry)(void))
{
    struct host_cpu *cpu = &host_cpus[index];
    struct arch_thread *idle = &cpus[index].idle_thread->arch;

    idle->stack = malloc(CPU_STACK_BYTES);
    idle->stack_bytes = CPU_STACK_BYTES;
    cpu->cpu = &cpus[index];
    cpu->current = cpus[index].idle_thread;
    cpu->timer = MX_TIME_INFINITE;
    getcontext(&cpu->paused);
    cpu->paused.uc_stack.ss_sp = idle->stack;
    cpu->paused.uc_stack.ss_size = idle->stack_bytes;
    makecontext(&cpu->paused, entry, 0);
    cpu->is_started = true;
}

static bool all_cpus_are_online(void *argument)
{
    (void)argument;
    for (uint32_t i = 0; i < cpu_count; i++) {
        if (!cpus[i].is_online)
            return false;
    }
    return true;
}

void host_start(uint32_t wanted_cpu_count)
{
    ASSERT(wanted_cpu_count != 0 && wanted_cpu_count <= CPU_MAX && host_cpus[0].cpu == NULL);
    host_memory_init();
    cpu_count = wanted_cpu_count;
    for (uint32_t i = 0; i < cpu_count; i++) {
        cpus[i].index = i;
        thread_prepare_cpu(&cpus[i]);
        start_cpu(i, i == 0 ? run_boot_cpu : run_secondary_cpu);
    }
    // The rest as kernel_main does it, on the boot CPU; only its running is left to host_run.
    host_this = &host_cpus[0];
    thread_enter_cpu(&cpus[0]);
    cpus[0].is_online = true;
    random_init();
    if (job_create(NULL, &root_job) != MX_OK)
        host_fail("no root job");
    thread_start_reaper();
    host_this = NULL;
    host_run(all_cpus_are_online, NULL);
}

// --- the contract: <arch/cpu.h>
// -----------------------------------------------------------------------

arch_interrupt_state_t arch_interrupts_save(void)
{
    if (host_this == NULL)
        return false;
    if (host_this->are_interrupts_enabled)
        host_maybe_pause();
    if (host_this->are_interrupts_enabled)
        host_take_interrupts();
    bool state = host_this->are_interrupts_enabled;
    host_this->are_interrupts_enabled = false;
    return state;
}

void arch_interrupts_enable(void)
{
    if (host_this == NULL)
        return;
    host_this->are_interrupts_enabled = true;
    host_this->relax_count = 0;
    host_take_interrupts();
    host_maybe_pause();
}

void arch_interrupts_restore(arch_interrupt_state_t state)
{
    if (state)
        arch_interrupts_enable();
}

void arch_interrupts_disable(void)
{
    if (host_this != NULL)
        host_this->are_interrupts_enabled = false;
}

bool arch_interrupts_are_enabled(void)
{
    return host_this != NULL && host_this->are_interrupts_enabled;
}

void arch_cpu_relax(void)
{
    if (host_this == NULL)
        host_fail("a lock is held outside of all CPUs");
    host_this->relax_count++;
    host_pause();
    if (host_this->are_interrupts_enabled)
        host_take_interrupts();
}

struct cpu *arch_current_cpu(void)
{
    return host_this != NULL ? host_this->cpu : &cpus[0];
}

struct thread *arch_current_thread(void)
{
    return host_this != NULL ? host_this->current : host_cpus[0].current;
}

void arch_set_current_thread(struct thread *thread)
{
    host_this->current = thread;
}

void arch_cpu_idle(void)
{
    struct host_cpu *self = host_this;

    self->is_idle = true;
    self->relax_count = 0;
    while (!has_interrupt(self))
        host_pause();
    self->is_idle = false;
    arch_interrupts_enable();
}

static void take_one_interrupt(struct host_cpu *self)
{
    if (self->is_call_pending) {
        self->is_call_pending = false;
        cpu_handle_call();
    } else if (self->timer <= now_ns) {
        self->timer = MX_TIME_INFINITE;
        timer_interrupt();
    } else if (self->is_reschedule_pending) {
        self->is_reschedule_pending = false;
    } else {
        host_dispatch_interrupt();
    }
}

void host_take_interrupts(void)
{
    while (has_interrupt(host_this)) {
        host_this->are_interrupts_enabled = false;
        take_one_interrupt(host_this);
        thread_preempt();
        host_this->are_interrupts_enabled = true;
    }
}

void arch_cpu_send_reschedule(uint32_t cpu_index)
{
    host_cpus[cpu_index].is_reschedule_pending = true;
}

void arch_cpu_send_call(uint32_t cpu_index)
{
    host_cpus[cpu_index].is_call_pending = true;
}

mx_status_t arch_cpu_start(uint32_t cpu_index, void *stack_top)
{
    (void)stack_top;
    return host_cpus[cpu_index].is_started ? MX_OK : MX_ERR_TIMED_OUT;
}

void arch_cpu_send_stop(uint32_t cpu_index)
{
    (void)cpu_index; // they do not go on while this one does
}

void arch_cpu_print_backtrace(void)
{
    __sanitizer_print_stack_trace();
}

_Noreturn void arch_cpu_halt(void)
{
    host_fail("the kernel stopped the machine");
}

bool arch_cpu_random(uint64_t *value)
{
    *value = UINT64_C(0x6d616368696e6121);
    return true;
}

const char *arch_cpu_name(void)
{
    return "host port";
}

// --- the contract: <arch/time.h>, <arch/boot.h>
// -------------------------------------------------------

mx_time_t host_time(void)
{
    return now_ns;
}

// Also a point where another CPU may go on: real CPUs do not stand still while one looks at the
// clock.
mx_time_t arch_time_now(void)
{
    mx_time_t time = now_ns;

    host_maybe_pause();
    return time;
}

void arch_time_set_timer(mx_time_t deadline)
{
    if (host_this != NULL)
        host_this->timer = deadline;
}

int64_t arch_time_utc_seconds(void)
{
    return utc_seconds + now_ns / MX_SEC(1);
}

void host_set_utc(int64_t seconds)
{
    utc_seconds = seconds;
}

void arch_init_late(void) {}

void arch_init_cpu(void) {}

// --- user programs
// --------------------------------------------------------------------------------------

void host_user_work(uint64_t duration_ns)
{
    mx_time_t left = (mx_time_t)duration_ns;

    while (left > 0) {
        mx_time_t start = now_ns;
        struct host_cpu *self = host_this;
        self->relax_count = 0;
        self->busy_until = start + left;
        host_pause();
        self->busy_until = 0;
        left -= now_ns - start;
        host_take_interrupts();
        host_return_to_user();
    }
}
