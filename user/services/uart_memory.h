// A UART whose registers are in memory.
#pragma once

#include <stdint.h>

#include <machina/types.h>

// Takes the resource for them from the start-up message and maps them for good. NOT_FOUND: there is
// no such resource, or it is not for them; NO_MEMORY.
MX_MUST_CHECK mx_status_t uart_map_registers(uint64_t base, uint64_t size_bytes,
                                             uintptr_t *registers);
