// Calls of firmware, for the exception handler; the contract is <arch/firmware.h>.
#pragma once

#include <stdbool.h>

struct x86_frame;

// If this CPU is in a call of firmware: makes the frame one that ends the call.
bool firmware_end_call(struct x86_frame *frame);
