// How guests begin and end, on every architecture. Assembly only.
#pragma once

// A guest is position-independent code between guest_NAME and guest_NAME_end.
.macro GUEST_BEGIN name
	.section .rodata.guests, "a", %progbits
	.balign 16
	.globl guest_\name
guest_\name:
.endm

.macro GUEST_END name
	.globl guest_\name\()_end
guest_\name\()_end:
.endm
