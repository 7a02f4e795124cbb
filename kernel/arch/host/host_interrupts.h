// Device interrupts and memory, among the host port's own files.
#pragma once

#include <stdbool.h>

#include "kernel/object/process.h"

// Device interrupts go to the boot CPU.
bool host_interrupt_is_pending(void);
void host_dispatch_interrupt(void);
void host_memory_init(void);
