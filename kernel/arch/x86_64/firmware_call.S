// Calls of UEFI firmware (UEFI Specification 2.10, 2.3.4.2 "Detailed Calling Conventions"): arguments in rcx, rdx, r8, r9, room
// for them on the stack, rbx, rbp, rdi, rsi and r12 to r15 come back.

	.text

// bool x86_firmware_call(uint64_t function, const uint64_t *arguments, uint64_t root, uint64_t *result), interrupts disabled
	.globl x86_firmware_call
x86_firmware_call:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rcx
	movq %cr3, %rax
	pushq %rax
	movq %rsp, firmware_stack(%rip)
	subq $40, %rsp
	movq %rdx, %cr3
	movq %rdi, %rax
	movq (%rsi), %rcx
	movq 8(%rsi), %rdx
	movq 16(%rsi), %r8
	movq 24(%rsi), %r9
	call *%rax
	cli
	cld
	movl $1, %edx
1:	movq firmware_stack(%rip), %rsp
	popq %rcx
	movq %rcx, %cr3
	popq %rcx
	movq %rax, (%rcx)
	movl %edx, %eax
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

// Where an exception of the function goes on.
	.globl x86_firmware_fault
x86_firmware_fault:
	xorl %eax, %eax
	xorl %edx, %edx
	jmp 1b

	.bss
	.balign 8
firmware_stack:
	.skip 8

	.section .note.GNU-stack, "", @progbits
