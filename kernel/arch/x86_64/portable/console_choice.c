// The choice of a PC's console; see console_choice.h.
#include "kernel/arch/x86_64/portable/console_choice.h"

#include <limits.h>
#include <string.h>

#include "boot/boot_option.h"
#include "kernel/lib/types.h"
#include "kernel/memory/boot_memory.h"

#define ISA_IRQ_COUNT   16
#define ISA_IRQ_CASCADE 2
#define PORT_END        0x10000u
#define DIVISOR_115200  1
#define PAGE_BYTES      4096
#define ECAM_BUS_BYTES  (UINT64_C(1) << 20)
#define HPET_BYTES      1024

#define OPTION_PARTS 3

static const char no_such_type[] = "it is not of a type that can be driven here (8250)";

// --- interrupts ---------------------------------------------------------------------------------

// An interrupt of the ISA bus as a global one (ACPI Specification 6.5, section 5.2.12.5). 0 is the
// timer's: who says that means none.
static uint32_t global_irq(const struct acpi_machine *acpi, uint32_t irq)
{
    if (irq == 0 || irq == ISA_IRQ_CASCADE)
        return CONSOLE_NO_IRQ;
    for (uint32_t i = 0; irq < ISA_IRQ_COUNT && i < acpi->override_count; i++) {
        if (acpi->overrides[i].isa_irq == irq)
            return acpi->overrides[i].irq;
    }
    return irq;
}

// Of the serial ports that every PC has at the same places.
static uint32_t usual_irq(const struct acpi_machine *acpi, uint64_t port)
{
    static const struct {
        uint16_t port;
        uint8_t irq;
    } usual[] = {{0x3f8, 4}, {0x2f8, 3}, {0x3e8, 4}, {0x2e8, 3}};

    for (size_t i = 0; i < ARRAY_COUNT(usual); i++) {
        if (usual[i].port == port)
            return global_irq(acpi, usual[i].irq);
    }
    return CONSOLE_NO_IRQ;
}

// --- the sources --------------------------------------------------------------------------------

static struct console_uart port_uart(uint64_t base, uint32_t irq)
{
    return (struct console_uart){
        .base = base, .irq = irq, .stride_bytes = 1, .access_bytes = 1, .divisor = DIVISOR_115200};
}

// Its clock is not known.
static struct console_uart memory_uart(uint64_t base, uint32_t irq, uint8_t register_bytes)
{
    return (struct console_uart){.is_memory = true,
                                 .base = base,
                                 .irq = irq,
                                 .stride_bytes = register_bytes,
                                 .access_bytes = register_bytes};
}

// UINT_MAX: none.
static unsigned digit_of(char character)
{
    if (character >= '0' && character <= '9')
        return (unsigned)(character - '0');
    if (character >= 'a' && character <= 'f')
        return (unsigned)(character - 'a') + 10;
    if (character >= 'A' && character <= 'F')
        return (unsigned)(character - 'A') + 10;
    return UINT_MAX;
}

// Decimal, or hexadecimal behind 0x.
static bool parse_number(const char *text, uint64_t *value)
{
    unsigned base = 10;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    *value = 0;
    if (*text == '\0')
        return false;
    for (; *text; text++) {
        unsigned digit = digit_of(*text);
        if (digit >= base || *value > (UINT64_MAX - digit) / base)
            return false;
        *value = *value * base + digit;
    }
    return true;
}

static enum console_verdict read_place(const struct acpi_machine *acpi, const char *const *parts,
                                       size_t count, struct console_uart *uart, const char **reason)
{
    uint64_t base, irq = 0;

    *reason = "it is not legacy, none, ioport,BASE[,IRQ], mmio,BASE[,IRQ] or mmio8,BASE[,IRQ]";
    if (count < 2 || !parse_number(parts[1], &base) ||
        (count == 3 && (!parse_number(parts[2], &irq) || irq >= CONSOLE_NO_IRQ)))
        return CONSOLE_REFUSED;
    if (strcmp(parts[0], "ioport") == 0)
        *uart = port_uart(base, global_irq(acpi, (uint32_t)irq));
    else if (strcmp(parts[0], "mmio") == 0)
        *uart = memory_uart(base, global_irq(acpi, (uint32_t)irq), 4);
    else if (strcmp(parts[0], "mmio8") == 0)
        *uart = memory_uart(base, global_irq(acpi, (uint32_t)irq), 1);
    else
        return CONSOLE_REFUSED;
    return CONSOLE_FOUND;
}

static enum console_verdict read_default(const struct console_sources *sources,
                                         struct console_uart *uart, const char **reason)
{
    (void)reason;
    *uart = port_uart(CONSOLE_COM1_PORT, global_irq(sources->acpi, CONSOLE_COM1_IRQ));
    return CONSOLE_FOUND;
}

static enum console_verdict read_option(const struct console_sources *sources,
                                        struct console_uart *uart, const char **reason)
{
    const char *parts[OPTION_PARTS];
    char text[CONSOLE_OPTION_SIZE];

    if (!sources->option)
        return CONSOLE_NOT_TOLD;
    *reason = "it is too long";
    size_t length = strnlen(sources->option, sizeof(text));
    if (length == sizeof(text))
        return CONSOLE_REFUSED;
    memcpy(text, sources->option, length + 1);
    size_t count = boot_option_split(text, parts, OPTION_PARTS);
    if (count == 1 && strcmp(parts[0], "none") == 0)
        return CONSOLE_NONE;
    if (count == 1 && strcmp(parts[0], "legacy") == 0)
        return read_default(sources, uart, reason);
    return read_place(sources->acpi, parts, count, uart, reason);
}

static enum console_verdict read_item(const struct console_sources *sources,
                                      struct console_uart *uart, const char **reason)
{
    const struct zbi_debug_uart *item = sources->item;
    uint32_t irq = global_irq(sources->acpi, item->irq);

    switch (item->type) {
    case ZBI_UART_NONE:
        return CONSOLE_NOT_TOLD;
    case ZBI_UART_PORT:
        *uart = port_uart(item->base, irq);
        return CONSOLE_FOUND;
    case ZBI_UART_MMIO:
        *uart = memory_uart(item->base, irq, 4);
        return CONSOLE_FOUND;
    case ZBI_UART_MMIO8:
        *uart = memory_uart(item->base, irq, 1);
        return CONSOLE_FOUND;
    default:
        *reason = no_such_type;
        return CONSOLE_REFUSED;
    }
}

// Width and access size as far as firmware fills them in; a register takes the larger of both.
static const char *read_memory_layout(const struct acpi_register *registers,
                                      struct console_uart *uart)
{
    bool is_wide = registers->width_bits == 32 || registers->access == ACPI_ACCESS_DWORD;

    if (registers->width_bits != 0 && registers->width_bits != 8 && registers->width_bits != 32)
        return "its registers have neither 8 nor 32 bits";
    if (registers->access != ACPI_ACCESS_UNDEFINED && registers->access != ACPI_ACCESS_BYTE &&
        registers->access != ACPI_ACCESS_DWORD)
        return "its registers are accessed neither by 8 nor by 32 bits";
    *uart = memory_uart(registers->address, CONSOLE_NO_IRQ, is_wide ? 4 : 1);
    if (registers->access == ACPI_ACCESS_BYTE)
        uart->access_bytes = 1;
    return NULL;
}

static uint16_t baud_divisor(uint8_t code)
{
    switch (code) {
    case ACPI_BAUD_AS_IT_IS:
        return 0;
    case ACPI_BAUD_9600:
        return 12;
    case ACPI_BAUD_19200:
        return 6;
    case ACPI_BAUD_57600:
        return 2;
    default:
        return DIVISOR_115200;
    }
}

static uint32_t port_irq(const struct acpi_machine *acpi, const struct acpi_serial_port *port)
{
    if (port->has_irq)
        return port->irq == 0 ? CONSOLE_NO_IRQ : port->irq;
    return port->has_isa_irq ? global_irq(acpi, port->isa_irq) : CONSOLE_NO_IRQ;
}

static enum console_verdict read_acpi(const struct acpi_serial_port *port,
                                      struct console_uart *uart, const char **reason)
{
    const struct acpi_register *registers = &port->registers;

    if (!port->is_named || registers->address == 0) // of no address: redirection is off
        return CONSOLE_NOT_TOLD;
    *reason = no_such_type;
    if (port->interface != ACPI_SERIAL_16550 && port->interface != ACPI_SERIAL_16550_DBGP &&
        port->interface != ACPI_SERIAL_16550_PLACED)
        return CONSOLE_REFUSED;
    *reason = NULL;
    if (registers->space == ACPI_SPACE_IO)
        *uart = port_uart(registers->address, CONSOLE_NO_IRQ);
    else if (registers->space == ACPI_SPACE_MEMORY)
        *reason = read_memory_layout(registers, uart);
    else
        *reason = "its registers are neither I/O ports nor memory";
    if (registers->space == ACPI_SPACE_IO && port->interface == ACPI_SERIAL_16550_PLACED &&
        registers->width_bits == 32)
        uart->stride_bytes = 4;
    return *reason ? CONSOLE_REFUSED : CONSOLE_FOUND;
}

static enum console_verdict read_spcr(const struct console_sources *sources,
                                      struct console_uart *uart, const char **reason)
{
    const struct acpi_serial_port *port = &sources->acpi->console;
    enum console_verdict verdict = read_acpi(port, uart, reason);

    if (verdict == CONSOLE_FOUND) {
        uart->irq = port_irq(sources->acpi, port);
        if (!uart->is_memory)
            uart->divisor = baud_divisor(port->baud_code);
    }
    return verdict;
}

static enum console_verdict read_dbg2(const struct console_sources *sources,
                                      struct console_uart *uart, const char **reason)
{
    enum console_verdict verdict = read_acpi(&sources->acpi->debug_port, uart, reason);

    if (verdict == CONSOLE_FOUND && !uart->is_memory)
        uart->irq = usual_irq(sources->acpi, uart->base);
    return verdict;
}

// --- what cannot be -----------------------------------------------------------------------------

struct range {
    uint64_t base, size_bytes;
};

static bool overlaps(struct range a, struct range b)
{
    return a.base < b.base ? b.base - a.base < a.size_bytes : a.base - b.base < b.size_bytes;
}

// The devices of the system board have the first 256 ports, PCI's configuration and the reset
// control register (which is within it) eight.
static const char *check_ports(const struct console_sources *sources, struct range range)
{
    const struct acpi_register *sleep[] = {&sources->acpi->pm1a_control,
                                           &sources->acpi->pm1b_control};

    if (!range_is_within(range.base, range.size_bytes, PORT_END))
        return "its ports are beyond 0xffff";
    if (range.base < 0x100 || overlaps(range, (struct range){0xcf8, 8}))
        return "its ports are those of another device";
    for (size_t i = 0; i < ARRAY_COUNT(sleep); i++) {
        if (sleep[i]->address != 0 && sleep[i]->space == ACPI_SPACE_IO &&
            overlaps(range, (struct range){sleep[i]->address, 2}))
            return "its ports are those of another device";
    }
    return NULL;
}

// Whole pages, as nobody else may have what is beside its registers in a page.
static bool is_of_another_device(const struct acpi_machine *acpi, struct range pages)
{
    bool is_taken = overlaps(pages, (struct range){acpi->local_apic_address, PAGE_BYTES});

    for (uint32_t i = 0; i < acpi->ioapic_count; i++)
        is_taken |= overlaps(pages, (struct range){acpi->ioapics[i].address, PAGE_BYTES});
    for (uint32_t i = 0; i < acpi->ecam_count; i++) {
        const struct acpi_ecam *ecam = &acpi->ecams[i];
        is_taken |= overlaps(
            pages, (struct range){ecam->base + ecam->first_bus * ECAM_BUS_BYTES,
                                  (ecam->last_bus - ecam->first_bus + 1u) * ECAM_BUS_BYTES});
    }
    if (acpi->hpet_address != 0)
        is_taken |= overlaps(pages, (struct range){acpi->hpet_address, HPET_BYTES});
    return is_taken;
}

static const char *check_memory(const struct console_sources *sources,
                                const struct console_uart *uart, struct range range)
{
    if (uart->base % uart->access_bytes != 0)
        return "its address is odd";
    if (!range_is_within(range.base, range.size_bytes, sources->address_limit))
        return "its address is beyond what the CPU reaches";
    struct range pages = {align_down(range.base, PAGE_BYTES), 0};
    pages.size_bytes = align_up(range.base - pages.base + range.size_bytes, PAGE_BYTES);
    if (boot_memory_touches_memory(pages.base, pages.size_bytes))
        return "its address is in RAM";
    return is_of_another_device(sources->acpi, pages) ? "its address is that of another device"
                                                      : NULL;
}

static const char *check(const struct console_sources *sources, const struct console_uart *uart)
{
    struct range range = {uart->base, (uint64_t)CONSOLE_REGISTERS * uart->stride_bytes};

    return uart->is_memory ? check_memory(sources, uart, range) : check_ports(sources, range);
}

// --- the choice ---------------------------------------------------------------------------------

static const struct {
    const char *name;
    enum console_verdict (*read)(const struct console_sources *sources, struct console_uart *uart,
                                 const char **reason);
} readers[CONSOLE_SOURCE_COUNT] = {
    [CONSOLE_BY_OPTION] = {"the option " CONSOLE_OPTION, read_option},
    [CONSOLE_BY_ITEM] = {"the boot items", read_item},
    [CONSOLE_BY_SPCR] = {"the ACPI table SPCR", read_spcr},
    [CONSOLE_BY_DBG2] = {"the ACPI table DBG2", read_dbg2},
    [CONSOLE_BY_DEFAULT] = {"nobody", read_default},
};

const char *console_source_name(enum console_source source)
{
    return readers[source].name;
}

enum console_verdict console_source_read(const struct console_sources *sources,
                                         enum console_source source, struct console_uart *uart,
                                         const char **reason)
{
    enum console_verdict verdict = readers[source].read(sources, uart, reason);

    if (verdict == CONSOLE_REFUSED)
        return verdict;
    *reason = NULL;
    if (verdict != CONSOLE_FOUND || source == CONSOLE_BY_DEFAULT)
        return verdict;
    *reason = check(sources, uart);
    return *reason ? CONSOLE_REFUSED : CONSOLE_FOUND;
}
