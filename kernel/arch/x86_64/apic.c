// The local APIC (Intel SDM Volume 3A, "Advanced Programmable Interrupt Controller"; AMD64
// Architecture Programmer's Manual Volume 2, same chapter).
#include "kernel/arch/x86_64/apic.h"

#include <arch/mmu.h>

#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/regs/local_apic.h"
#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/regs/segments.h"

#define TIMER_DIVIDE_BY_1 0xbu
#define XAPIC_ID_SHIFT    24 // in ID and ICR_HIGH
#define ICR_MODE(mode)    ((uint32_t)(mode) << LOCAL_APIC_ICR_DELIVERY_SHIFT)

// A write of the command register is delivered within this many reads of it, on anything that
// works.
#define DELIVERY_LOOPS 1000000

static volatile uint32_t *registers; // NULL: x2APIC

static uint32_t apic_read(uint32_t offset)
{
    return registers ? registers[offset / 4] : (uint32_t)msr_read(MSR_X2APIC_BASE + offset / 16);
}

static void apic_write(uint32_t offset, uint32_t value)
{
    if (registers)
        registers[offset / 4] = value;
    else
        msr_write(MSR_X2APIC_BASE + offset / 16, value);
}

bool apic_init(uint64_t base)
{
    if (cpu_features.has_x2apic)
        return true;
    registers = arch_map_device(PADDR(base), MX_PAGE_SIZE);
    return registers != NULL;
}

void apic_init_cpu(void)
{
    uint64_t base = msr_read(MSR_APIC_BASE);

    msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    if (!registers)
        msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
    apic_write(LOCAL_APIC_TPR, 0);
    apic_write(LOCAL_APIC_LVT_LINT0, LOCAL_APIC_LVT_MASKED);
    apic_write(LOCAL_APIC_LVT_LINT1, LOCAL_APIC_LVT_DELIVERY_NMI);
    apic_write(LOCAL_APIC_LVT_ERROR, VECTOR_APIC_ERROR);
    apic_write(LOCAL_APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    apic_write(LOCAL_APIC_LVT_TIMER, VECTOR_TIMER);
    apic_write(LOCAL_APIC_SVR, LOCAL_APIC_SVR_ENABLE | VECTOR_SPURIOUS);
}

uint32_t apic_current_id(void)
{
    uint32_t id = apic_read(LOCAL_APIC_ID);

    return registers ? id >> XAPIC_ID_SHIFT : id;
}

void apic_end_of_interrupt(void)
{
    apic_write(LOCAL_APIC_EOI, 0);
}

// The task priority stays what it is; written, it makes the controller compare all requests with it.
void apic_look_again(void)
{
    apic_write(LOCAL_APIC_TPR, 0);
}

static void send(uint32_t apic_id, uint32_t command)
{
    if (!registers) {
        // The write of a register is no barrier for memory in this mode; pairs with what the
        // receiver reads.
        __asm__ volatile("mfence\n\tlfence" : : : "memory");
        msr_write(MSR_X2APIC_BASE + LOCAL_APIC_ICR_LOW / 16, (uint64_t)apic_id << 32 | command);
        return;
    }
    for (uint32_t i = 0;
         i < DELIVERY_LOOPS && (apic_read(LOCAL_APIC_ICR_LOW) & LOCAL_APIC_ICR_BUSY); i++)
        __asm__ volatile("pause");
    apic_write(LOCAL_APIC_ICR_HIGH, apic_id << XAPIC_ID_SHIFT);
    apic_write(LOCAL_APIC_ICR_LOW, command);
}

void apic_send_ipi(uint32_t apic_id, uint8_t vector)
{
    send(apic_id, LOCAL_APIC_ICR_ASSERT | vector);
}

void apic_send_nmi(uint32_t apic_id)
{
    send(apic_id, LOCAL_APIC_ICR_ASSERT | ICR_MODE(LOCAL_APIC_DELIVERY_NMI));
}

void apic_send_init(uint32_t apic_id)
{
    send(apic_id, LOCAL_APIC_ICR_ASSERT | ICR_MODE(LOCAL_APIC_DELIVERY_INIT));
}

void apic_send_startup(uint32_t apic_id, uint8_t page)
{
    send(apic_id, LOCAL_APIC_ICR_ASSERT | ICR_MODE(LOCAL_APIC_DELIVERY_STARTUP) | page);
}

void apic_timer_start(uint32_t count)
{
    apic_write(LOCAL_APIC_TIMER_INITIAL, count);
}

uint32_t apic_timer_current(void)
{
    return apic_read(LOCAL_APIC_TIMER_CURRENT);
}

void apic_timer_use_tsc_deadline(void)
{
    apic_write(LOCAL_APIC_LVT_TIMER, LOCAL_APIC_LVT_TIMER_DEADLINE | VECTOR_TIMER);
    // The mode must be in place before the first deadline; in xAPIC mode it is a store to memory.
    __asm__ volatile("mfence" : : : "memory");
}

void apic_timer_set_tsc_deadline(uint64_t tsc)
{
    msr_write(MSR_TSC_DEADLINE, tsc);
}
