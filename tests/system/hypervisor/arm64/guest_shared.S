// Guests of the tests that every architecture has; see arch_guests.h.
#include "tests/system/hypervisor/arm64/guest_macros.h"

// Exits with 1, 2, 3 ...
GUEST_BEGIN exits
	ADDRESS x1, GUEST_EXIT
	mov w0, #1
1:	str w0, [x1]
	add w0, w0, #1
	b 1b
GUEST_END exits

// Accesses that wait for an answer: decoded by the CPU and not.
GUEST_BEGIN asks
	ADDRESS x1, GUEST_DEVICE
	str x0, [x1, #16]
	ldr x2, [x1, #24]
	ldrb w3, [x1]
	ldp x4, x5, [x1, #32]
	stp x4, x5, [x1, #64]
	ldr w6, [x1], #4
	DONE
GUEST_END asks

GUEST_BEGIN halt
1:	wfi
	b 1b
GUEST_END halt

// Reads at 0x300000, and counts at GUEST_DATA.
GUEST_BEGIN read_forever
	ADDRESS x1, 0x300000
	ADDRESS x2, GUEST_DATA
	mov x0, #0
1:	ldr x3, [x1]
	add x0, x0, #1
	str x0, [x2]
	b 1b
GUEST_END read_forever
