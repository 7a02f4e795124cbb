// Message-signalled interrupts: which of the ways there is. messages_mutex is held while one is
// taken or given back.
#include "kernel/arch/arm64/message_interrupts.h"

#include <arch/interrupts.h>

#include "kernel/arch/arm64/boot.h"
#include "kernel/core/cpu.h"
#include "kernel/core/log.h"
#include "kernel/core/mutex.h"

static const struct message_ops *messages; // NULL: none
static struct mutex messages_mutex;

void message_interrupts_init(void)
{
    const struct machine *machine = boot_machine();
    const struct message_ops *found = NULL;
    const char *why = "";

    if (machine->gic == MACHINE_GIC_V3 && machine->its.size_bytes != 0)
        found = &gic_its;
    else if (machine->gic == MACHINE_GIC_V2 && machine->v2m.size_bytes != 0)
        found = &gic_v2m;
    if (found == NULL || machine->pci_count == 0)
        return;
    if (found->init(machine, arm64_current_cpu(), &why))
        messages = found;
    else
        log_print("no message-signalled interrupts: %s: %s", found->name, why);
}

mx_status_t arch_interrupt_take_message(uint32_t requester, uint32_t *irq,
                                        struct mx_interrupt_message *message)
{
    if (messages == NULL)
        return MX_ERR_NOT_SUPPORTED;
    mutex_lock(&messages_mutex);
    mx_status_t status = messages->take(requester, irq, message);
    mutex_unlock(&messages_mutex);
    return status;
}

void arch_interrupt_free_message(uint32_t irq)
{
    mutex_lock(&messages_mutex);
    messages->free(irq);
    mutex_unlock(&messages_mutex);
}
