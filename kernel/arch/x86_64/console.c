// The first console: an 8250 driven by polling (PC16550D data sheet, "Registers"). Until the
// machine is known it is the first serial port, COM1; console_choose() then goes by
// portable/console_choice.h.
#include "kernel/arch/x86_64/console.h"

#include <arch/console.h>
#include <arch/mmu.h>

#include "kernel/arch/x86_64/acpi.h"
#include "kernel/arch/x86_64/regs/cpuid.h"
#include "kernel/arch/x86_64/regs/io.h"
#include "kernel/core/log.h"

#define UART_DATA             0
#define UART_DIVISOR_LOW      0 // while LCR.DLAB is set
#define UART_IER              1
#define UART_DIVISOR_HIGH     1
#define UART_FCR              2
#define UART_LCR              3
#define UART_MCR              4
#define UART_LSR              5
#define UART_SCRATCH          7
#define UART_FCR_ENABLE_CLEAR 0x07
#define UART_LCR_8N1          0x03
#define UART_LCR_DLAB         0x80
#define UART_MCR_DTR_RTS_OUT2 0x0b
#define UART_LSR_THRE         0x20
#define UART_NO_DEVICE        0xff

// More than one character takes at 115200 baud, and not for ever.
#define WAIT_LOOPS 100000

// A UART whose registers can be reached.
struct port {
    struct console_uart uart;
    volatile uint8_t *registers; // if they are in memory
};

static struct port console = {.uart = {.base = CONSOLE_COM1_PORT,
                                       .irq = CONSOLE_COM1_IRQ,
                                       .stride_bytes = 1,
                                       .access_bytes = 1,
                                       .divisor = 1}};
static bool has_console = true;

static uint8_t port_read(const struct port *port, unsigned number)
{
    size_t offset = (size_t)number * port->uart.stride_bytes;

    if (!port->uart.is_memory)
        return io_read8((uint16_t)(port->uart.base + offset));
    if (port->uart.access_bytes == 4)
        return (uint8_t) * (volatile uint32_t *)(port->registers + offset);
    return port->registers[offset];
}

static void port_write(const struct port *port, unsigned number, uint8_t value)
{
    size_t offset = (size_t)number * port->uart.stride_bytes;

    if (!port->uart.is_memory)
        io_write8((uint16_t)(port->uart.base + offset), value);
    else if (port->uart.access_bytes == 4)
        *(volatile uint32_t *)(port->registers + offset) = value;
    else
        port->registers[offset] = value;
}

void console_init(void)
{
    port_write(&console, UART_IER, 0);
    if (console.uart.divisor != 0) {
        port_write(&console, UART_LCR, UART_LCR_DLAB);
        port_write(&console, UART_DIVISOR_LOW, (uint8_t)console.uart.divisor);
        port_write(&console, UART_DIVISOR_HIGH, (uint8_t)(console.uart.divisor >> 8));
    }
    port_write(&console, UART_LCR, UART_LCR_8N1);
    port_write(&console, UART_FCR, UART_FCR_ENABLE_CLEAR);
    port_write(&console, UART_MCR, UART_MCR_DTR_RTS_OUT2);
}

// --- the choice ---------------------------------------------------------------------------------

static bool answers(const struct port *port)
{
    port_write(port, UART_SCRATCH, 0x5a);
    if (port_read(port, UART_SCRATCH) != 0x5a)
        return false;
    port_write(port, UART_SCRATCH, 0xa5);
    return port_read(port, UART_SCRATCH) == 0xa5;
}

// Makes it the console. Returns NULL, or why not.
static const char *use(const struct console_uart *uart, enum console_source source)
{
    struct port port = {.uart = *uart};

    if (uart->is_memory) {
        port.registers =
            arch_map_device(PADDR(uart->base), (uint64_t)CONSOLE_REGISTERS * uart->stride_bytes);
        if (!port.registers)
            return "there is no room to map its registers";
    }
    // After the last source there is no other.
    if (source != CONSOLE_BY_DEFAULT && !answers(&port))
        return "no UART answers there";
    console = port;
    console_init();
    return NULL;
}

// Whether the source decides; if not, *reason is NULL or why it could not.
static bool try_source(const struct console_sources *sources, enum console_source source,
                       const char **reason)
{
    struct console_uart uart;

    *reason = NULL;
    switch (console_source_read(sources, source, &uart, reason)) {
    case CONSOLE_FOUND:
        *reason = use(&uart, source);
        return !*reason;
    case CONSOLE_NONE:
        has_console = false;
        return true;
    case CONSOLE_NOT_TOLD:
    case CONSOLE_REFUSED:
        break;
    }
    return false;
}

// Told on the console that is taken in the end.
static void log_choice(const char *const *reasons, unsigned chosen)
{
    for (unsigned i = 0; i < chosen; i++) {
        if (reasons[i])
            log_print("the console by %s is not used: %s",
                      console_source_name((enum console_source)i), reasons[i]);
    }
    if (chosen != CONSOLE_BY_DEFAULT && has_console)
        log_print("console: 8250 at %s 0x%lx, by %s", console.uart.is_memory ? "address" : "port",
                  (unsigned long)console.uart.base,
                  console_source_name((enum console_source)chosen));
}

void console_choose(const char *option, const struct zbi_debug_uart *item)
{
    const char *reasons[CONSOLE_SOURCE_COUNT];
    struct console_sources sources = {.option = option, .item = item, .acpi = acpi_machine()};
    unsigned source = 0;

    sources.address_limit = (uint64_t)1 << cpuid_physical_address_bits();
    while (!try_source(&sources, (enum console_source)source, &reasons[source]) &&
           source < CONSOLE_BY_DEFAULT)
        source++;
    log_choice(reasons, source);
}

// --- the contract -------------------------------------------------------------------------------

void arch_console_describe(struct mx_info_console *out)
{
    *out = (struct mx_info_console){
        .resource_kind = console.uart.is_memory ? MX_RESOURCE_MMIO : MX_RESOURCE_IOPORT,
        .irq = console.uart.irq,
        .base = console.uart.base,
        .size_bytes = (uint64_t)CONSOLE_REGISTERS * console.uart.stride_bytes,
        .stride_bytes = console.uart.stride_bytes,
        .access_bytes = console.uart.access_bytes,
    };
    if (!has_console)
        *out = (struct mx_info_console){.resource_kind = MX_RESOURCE_ROOT};
}
_Static_assert(CONSOLE_NO_IRQ == MX_CONSOLE_NO_IRQ, "passed on as it is");

static void write_byte(uint8_t byte)
{
    for (uint32_t i = 0; i < WAIT_LOOPS; i++) {
        uint8_t status = port_read(&console, UART_LSR);
        if (status == UART_NO_DEVICE)
            return;
        if (status & UART_LSR_THRE)
            break;
    }
    port_write(&console, UART_DATA, byte);
}

void arch_console_write(const char *text, size_t size_bytes)
{
    for (size_t i = 0; has_console && i < size_bytes; i++) {
        if (text[i] == '\n')
            write_byte('\r');
        write_byte((uint8_t)text[i]);
    }
}
