// The first console: a PL011 driven by polling, as firmware has set it up (DDI 0183G, chapter 3).
#include "kernel/arch/arm64/console.h"

#include <arch/console.h>
#include <arch/mmu.h>

#include "kernel/arch/arm64/regs/mmio.h"
#include "kernel/arch/arm64/regs/pl011.h"

// More than a character takes at 115200 baud, and not for ever.
#define WAIT_LOOPS 100000

static volatile void *uart;
static struct mx_info_console place = {.resource_kind = MX_RESOURCE_ROOT};

bool console_init(paddr_t base, uint32_t intid)
{
    uart = arch_map_device(base, PL011_SIZE);
    if (uart)
        place = (struct mx_info_console){.resource_kind = MX_RESOURCE_MMIO,
                                         .irq = intid,
                                         .base = base.raw,
                                         .size_bytes = PL011_SIZE};
    return uart != NULL;
}

void arch_console_describe(struct mx_info_console *out)
{
    *out = place;
}

static void write_byte(uint8_t byte)
{
    for (uint32_t i = 0; i < WAIT_LOOPS && (mmio_read32(uart, PL011_FR) & PL011_FR_TXFF); i++)
        continue;
    mmio_write32(uart, PL011_DR, byte);
}

void arch_console_write(const char *text, size_t size_bytes)
{
    for (size_t i = 0; uart && i < size_bytes; i++) {
        if (text[i] == '\n')
            write_byte('\r');
        write_byte((uint8_t)text[i]);
    }
}
