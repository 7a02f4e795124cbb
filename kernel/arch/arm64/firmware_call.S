// Calls of UEFI firmware (UEFI Specification 2.10, 2.3.6.4 "Detailed Calling Convention"; Procedure Call Standard for the Arm
// 64-bit Architecture, 6.1): arguments in x0 to x3, x19 to x29 and SP come back.

#include "kernel/arch/arm64/regs/control.h"

	.text

// bool arm64_firmware_call(uint64_t function, const uint64_t *arguments, uint64_t *result), interrupts disabled
	.globl arm64_firmware_call
arm64_firmware_call:
	sub sp, sp, #112
	stp x19, x20, [sp, #0]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	str x2, [sp, #96]
	mov x9, sp
	adrp x10, firmware_stack
	str x9, [x10, #:lo12:firmware_stack]
	mov x9, x0
	ldp x2, x3, [x1, #16]
	ldp x0, x1, [x1]
	blr x9
	msr daifset, #DAIF_I
	mov w1, #1
1:	adrp x10, firmware_stack
	ldr x9, [x10, #:lo12:firmware_stack]
	mov sp, x9
	ldr x2, [sp, #96]
	str x0, [x2]
	mov w0, w1
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	add sp, sp, #112
	ret

// Where an exception of the function goes on.
	.globl arm64_firmware_fault
arm64_firmware_fault:
	mov x0, xzr
	mov w1, wzr
	b 1b

	.bss
	.balign 8
firmware_stack:
	.skip 8

	.section .note.GNU-stack, "", @progbits
