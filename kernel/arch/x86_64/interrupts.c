// External interrupts: the IOAPICs (82093AA data sheet), addressed by global interrupt number as
// the ACPI tables assign them, and the interrupts that CPUs send each other.
//
// Global interrupt N has vector VECTOR_EXTERNAL_BASE + N and goes to the boot CPU. ioapic_lock
// protects the index registers.
#include "kernel/arch/x86_64/interrupts.h"

#include <arch/interrupts.h>
#include <arch/mmu.h>

#include "kernel/arch/x86_64/acpi.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/frame.h"
#include "kernel/arch/x86_64/regs/io.h"
#include "kernel/arch/x86_64/regs/ioapic.h"
#include "kernel/arch/x86_64/regs/segments.h"
#include "kernel/arch/x86_64/tlb.h"
#include "kernel/core/cpu.h"
#include "kernel/core/log.h"
#include "kernel/core/timer.h"
#include "kernel/object/interrupt.h"

#define ISA_IRQ_COUNT 16
#define IRQ_COUNT_MAX (VECTOR_EXTERNAL_END - VECTOR_EXTERNAL_BASE)

struct ioapic {
    volatile uint32_t *registers;
    uint32_t irq_base, pin_count;
};

static struct ioapic ioapics[ACPI_IOAPIC_MAX];
static uint32_t ioapic_count;
static uint32_t irq_count;
static struct spinlock ioapic_lock;

static uint32_t ioapic_read(const struct ioapic *ioapic, uint32_t index)
{
    ioapic->registers[IOAPIC_INDEX / 4] = index;
    return ioapic->registers[IOAPIC_DATA / 4];
}

static void ioapic_write(const struct ioapic *ioapic, uint32_t index, uint32_t value)
{
    ioapic->registers[IOAPIC_INDEX / 4] = index;
    ioapic->registers[IOAPIC_DATA / 4] = value;
}

static void ioapic_add(const struct acpi_ioapic *described)
{
    struct ioapic *ioapic = &ioapics[ioapic_count];
    uint32_t version;

    ioapic->registers = arch_map_device(PADDR(described->address), IOAPIC_REGISTERS_SIZE);
    if (!ioapic->registers)
        return;
    version = ioapic_read(ioapic, IOAPIC_VERSION);
    ioapic->irq_base = described->irq_base;
    ioapic->pin_count = (version >> IOAPIC_VERSION_LAST_SHIFT & IOAPIC_VERSION_LAST_MASK) + 1;
    for (uint32_t pin = 0; pin < ioapic->pin_count; pin++)
        ioapic_write(ioapic, IOAPIC_ENTRY_LOW(pin), IOAPIC_ENTRY_MASKED);
    if (ioapic->irq_base < IRQ_COUNT_MAX && irq_count < ioapic->irq_base + ioapic->pin_count)
        irq_count = ioapic->irq_base + ioapic->pin_count;
    if (irq_count > IRQ_COUNT_MAX)
        irq_count = IRQ_COUNT_MAX;
    ioapic_count++;
}

// They are told other vectors than exceptions first, for the spurious interrupts that even a masked
// pair can deliver.
static void pic_mask(void)
{
    io_write8(PIC_MASTER_COMMAND, PIC_ICW1_INIT_ICW4);
    io_write8(PIC_SLAVE_COMMAND, PIC_ICW1_INIT_ICW4);
    io_write8(PIC_MASTER_DATA, VECTOR_PIC_BASE);
    io_write8(PIC_SLAVE_DATA, VECTOR_PIC_BASE + 8);
    io_write8(PIC_MASTER_DATA, PIC_ICW3_MASTER);
    io_write8(PIC_SLAVE_DATA, PIC_ICW3_SLAVE);
    io_write8(PIC_MASTER_DATA, PIC_ICW4_8086);
    io_write8(PIC_SLAVE_DATA, PIC_ICW4_8086);
    io_write8(PIC_MASTER_DATA, PIC_MASK_ALL);
    io_write8(PIC_SLAVE_DATA, PIC_MASK_ALL);
}

void interrupts_init(void)
{
    const struct acpi_machine *machine = acpi_machine();

    pic_mask();
    for (uint32_t i = 0; i < machine->ioapic_count; i++)
        ioapic_add(&machine->ioapics[i]);
}

uint32_t arch_interrupt_count(void)
{
    return irq_count;
}

static const struct ioapic *find_ioapic(uint32_t irq)
{
    for (uint32_t i = 0; i < ioapic_count; i++) {
        if (irq >= ioapics[i].irq_base && irq - ioapics[i].irq_base < ioapics[i].pin_count)
            return &ioapics[i];
    }
    return NULL;
}

// Trigger and polarity: as an override says; else ISA interrupts are edge and active high, PCI's
// level and active low.
static uint32_t entry_mode(uint32_t irq)
{
    const struct acpi_machine *machine = acpi_machine();

    for (uint32_t i = 0; i < machine->override_count; i++) {
        const struct acpi_override *o = &machine->overrides[i];
        if (o->irq == irq)
            return (o->is_level ? IOAPIC_ENTRY_LEVEL : 0) |
                   (o->is_active_low ? IOAPIC_ENTRY_ACTIVE_LOW : 0);
    }
    return irq < ISA_IRQ_COUNT ? 0 : IOAPIC_ENTRY_LEVEL | IOAPIC_ENTRY_ACTIVE_LOW;
}

mx_status_t arch_interrupt_configure(uint32_t irq)
{
    const struct ioapic *ioapic = find_ioapic(irq);
    arch_interrupt_state_t state;
    uint32_t pin;

    if (irq >= irq_count || !ioapic)
        return MX_ERR_OUT_OF_RANGE;
    pin = irq - ioapic->irq_base;
    state = spin_lock(&ioapic_lock);
    ioapic_write(ioapic, IOAPIC_ENTRY_HIGH(pin),
                 x86_cpus[0].apic_id << IOAPIC_ENTRY_DESTINATION_SHIFT);
    ioapic_write(ioapic, IOAPIC_ENTRY_LOW(pin),
                 IOAPIC_ENTRY_MASKED | entry_mode(irq) | (VECTOR_EXTERNAL_BASE + irq));
    spin_unlock(&ioapic_lock, state);
    return MX_OK;
}

static void set_masked(uint32_t irq, bool is_masked)
{
    const struct ioapic *ioapic = find_ioapic(irq);
    arch_interrupt_state_t state;
    uint32_t index, entry;

    if (!ioapic)
        return;
    index = IOAPIC_ENTRY_LOW(irq - ioapic->irq_base);
    state = spin_lock(&ioapic_lock);
    entry = ioapic_read(ioapic, index);
    entry = is_masked ? entry | IOAPIC_ENTRY_MASKED : entry & ~(uint32_t)IOAPIC_ENTRY_MASKED;
    ioapic_write(ioapic, index, entry);
    spin_unlock(&ioapic_lock, state);
}

void arch_interrupt_mask(uint32_t irq)
{
    set_masked(irq, true);
}

void arch_interrupt_unmask(uint32_t irq)
{
    set_masked(irq, false);
}

mx_status_t arch_port_read(uint32_t port, uint32_t width_bytes, uint32_t *value)
{
    uint16_t address = (uint16_t)port;

    switch (width_bytes) {
    case 1:
        *value = io_read8(address);
        return MX_OK;
    case 2:
        *value = io_read16(address);
        return MX_OK;
    case 4:
        *value = io_read32(address);
        return MX_OK;
    default:
        return MX_ERR_INVALID_ARGS;
    }
}

mx_status_t arch_port_write(uint32_t port, uint32_t width_bytes, uint32_t value)
{
    uint16_t address = (uint16_t)port;

    switch (width_bytes) {
    case 1:
        io_write8(address, (uint8_t)value);
        return MX_OK;
    case 2:
        io_write16(address, (uint16_t)value);
        return MX_OK;
    case 4:
        io_write32(address, value);
        return MX_OK;
    default:
        return MX_ERR_INVALID_ARGS;
    }
}

// --- delivery
// -----------------------------------------------------------------------------------------

static void handle_external(uint32_t irq)
{
    arch_interrupt_mask(irq);
    apic_end_of_interrupt();
    interrupt_dispatch(irq);
}

void interrupts_handle(const struct x86_frame *frame)
{
    struct mx_info_cpu *stats = &arch_current_cpu()->stats;

    stats->interrupts++;
    switch (frame->vector) {
    case VECTOR_TIMER:
        stats->timer_interrupts++;
        apic_end_of_interrupt();
        timer_interrupt();
        break;
    case VECTOR_RESCHEDULE: // needs_reschedule is looked at on the way out
        stats->ipis++;
        apic_end_of_interrupt();
        break;
    case VECTOR_CALL:
        stats->ipis++;
        apic_end_of_interrupt();
        cpu_handle_call();
        break;
    case VECTOR_TLB:
        stats->ipis++;
        apic_end_of_interrupt();
        tlb_handle_requests();
        break;
    case VECTOR_APIC_ERROR:
        apic_end_of_interrupt();
        break;
    case VECTOR_SPURIOUS: // needs no acknowledgement
        break;
    default:
        if (frame->vector >= VECTOR_EXTERNAL_BASE && frame->vector < VECTOR_EXTERNAL_END)
            handle_external((uint32_t)(frame->vector - VECTOR_EXTERNAL_BASE));
        break;
    }
}
