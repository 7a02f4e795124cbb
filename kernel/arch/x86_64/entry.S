// Ways into the kernel: the system call, the 256 vectors; ways out; the stack switch; copies from and to user memory.
//
// GS rule: in the kernel GS.base is this CPU's struct x86_cpu, in user mode the user's. An entry that can come from either looks
// at the saved CS. NMI, double fault and machine check can strike between the first kernel instruction and its SWAPGS, so they
// do not look: they have stacks of their own, with the CPU's address above the frame.

#include <arch/percpu.h>
#include <arch/thread_state.h>

#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/regs/segments.h"

#define THREAD_PENDING       ARCH_THREAD_SIZE
#define CPU_NEEDS_RESCHEDULE 16
#define CPU_STATS_SYSCALLS   112
#define FRAME_VECTOR         120
#define FRAME_RFLAGS         (FRAME_VECTOR + 32)
#define FRAME_CS             (FRAME_VECTOR + 24)
#define FRAME_SIZE           (FRAME_VECTOR + 56)
#define SAVED_RESULT         48 // of a system call: the slot of its number

// Three bytes that become CLAC or STAC where the CPU has SMAP (cpu_features.c).
.macro smap_site kind
.Lsite\@:
	.byte 0x0f, 0x1f, 0x00
	.pushsection .smap_sites, "a"
	.quad .Lsite\@, \kind
	.popsection
.endm
#define SITE_CLAC 0
#define SITE_STAC 1

	.text

// System call. rax: number; rdi, rsi, rdx, r10, r8, r9: arguments; rcx: user RIP; r11: user RFLAGS. SFMASK has cleared IF, DF,
// TF, AC and NT. Callee-saved registers are left to the C code.
	.globl x86_syscall_entry
	.balign 64
x86_syscall_entry:
	swapgs
	movq %rsp, %gs:PERCPU_USER_SP
	movq %gs:PERCPU_KERNEL_SP, %rsp
	pushq %gs:PERCPU_USER_SP
	pushq %r11
	pushq %rcx
	pushq %rax			// keeps the stack aligned
	pushq %r9
	pushq %r8
	pushq %r10
	pushq %rdx
	pushq %rsi
	pushq %rdi
	sti
	movq %rax, %rdi
	movq %rsp, %rsi
	call syscall_dispatch
	cli
	movq %gs:PERCPU_CURRENT_THREAD, %rcx
	movq %gs:PERCPU_CPU, %rdx
	incq CPU_STATS_SYSCALLS(%rdx)
	movl THREAD_PENDING(%rcx), %ecx
	orl CPU_NEEDS_RESCHEDULE(%rdx), %ecx
	jnz 2f
1:	addq $56, %rsp
	popq %rcx
	popq %r11
	movq %rcx, %rdx
	shrq $47, %rdx			// leaves zero: SYSRET to anything else would fault in the kernel
	jnz 3f
	xorl %edi, %edi
	xorl %esi, %esi
	xorl %r10d, %r10d
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	popq %rsp
	swapgs
	sysretq
2:	movq %rax, SAVED_RESULT(%rsp)
	call thread_handle_pending
	movq SAVED_RESULT(%rsp), %rax
	cli
	jmp 1b
3:	movq %rcx, %rdi
	call x86_syscall_return_fault
	ud2

.macro push_registers
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

.macro pop_registers
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
.endm

// Exceptions and interrupts; the stub has pushed error code and vector.
vector_common:
	push_registers
	cld
	smap_site SITE_CLAC
	testb $3, FRAME_CS(%rsp)
	jnz vector_from_user
	movq %rsp, %rdi
	call x86_handle_vector
	// Preempts what had interrupts enabled.
	testl $RFLAGS_IF, FRAME_RFLAGS(%rsp)
	jz 1f
	movq %gs:PERCPU_CPU, %rax
	cmpl $0, CPU_NEEDS_RESCHEDULE(%rax)
	je 1f
	call thread_preempt
1:	pop_registers
	addq $16, %rsp
	iretq

vector_from_user:
	swapgs
	movq %rsp, %rdi
	call x86_handle_vector
	movq %gs:PERCPU_CURRENT_THREAD, %rax
	movq %gs:PERCPU_CPU, %rdx
	movl THREAD_PENDING(%rax), %eax
	orl CPU_NEEDS_RESCHEDULE(%rdx), %eax
	jz 1f
	call thread_handle_pending
	cli
1:	pop_registers
	swapgs
	addq $16, %rsp
	iretq

// NMI, double fault, machine check: GS.base may be anything.
vector_paranoid:
	push_registers
	cld
	smap_site SITE_CLAC
	movl $MSR_GS_BASE, %ecx
	rdmsr
	movl %eax, %r12d
	movl %edx, %r13d
	movl FRAME_SIZE(%rsp), %eax
	movl FRAME_SIZE + 4(%rsp), %edx
	wrmsr
	movq %rsp, %rdi
	call x86_handle_paranoid
	movl $MSR_GS_BASE, %ecx
	movl %r12d, %eax
	movl %r13d, %edx
	wrmsr
	pop_registers
	addq $16, %rsp
	iretq

// One stub per vector, 16 bytes each.
#define VECTORS_WITH_ERROR_CODE 0x60227d00 // 8, 10 to 14, 17, 21, 29, 30

	.balign 16
	.globl x86_vector_stubs
x86_vector_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if vector >= 32
	pushq $0
	.elseif ((VECTORS_WITH_ERROR_CODE >> vector) & 1) == 0
	pushq $0
	.endif
	pushq $vector
	.if vector == VECTOR_NMI || vector == VECTOR_DOUBLE_FAULT || vector == VECTOR_MACHINE_CHECK
	jmp vector_paranoid
	.else
	jmp vector_common
	.endif
	.set vector, vector + 1
	.endr

// void x86_switch_stacks(uint64_t *save_sp, uint64_t load_sp)
	.globl x86_switch_stacks
x86_switch_stacks:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

// void x86_enter_user(uint64_t entry, uint64_t stack, uint64_t arg1, uint64_t arg2), interrupts disabled
	.globl x86_enter_user
x86_enter_user:
	pushq $SELECTOR_USER_DATA
	pushq %rsi
	pushq $(RFLAGS_IF | RFLAGS_ONE)
	pushq $SELECTOR_USER_CODE
	pushq %rdi
	movq %rdx, %rdi
	movq %rcx, %rsi
	xorl %eax, %eax
	xorl %ebx, %ebx
	xorl %ecx, %ecx
	xorl %edx, %edx
	xorl %ebp, %ebp
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	xorl %r11d, %r11d
	xorl %r12d, %r12d
	xorl %r13d, %r13d
	xorl %r14d, %r14d
	xorl %r15d, %r15d
	swapgs
	iretq

.macro exception_entry fault, fixup
	.pushsection .exception_table, "a"
	.quad \fault, \fixup
	.popsection
.endm

// bool x86_copy_user(void *to, const void *from, size_t size_bytes): one of the two is user memory, checked to be in the user's
// half. A fault that cannot be resolved ends it with false.
	.globl x86_copy_user
x86_copy_user:
	movq %rdx, %rcx
	shrq $3, %rcx
	andl $7, %edx
	smap_site SITE_STAC
1:	rep movsq
	movl %edx, %ecx
2:	rep movsb
	smap_site SITE_CLAC
	movl $1, %eax
	ret
3:	smap_site SITE_CLAC
	xorl %eax, %eax
	ret
	exception_entry 1b, 3b
	exception_entry 2b, 3b

// bool x86_load_user_u32(uint32_t *value, const uint32_t *from)
	.globl x86_load_user_u32
x86_load_user_u32:
	smap_site SITE_STAC
1:	movl (%rsi), %edx
	smap_site SITE_CLAC
	movl %edx, (%rdi)
	movl $1, %eax
	ret
2:	smap_site SITE_CLAC
	xorl %eax, %eax
	ret
	exception_entry 1b, 2b

	.section .note.GNU-stack, "", @progbits
