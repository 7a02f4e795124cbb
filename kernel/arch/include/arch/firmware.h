// Contract: calls of UEFI firmware's run-time services in physical mode: while one runs, this CPU
// shows the memory that they need at its own addresses, besides the kernel's half (UEFI
// Specification 2.10, 2.3.4 "x64 Platforms", 2.3.6 "AArch64 Platforms").
#pragma once

#include "kernel/lib/types.h"

#define ARCH_FIRMWARE_ARGUMENTS 4

// What firmware left in memory, to be read: cached, for good. NULL: no room.
const void *arch_firmware_view(paddr_t base, uint64_t size_bytes);
// From now on calls see this range: for all accesses, cached, or as a device's registers. Both
// are multiples of a page. False: no memory for tables, or an address that cannot be shown.
MX_MUST_CHECK bool arch_firmware_map(paddr_t base, uint64_t size_bytes, bool is_device);
// Calls a function by the calling convention of UEFI, on this stack, floating-point registers free.
// One call at a time, interrupts disabled. False: it faulted, and was left there.
MX_MUST_CHECK bool arch_firmware_call(uint64_t function,
                                      const uint64_t arguments[ARCH_FIRMWARE_ARGUMENTS],
                                      uint64_t *result);
