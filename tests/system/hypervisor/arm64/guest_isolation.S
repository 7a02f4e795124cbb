// The guests of arm64_isolation_test.c; as in guest_code.S.
#include "tests/system/hypervisor/arm64/tiny_guest_layout.h"

	.arch armv8.1-a
	.section .rodata.guests, "a", %progbits

.macro GUEST_BEGIN name
	.balign 16
	.globl guest_\name
guest_\name:
.endm

.macro GUEST_END name
	.globl guest_\name\()_end
guest_\name\()_end:
.endm

.macro DONE
	mov w0, #GUEST_DONE
	movz x1, #(GUEST_EXIT >> 16), lsl #16
	str w0, [x1]
	b .
.endm

.macro ADDRESS reg, value
	movz \reg, #((\value) & 0xffff)
	movk \reg, #((\value) >> 16), lsl #16
.endm

// GUEST_DATA: what DISR_EL1 was, what it is after all that can be set was.
GUEST_BEGIN swap_disr
	ADDRESS x10, GUEST_DATA
	mrs x0, S3_0_C12_C1_1		// DISR_EL1
	mov x1, #-1
	msr S3_0_C12_C1_1, x1
	mrs x1, S3_0_C12_C1_1
	stp x0, x1, [x10]
	DONE
GUEST_END swap_disr
