// The last code of the loader. Runs from a copy, without a stack: void move_and_enter(rdi to, rsi from, rdx bytes, rcx entry, r8 data,
// r9 tables).

	.text
	.globl move_and_enter, move_and_enter_end
move_and_enter:
	cli
	cld
	movq %r9, %cr3
	movq %rcx, %rbx
	movq %rdx, %rcx
	rep movsb
	movq %r8, %rsi
	jmp *%rbx
move_and_enter_end:

	.section .note.GNU-stack, "", @progbits
