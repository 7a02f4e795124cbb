// Console, interrupts and power of the host port; see host.h.

#include "kernel/arch/host/host_cpu.h"

#include <arch/console.h>
#include <arch/interrupts.h>
#include <arch/mmu.h>
#include <arch/pci.h>
#include <arch/power.h>

#include <string.h>

#include "kernel/arch/host/host_firmware.h"
#include "kernel/arch/host/host_interrupts.h"
#include "kernel/core/log.h"
#include "kernel/memory/phys.h"
#include "kernel/object/interrupt.h"

#define CONSOLE_BYTES ((size_t)64 << 10)
#define IRQ_COUNT     64
#define MESSAGE_BASE  60  // of IRQ_COUNT, the last are messages
#define PCI_PAGES     512 // two buses
#define PCI_WORDS     (PAGE_SIZE / sizeof(uint32_t))

static char console[CONSOLE_BYTES + 1];
static size_t console_used;
static uint32_t power_action;

struct host_irq {
    bool is_unmasked, is_raised;
    bool is_taken; // a message
};
static struct host_irq irqs[IRQ_COUNT];

void arch_console_write(const char *text, size_t size_bytes)
{
    if (size_bytes > CONSOLE_BYTES - console_used)
        console_used = 0;
    if (size_bytes > CONSOLE_BYTES)
        size_bytes = CONSOLE_BYTES;
    memcpy(console + console_used, text, size_bytes);
    console_used += size_bytes;
}

void arch_console_describe(struct mx_info_console *out)
{
    *out = (struct mx_info_console){.resource_kind = MX_RESOURCE_ROOT};
}

const char *host_take_console_text(void)
{
    console[console_used] = '\0';
    console_used = 0;
    return console;
}

// --- interrupts
// -----------------------------------------------------------------------------------

uint32_t arch_interrupt_count(void)
{
    return IRQ_COUNT;
}

mx_status_t arch_interrupt_configure(uint32_t irq)
{
    if (irq >= IRQ_COUNT)
        return MX_ERR_OUT_OF_RANGE;
    if (irq >= MESSAGE_BASE)
        return MX_ERR_OUT_OF_RANGE;
    irqs[irq] = (struct host_irq){.is_unmasked = false};
    return MX_OK;
}

void arch_interrupt_mask(uint32_t irq)
{
    if (irq < IRQ_COUNT)
        irqs[irq].is_unmasked = false;
}

void arch_interrupt_unmask(uint32_t irq)
{
    irqs[irq].is_unmasked = true;
}

mx_status_t arch_interrupt_take_message(uint32_t requester, uint32_t *irq,
                                        struct mx_interrupt_message *message)
{
    for (uint32_t i = MESSAGE_BASE; i < IRQ_COUNT; i++) {
        if (irqs[i].is_taken)
            continue;
        irqs[i] = (struct host_irq){.is_taken = true};
        *irq = i;
        *message = (struct mx_interrupt_message){.address = requester, .data = i};
        return MX_OK;
    }
    return MX_ERR_NO_RESOURCES;
}

void arch_interrupt_free_message(uint32_t irq)
{
    irqs[irq] = (struct host_irq){.is_unmasked = false};
}

bool arch_pci_host(uint32_t index, struct mx_info_pci_host *out)
{
    if (index != 0)
        return false;
    *out = (struct mx_info_pci_host){.ecam_base = HOST_ECAM_BASE, .last_bus = 1};
    return true;
}

static struct {
    uint32_t words[PCI_WORDS];
} config_pages[PCI_PAGES];
static bool is_deaf_page[PCI_PAGES];

uint32_t *host_pci_config(uint32_t requester)
{
    ASSERT(requester < PCI_PAGES);
    return config_pages[requester].words;
}

void host_pci_make_deaf(uint32_t requester, bool is_deaf)
{
    ASSERT(requester < PCI_PAGES);
    is_deaf_page[requester] = is_deaf;
}

uint32_t arch_pci_read(const volatile void *config, uint32_t offset)
{
    return ((const volatile uint32_t *)config)[offset / 4];
}

void arch_pci_write(volatile void *config, uint32_t offset, uint32_t value)
{
    size_t page = (size_t)((volatile char *)config - (volatile char *)config_pages) / PAGE_SIZE;

    if (!is_deaf_page[page])
        ((volatile uint32_t *)config)[offset / 4] = value;
}

volatile void *arch_map_device(paddr_t address, uint64_t size_bytes)
{
    uint64_t offset = address.raw - HOST_ECAM_BASE;

    return range_is_within(offset, size_bytes, sizeof(config_pages)) ? (char *)config_pages + offset
                                                                     : NULL;
}

bool host_interrupt_is_masked(uint32_t irq)
{
    return !irqs[irq].is_unmasked;
}

bool host_raise_interrupt(uint32_t irq)
{
    if (!irqs[irq].is_unmasked)
        return false;
    irqs[irq].is_raised = true;
    return true;
}

bool host_interrupt_is_pending(void)
{
    for (uint32_t i = 0; i < IRQ_COUNT; i++) {
        if (irqs[i].is_raised && irqs[i].is_unmasked)
            return true;
    }
    return false;
}

void host_dispatch_interrupt(void)
{
    for (uint32_t i = 0; i < IRQ_COUNT; i++) {
        if (irqs[i].is_raised && irqs[i].is_unmasked) {
            irqs[i].is_unmasked = irqs[i].is_raised = false;
            interrupt_dispatch(i);
            return;
        }
    }
}

mx_status_t arch_port_read(uint32_t port, uint32_t width_bytes, uint32_t *value)
{
    (void)port;
    (void)width_bytes;
    (void)value;
    return MX_ERR_NOT_SUPPORTED;
}

mx_status_t arch_port_write(uint32_t port, uint32_t width_bytes, uint32_t value)
{
    (void)port;
    (void)width_bytes;
    (void)value;
    return MX_ERR_NOT_SUPPORTED;
}

// --- power
// ------------------------------------------------------------------------------------------

void arch_power_off(void)
{
    power_action = MX_POWER_OFF;
    host_note_power_way("tables");
}

void arch_reboot(void)
{
    power_action = MX_POWER_REBOOT;
    host_note_power_way("tables");
}

void arch_reboot_by_force(void)
{
    host_note_power_way("force");
}

uint32_t host_take_power_action(void)
{
    uint32_t action = power_action;

    power_action = 0;
    return action;
}
