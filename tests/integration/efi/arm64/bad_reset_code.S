// ResetSystem(type in w0) of bad_reset.c: EFI_DEVICE_ERROR, but for type 2 (shutdown) a data abort.
	.globl bad_reset_code, bad_reset_code_end, forget_instructions
	.hidden bad_reset_code, bad_reset_code_end, forget_instructions
	.text
bad_reset_code:
	cmp w0, #2
	b.eq 1f
	mov x0, #7
	movk x0, #0x8000, lsl #48
	ret
1:	movz x0, #0x1234, lsl #32
	ldr x0, [x0]
	ret
bad_reset_code_end:

forget_instructions:
	dsb ish
	ic iallu
	dsb ish
	isb
	ret

	.section .note.GNU-stack, "", @progbits
