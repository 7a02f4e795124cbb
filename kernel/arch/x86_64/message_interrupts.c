// Message-signalled interrupts: what devices write to the local APIC of the boot CPU (Intel SDM
// Volume 3A, section "Message Signalled Interrupts"). Their global numbers, and so their vectors,
// are those that no I/O APIC has. messages_lock protects which are taken.
#include <arch/interrupts.h>

#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/regs/segments.h"
#include "kernel/core/spinlock.h"

#define MESSAGE_ADDRESS           0xfee00000u
#define MESSAGE_DESTINATION_SHIFT 12
#define MESSAGE_DESTINATION_MAX   0xffu // of physical destination mode

#define IRQ_END (VECTOR_EXTERNAL_END - VECTOR_EXTERNAL_BASE)

static struct spinlock messages_lock;
static bool is_taken[IRQ_END];

mx_status_t arch_interrupt_take_message(uint32_t requester, uint32_t *irq,
                                        struct mx_interrupt_message *message)
{
    mx_status_t status = MX_ERR_NO_RESOURCES;

    (void)requester; // counts only where interrupts are remapped
    if (x86_cpus[0].apic_id > MESSAGE_DESTINATION_MAX)
        return MX_ERR_NOT_SUPPORTED;
    arch_interrupt_state_t state = spin_lock(&messages_lock);
    for (uint32_t i = arch_interrupt_count(); i < IRQ_END && status != MX_OK; i++) {
        if (is_taken[i])
            continue;
        is_taken[i] = true;
        *irq = i;
        status = MX_OK;
    }
    spin_unlock(&messages_lock, state);
    if (status == MX_OK)
        *message = (struct mx_interrupt_message){
            .address = MESSAGE_ADDRESS | x86_cpus[0].apic_id << MESSAGE_DESTINATION_SHIFT,
            .data = VECTOR_EXTERNAL_BASE + *irq, // fixed delivery, edge
        };
    return status;
}

void arch_interrupt_free_message(uint32_t irq)
{
    arch_interrupt_state_t state = spin_lock(&messages_lock);
    is_taken[irq] = false;
    spin_unlock(&messages_lock, state);
}
