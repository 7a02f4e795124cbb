// Interrupts: which controller, and what each number means. Global interrupt N of the contract is
// INTID N, an SPI; all go to the boot CPU. spi_lock protects the distributor's registers that
// several interrupts share.
#include "kernel/arch/arm64/interrupts.h"

#include <arch/interrupts.h>

#include "kernel/arch/arm64/boot.h"
#include "kernel/arch/arm64/frame.h"
#include "kernel/arch/arm64/gic.h"
#include "kernel/arch/arm64/message_interrupts.h"
#include "kernel/arch/arm64/regs/gic.h"
#include "kernel/core/cpu.h"
#include "kernel/core/log.h"
#include "kernel/object/interrupt.h"

void arm64_handle_interrupt(const struct arm64_frame *frame);

const struct gic_ops *gic;

static struct spinlock spi_lock;
static void (*private_handlers[GIC_INTID_SPI_BASE])(void);

static const struct gic_ops *const controllers[] = {
    [MACHINE_GIC_NONE] = NULL,
    [MACHINE_GIC_V2] = &gic_v2,
    [MACHINE_GIC_V3] = &gic_v3,
};

void interrupts_init(void)
{
    const struct gic_ops *found = controllers[boot_machine()->gic];
    const char *why = "firmware describes no interrupt controller that Machina knows";

    if (!found || !found->init(boot_machine(), &why))
        panic("%s", why);
    gic = found;
}

void interrupts_set_private(uint32_t intid, void (*handle)(void))
{
    if (intid >= GIC_INTID_PPI_BASE && intid < GIC_INTID_SPI_BASE)
        private_handlers[intid] = handle;
}

void interrupts_init_cpu(void)
{
    if (!gic->init_cpu(arm64_current_cpu()))
        panic("%s has no interface for CPU %u", gic->name, arch_current_cpu()->index);
    for (uint32_t intid = GIC_INTID_PPI_BASE; intid < GIC_INTID_SPI_BASE; intid++) {
        if (private_handlers[intid])
            gic->set_enabled(intid, true);
    }
    if (arch_current_cpu()->index == 0)
        message_interrupts_init();
}

uint32_t arch_interrupt_count(void)
{
    return gic_intid_count;
}

static void configure(uint32_t intid, bool is_edge)
{
    arch_interrupt_state_t state = spin_lock(&spi_lock);

    gic->set_enabled(intid, false);
    gic->configure(intid, is_edge, &arm64_cpus[0]);
    spin_unlock(&spi_lock, state);
}

mx_status_t arch_interrupt_configure(uint32_t irq)
{
    if (irq < GIC_INTID_SPI_BASE || irq >= gic_intid_count)
        return MX_ERR_OUT_OF_RANGE;
    configure(irq, machine_intid_is_edge(boot_machine(), irq));
    return MX_OK;
}

void interrupts_configure_edge(uint32_t intid)
{
    configure(intid, true);
}

// Messages stay enabled: each comes once for each time that it was sent, and is nobody's to hold
// up.
void arch_interrupt_mask(uint32_t irq)
{
    if (!message_interrupts_has(irq))
        gic->set_enabled(irq, false);
}

void arch_interrupt_unmask(uint32_t irq)
{
    if (!message_interrupts_has(irq))
        gic->set_enabled(irq, true);
}

mx_status_t arch_port_read(uint32_t port, uint32_t width_bytes, uint32_t *value)
{
    (void)port, (void)width_bytes, (void)value;
    return MX_ERR_NOT_SUPPORTED;
}

mx_status_t arch_port_write(uint32_t port, uint32_t width_bytes, uint32_t value)
{
    (void)port, (void)width_bytes, (void)value;
    return MX_ERR_NOT_SUPPORTED;
}

// --- delivery
// ---------------------------------------------------------------------------------------------

static void handle_sgi(uint32_t sgi)
{
    arch_current_cpu()->stats.ipis++;
    if (sgi == SGI_CALL)
        cpu_handle_call();
    else if (sgi == SGI_STOP)
        arch_cpu_halt();
    // SGI_RESCHEDULE: needs_reschedule is looked at on the way out
}

void arm64_handle_interrupt(const struct arm64_frame *frame)
{
    uint32_t acknowledged = gic->acknowledge(), intid = acknowledged & GIC_IAR_INTID_MASK;

    (void)frame;
    arch_current_cpu()->stats.interrupts++;
    if (acknowledged >= GIC_INTID_LPI_BASE) {
        gic->end(acknowledged);
        interrupt_dispatch(acknowledged - GIC_INTID_LPI_BASE + LPI_IRQ_BASE);
        return;
    }
    if (intid >= GIC_INTID_SPI_END) // nothing is pending any more
        return;
    if (intid >= GIC_INTID_SPI_BASE)
        arch_interrupt_mask(intid);
    gic->end(acknowledged);
    if (intid < GIC_INTID_PPI_BASE)
        handle_sgi(intid);
    else if (intid >= GIC_INTID_SPI_BASE)
        interrupt_dispatch(intid);
    else if (private_handlers[intid])
        private_handlers[intid]();
}
