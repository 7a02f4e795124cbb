// Start-up of CPUs: numbering, and PSCI's CPU_ON to bring the others up (Arm DEN 0022F.b, 5.6).
#include "kernel/arch/arm64/smp.h"

#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/fpu.h>
#include <arch/mmu.h>

#include "kernel/arch/arm64/boot.h"
#include "kernel/arch/arm64/cache.h"
#include "kernel/arch/arm64/cpu_features.h"
#include "kernel/arch/arm64/image.h"
#include "kernel/arch/arm64/paging.h"
#include "kernel/arch/arm64/psci.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/id.h"
#include "kernel/arch/arm64/regs/psci.h"
#include "kernel/arch/arm64/start.h"
#include "kernel/arch/arm64/time.h"
#include "kernel/arch/arm64/tlb.h"
#include "kernel/core/cpu.h"
#include "kernel/core/log.h"

#define START_TIMEOUT_US 1000000
#define START_POLL_US    100

_Static_assert(offsetof(struct arm64_start, kernel_root) == START_KERNEL_ROOT, "start.S");
_Static_assert(offsetof(struct arm64_start, stack_top) == START_STACK_TOP, "start.S");
_Static_assert(offsetof(struct arm64_start, cpu) == START_CPU, "start.S");

struct arm64_cpu arm64_cpus[CPU_MAX];

// Called by start.S.
_Noreturn void arm64_start_secondary(struct arm64_cpu *cpu);

static uint64_t own_mpidr(void)
{
    return sysreg_read(mpidr_el1) & MPIDR_AFFINITY;
}

// Until the first thread there is a place that stands for one.
static void set_boot_thread(struct arm64_cpu *cpu)
{
    cpu->boot_thread.cpu = cpu->cpu;
    cpu->boot_thread.arch_cpu = cpu;
    __asm__ volatile(ARM64_TPIDR_SITE("msr tpidr_el2, %0") : : "r"(&cpu->boot_thread) : "memory");
}

void smp_init_boot_cpu(void)
{
    arm64_cpus[0].cpu = &cpus[0];
    arm64_cpus[0].mpidr = own_mpidr();
    set_boot_thread(&arm64_cpus[0]);
}

void smp_count_cpus(void)
{
    const struct machine *machine = boot_machine();

    cpu_count = 1;
    for (uint32_t i = 0; i < machine->cpu_count && cpu_count < CPU_MAX; i++) {
        if (machine->cpu_mpidrs[i] != arm64_cpus[0].mpidr &&
            machine->conduit != MACHINE_CONDUIT_NONE)
            arm64_cpus[cpu_count++].mpidr = machine->cpu_mpidrs[i] & MPIDR_AFFINITY;
    }
    for (uint32_t i = 0; i < cpu_count; i++) {
        arm64_cpus[i].cpu = &cpus[i];
        cpus[i].index = i;
    }
}

static bool wait_until_online(uint32_t cpu_index)
{
    for (uint32_t us = 0; us < START_TIMEOUT_US; us += START_POLL_US) {
        // Acquire pairs with the release in start_secondary_cpu.
        if (__atomic_load_n(&cpus[cpu_index].is_online, __ATOMIC_ACQUIRE))
            return true;
        time_wait_us(START_POLL_US);
    }
    return false;
}

// A CPU that comes up after this has given up is as welcome: what it needs stays where it is.
mx_status_t arch_cpu_start(uint32_t cpu_index, void *stack_top)
{
    struct arm64_cpu *cpu = &arm64_cpus[cpu_index];
    int64_t result;

    cpu->start = (struct arm64_start){kernel_root, (uint64_t)stack_top, cpu};
    cache_clean(&cpu->start, sizeof(cpu->start));
    result = psci_call(PSCI_CPU_ON, cpu->mpidr, image_physical(arm64_secondary_entry),
                       image_physical(&cpu->start));
    if (result != PSCI_SUCCESS) {
        log_print("PSCI CPU_ON of 0x%lx: error %ld", (unsigned long)cpu->mpidr, (long)result);
        return MX_ERR_UNAVAILABLE;
    }
    return wait_until_online(cpu_index) ? MX_OK : MX_ERR_TIMED_OUT;
}

void arm64_start_secondary(struct arm64_cpu *cpu)
{
    set_boot_thread(cpu);
    boot_init_vectors();
    paging_load_aspace(NULL);
    tlb_flush_all_local();
    cpu_features_enable();
    fpu_init_cpu();
    start_secondary_cpu();
}
