// Which UART is a PC's first console: the 8250 that the command line names, or the items that the
// kernel was started with, or the ACPI tables, in this order, and else the first serial port.
//
// What a source says is a wish: everything that cannot be, because there is no such address, or RAM
// or another device is there, comes back as a reason, and the next source is asked. Knows nothing
// of how the registers are reached. What is RAM, or firmware's memory, is known to boot_memory.h.
//
// Microsoft's "Serial Port Console Redirection Table", 1.10, and "Debug Port Table 2", 1.0; the
// option is as Zircon's kernel.serial.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "boot/zbi_items.h"
#include "kernel/lib/acpi_tables.h"

#define CONSOLE_OPTION      "kernel.serial"
#define CONSOLE_OPTION_SIZE 64 // of its value, with the NUL
#define CONSOLE_REGISTERS   8
#define CONSOLE_NO_IRQ      UINT32_MAX // to be polled
#define CONSOLE_COM1_PORT   0x3f8
#define CONSOLE_COM1_IRQ    4

struct console_uart {
    bool is_memory;       // the registers are in memory, else I/O ports
    uint8_t stride_bytes; // register N is at base + N * stride_bytes
    uint8_t access_bytes; // 1 or 4
    uint16_t divisor;     // of a PC's clock, to be set; 0: the rate stays as firmware set it
    uint32_t irq;         // global, or CONSOLE_NO_IRQ
    uint64_t base;
};

struct console_sources {
    const char *option; // the value of CONSOLE_OPTION on the command line; NULL: none
    const struct zbi_debug_uart *item; // type ZBI_UART_NONE: none
    const struct acpi_machine *acpi;
    uint64_t address_limit; // of physical addresses
};

enum console_source {
    CONSOLE_BY_OPTION,
    CONSOLE_BY_ITEM,
    CONSOLE_BY_SPCR,
    CONSOLE_BY_DBG2,
    CONSOLE_BY_DEFAULT,
    CONSOLE_SOURCE_COUNT,
};

enum console_verdict {
    CONSOLE_NOT_TOLD, // the source says nothing
    CONSOLE_REFUSED,  // what it says cannot be
    CONSOLE_FOUND,
    CONSOLE_NONE, // it says that there shall be no serial console
};

// For the log.
const char *console_source_name(enum console_source source);
// What one source says. CONSOLE_FOUND fills *uart, CONSOLE_REFUSED *reason,
// which is NULL otherwise.
enum console_verdict console_source_read(const struct console_sources *sources,
                                         enum console_source source, struct console_uart *uart,
                                         const char **reason);
