// ResetSystem(type in ecx) of bad_reset.c: EFI_DEVICE_ERROR, but for type 2 (shutdown) a page fault.
	.globl bad_reset_code, bad_reset_code_end, forget_instructions
	.hidden bad_reset_code, bad_reset_code_end, forget_instructions
	.text
bad_reset_code:
	cmpl $2, %ecx
	je 1f
	movabsq $0x8000000000000007, %rax
	ret
1:	movabsq $0x123456789000, %rax
	movq (%rax), %rax
	ret
bad_reset_code_end:

forget_instructions:
	ret

	.section .note.GNU-stack, "", @progbits
