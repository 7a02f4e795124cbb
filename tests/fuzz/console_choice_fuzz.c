// What the command line, the items and the tables say of the console is any bytes; what is accepted
// must be a place where a UART can be. The input: an item, both serial ports, then the option.
#include "kernel/arch/x86_64/portable/console_choice.h"

#include "kernel/memory/boot_memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t take(const uint8_t *data, size_t size, size_t at, void *out, size_t out_bytes)
{
    if (size - at < out_bytes)
        return size;
    memcpy(out, data + at, out_bytes);
    return at + out_bytes;
}

static uint64_t get(const uint8_t *bytes, size_t size_bytes)
{
    uint64_t value = 0;

    memcpy(&value, bytes, size_bytes);
    return value;
}

static struct acpi_serial_port make_port(const uint8_t bytes[32])
{
    return (struct acpi_serial_port){
        .is_named = true,
        .interface = bytes[0] & 0x1f,
        .registers = {.space = bytes[1] & 3,
                      .width_bits = bytes[2],
                      .access = bytes[3] & 7,
                      .address = get(bytes + 8, 8)},
        .has_isa_irq = bytes[4] & 1,
        .has_irq = bytes[4] & 2,
        .isa_irq = bytes[5],
        .irq = (uint32_t)get(bytes + 16, 4),
        .baud_code = bytes[6],
    };
}

static void check(const struct console_sources *sources, enum console_source source)
{
    struct console_uart uart = {0};
    const char *reason = NULL;
    enum console_verdict verdict = console_source_read(sources, source, &uart, &reason);

    if ((verdict == CONSOLE_REFUSED) != (reason != NULL))
        abort();
    if (verdict != CONSOLE_FOUND)
        return;
    uint64_t end = uart.base + (uint64_t)CONSOLE_REGISTERS * uart.stride_bytes;
    if (end <= uart.base || end > (uart.is_memory ? sources->address_limit : 0x10000))
        abort();
    if ((uart.stride_bytes != 1 && uart.stride_bytes != 4) ||
        (uart.access_bytes != 1 && uart.access_bytes != 4) || uart.base % uart.access_bytes != 0)
        abort();
    if (uart.is_memory && boot_memory_touches_memory(uart.base, end - uart.base))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct acpi_machine acpi;
    struct zbi_debug_uart item = {0};
    uint8_t console[32] = {0}, debug_port[32] = {0};
    char option[128] = "";

    boot_memory_add_ram(0x100000, 0x7ff00000);
    boot_memory_add_ram(0x100000000, 0x80000000);
    size_t at = take(data, size, 0, &item, sizeof(item));
    at = take(data, size, at, console, sizeof(console));
    at = take(data, size, at, debug_port, sizeof(debug_port));
    size_t option_bytes = size - at < sizeof(option) ? size - at : sizeof(option) - 1;
    if (option_bytes != 0)
        memcpy(option, data + at, option_bytes);
    acpi.console = make_port(console);
    acpi.debug_port = make_port(debug_port);
    const struct console_sources sources = {
        .option = option, .item = &item, .acpi = &acpi, .address_limit = (uint64_t)1 << 40};
    for (unsigned source = 0; source < CONSOLE_SOURCE_COUNT; source++)
        check(&sources, (enum console_source)source);
    return 0;
}
