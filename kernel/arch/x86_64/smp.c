// Start-up of CPUs: numbering, and INIT and SIPI to bring the others up (Intel SDM Volume 3A,
// "Multiple-Processor (MP) Initialization").
#include "kernel/arch/x86_64/smp.h"

#include <string.h>

#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/fpu.h>
#include <arch/mmu.h>

#include "kernel/arch/x86_64/acpi.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/descriptors.h"
#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/regs/segments.h"
#include "kernel/arch/x86_64/tlb.h"
#include "kernel/arch/x86_64/trampoline.h"
#include "kernel/arch/x86_64/tsc.h"
#include "kernel/core/cpu.h"
#include "kernel/core/log.h"
#include "kernel/memory/boot_memory.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/phys.h"

#define INIT_WAIT_US     10000
#define STARTUP_WAIT_US  200
#define START_TIMEOUT_US 1000000
#define START_POLL_US    100

struct x86_cpu x86_cpus[CPU_MAX];

// What the CPU that is being started needs; one at a time.
void *secondary_stack_top;
static struct x86_cpu *secondary_cpu;
static uint8_t *secondary_ist_stacks;

// Called by start.S.
_Noreturn void x86_start_secondary(void);

void smp_init_boot_cpu(void)
{
    static uint8_t ist_stacks[IST_COUNT * IST_STACK_SIZE] __attribute__((aligned(16)));

    x86_cpus[0].cpu = &cpus[0];
    descriptors_init();
    descriptors_load(&x86_cpus[0], ist_stacks);
}

void smp_count_cpus(void)
{
    const struct acpi_machine *machine = acpi_machine();
    uint32_t own = apic_current_id();

    x86_cpus[0].apic_id = own;
    cpu_count = 1;
    for (uint32_t i = 0; i < machine->cpu_count && cpu_count < CPU_MAX; i++) {
        uint32_t id = machine->cpu_apic_ids[i];
        // Without x2APIC no interrupt reaches an id of more than eight bits.
        if (id != own && (cpu_features.has_x2apic || id < 0xff))
            x86_cpus[cpu_count++].apic_id = id;
    }
    for (uint32_t i = 0; i < cpu_count; i++) {
        x86_cpus[i].cpu = &cpus[i];
        cpus[i].index = i;
    }
}

static void copy_trampoline(void)
{
    uint8_t *target = arch_phys_to_virt(PADDR(TRAMPOLINE_BASE));
    size_t efer_offset = (size_t)((uint8_t *)&trampoline_efer - trampoline_start);
    uint32_t efer = (uint32_t)msr_read(MSR_EFER) & (EFER_LME | EFER_NXE);

    memcpy(target, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    memcpy(target + efer_offset, &efer, sizeof(efer));
}

static void send_start(uint32_t apic_id)
{
    arch_interrupt_state_t state = arch_interrupts_save();

    apic_send_init(apic_id);
    time_wait_us(INIT_WAIT_US);
    for (unsigned i = 0; i < 2; i++) {
        apic_send_startup(apic_id, TRAMPOLINE_BASE >> MX_PAGE_SHIFT);
        time_wait_us(STARTUP_WAIT_US);
    }
    arch_interrupts_restore(state);
}

static bool is_online(uint32_t cpu_index)
{
    // Acquire pairs with the release in start_secondary_cpu: the next CPU's start may use the
    // variables.
    return __atomic_load_n(&cpus[cpu_index].is_online, __ATOMIC_ACQUIRE);
}

static bool wait_until_online(uint32_t cpu_index)
{
    for (uint32_t us = 0; us < START_TIMEOUT_US; us += START_POLL_US) {
        if (is_online(cpu_index))
            return true;
        time_wait_us(START_POLL_US);
    }
    // Unless it has the stack already, it gets none any more and halts.
    if (__atomic_exchange_n(&secondary_stack_top, NULL, __ATOMIC_ACQ_REL))
        return false;
    while (!is_online(cpu_index))
        arch_cpu_relax();
    return true;
}

mx_status_t arch_cpu_start(uint32_t cpu_index, void *stack_top)
{
    // Firmware may keep that page.
    if (!boot_memory_is_ram(TRAMPOLINE_BASE, PAGE_SIZE))
        return MX_ERR_NO_RESOURCES;
    uint8_t *ist_stacks = heap_alloc(IST_COUNT * IST_STACK_SIZE);

    if (!ist_stacks)
        return MX_ERR_NO_MEMORY;
    copy_trampoline();
    secondary_cpu = &x86_cpus[cpu_index];
    secondary_ist_stacks = ist_stacks;
    // Release pairs with the exchange in start.S: the CPU that gets the stack sees the rest.
    __atomic_store_n(&secondary_stack_top, stack_top, __ATOMIC_RELEASE);
    send_start(secondary_cpu->apic_id);
    if (!wait_until_online(cpu_index)) {
        heap_free(ist_stacks, IST_COUNT * IST_STACK_SIZE);
        return MX_ERR_TIMED_OUT;
    }
    return MX_OK;
}

void x86_start_secondary(void)
{
    descriptors_load(secondary_cpu, secondary_ist_stacks);
    cpu_features_enable();
    fpu_init_cpu();
    tlb_join();
    start_secondary_cpu();
}
