// Ways into the kernel: the vectors, the system call; ways out; the stack switch; copies from and to user memory.
//
// Exceptions use SP_EL1 (SP_EL2), in user mode the top of the running thread's kernel stack. Every kernel stack lies in a block of
// 32 KiB, in the second to fifth page; an exception that would be saved in the first page of a block is a stack overflow, and
// reported on a stack of its own.

#include <arch/thread_state.h>

#include "kernel/arch/arm64/frame.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/exception.h"

#define THREAD_PENDING       ARCH_THREAD_SIZE
#define CPU_NEEDS_RESCHEDULE 16
#define CPU_STATS_SYSCALLS   112

#define STACK_OFFSET_PAGES 0x7000 // of an address within its block of 32 KiB

.macro read_thread reg
.Lsite\@:
	mrs \reg, tpidr_el2
	.pushsection .tpidr_sites, "a"
	.quad .Lsite\@
	.popsection
.endm

.macro save_x0_to_x28
	stp x0, x1, [sp, #FRAME_X(0)]
	stp x2, x3, [sp, #FRAME_X(2)]
	stp x4, x5, [sp, #FRAME_X(4)]
	stp x6, x7, [sp, #FRAME_X(6)]
	stp x8, x9, [sp, #FRAME_X(8)]
	stp x10, x11, [sp, #FRAME_X(10)]
	stp x12, x13, [sp, #FRAME_X(12)]
	stp x14, x15, [sp, #FRAME_X(14)]
	stp x16, x17, [sp, #FRAME_X(16)]
	stp x18, x19, [sp, #FRAME_X(18)]
	stp x20, x21, [sp, #FRAME_X(20)]
	stp x22, x23, [sp, #FRAME_X(22)]
	stp x24, x25, [sp, #FRAME_X(24)]
	stp x26, x27, [sp, #FRAME_X(26)]
	stp x28, x29, [sp, #FRAME_X(28)]
.endm

// The rest of the frame; x21 is the interrupted SP.
.macro save_state
	mrs x22, elr_el1
	mrs x23, spsr_el1
	mrs x24, esr_el1
	stp x30, x21, [sp, #FRAME_X(30)]
	stp x22, x23, [sp, #FRAME_ELR]
	str x24, [sp, #FRAME_ESR]
	mov x0, sp
.endm

.macro restore_registers
	ldp x22, x23, [sp, #FRAME_ELR]
	msr elr_el1, x22
	msr spsr_el1, x23
	ldp x0, x1, [sp, #FRAME_X(0)]
	ldp x2, x3, [sp, #FRAME_X(2)]
	ldp x4, x5, [sp, #FRAME_X(4)]
	ldp x6, x7, [sp, #FRAME_X(6)]
	ldp x8, x9, [sp, #FRAME_X(8)]
	ldp x10, x11, [sp, #FRAME_X(10)]
	ldp x12, x13, [sp, #FRAME_X(12)]
	ldp x14, x15, [sp, #FRAME_X(14)]
	ldp x16, x17, [sp, #FRAME_X(16)]
	ldp x18, x19, [sp, #FRAME_X(18)]
	ldp x20, x21, [sp, #FRAME_X(20)]
	ldp x22, x23, [sp, #FRAME_X(22)]
	ldp x24, x25, [sp, #FRAME_X(24)]
	ldp x26, x27, [sp, #FRAME_X(26)]
	ldp x28, x29, [sp, #FRAME_X(28)]
	ldr x30, [sp, #FRAME_X(30)]
	add sp, sp, #FRAME_SIZE
	eret
.endm

.macro vector target
	.balign 128
	b \target
.endm

	.section .text.vectors, "ax"
	.balign 2048
	.globl arm64_vectors
arm64_vectors:
	vector unexpected		// with SP_EL0, which the kernel never uses
	vector unexpected
	vector unexpected
	vector unexpected
	vector kernel_sync
	vector kernel_irq
	vector unexpected
	vector kernel_serror
	vector user_sync
	vector user_irq
	vector user_fiq
	vector user_serror
	vector unexpected		// from AArch32, where no user program can be
	vector unexpected
	vector unexpected
	vector unexpected

	.text
// System call: x8 number, x0 to x5 arguments; result in x0. Callee-saved registers are left to the C code, the others come back as
// zero.
user_sync:
	sub sp, sp, #FRAME_SIZE
	stp x16, x17, [sp, #FRAME_X(16)]
	mrs x16, esr_el1
	ubfx x17, x16, #ESR_EC_SHIFT, #6
	cmp x17, #ESR_EC_SVC64
	b.ne user_exception
	stp x0, x1, [sp, #FRAME_X(0)]
	stp x2, x3, [sp, #FRAME_X(2)]
	stp x4, x5, [sp, #FRAME_X(4)]
	str x29, [sp, #FRAME_X(29)]
	mrs x16, sp_el0
	stp x30, x16, [sp, #FRAME_X(30)]
	mrs x16, elr_el1
	mrs x17, spsr_el1
	stp x16, x17, [sp, #FRAME_ELR]
	mov x29, xzr
	msr daifclr, #(DAIF_I | DAIF_A)
	mov x0, x8
	mov x1, sp
	bl syscall_dispatch
	msr daifset, #DAIF_I
	read_thread x1
	ldr x2, [x1, #ARCH_THREAD_CPU]
	ldr x3, [x2, #CPU_STATS_SYSCALLS]
	add x3, x3, #1
	str x3, [x2, #CPU_STATS_SYSCALLS]
	ldr w3, [x1, #THREAD_PENDING]
	ldr w4, [x2, #CPU_NEEDS_RESCHEDULE]
	orr w3, w3, w4
	cbnz w3, 2f
1:	ldr x29, [sp, #FRAME_X(29)]
	ldp x30, x16, [sp, #FRAME_X(30)]
	msr sp_el0, x16
	ldp x16, x17, [sp, #FRAME_ELR]
	msr elr_el1, x16
	msr spsr_el1, x17
	.irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18
	mov x\n, xzr
	.endr
	add sp, sp, #FRAME_SIZE
	eret
2:	str x0, [sp, #FRAME_X(0)]
	bl thread_handle_pending
	ldr x0, [sp, #FRAME_X(0)]
	msr daifset, #DAIF_I
	b 1b

.macro user_vector name, handler
\name:
	sub sp, sp, #FRAME_SIZE
\name\()_saved:
	save_x0_to_x28
	mrs x21, sp_el0
	save_state
	mov x29, xzr
	bl \handler
	b return_to_user
.endm

user_exception:
	ldp x16, x17, [sp, #FRAME_X(16)]
	b user_fault_saved
	user_vector user_fault, arm64_handle_user_exception
	user_vector user_irq, arm64_handle_interrupt
	user_vector user_fiq, arm64_handle_unexpected
	user_vector user_serror, arm64_handle_user_serror

return_to_user:
	read_thread x1
	ldr x2, [x1, #ARCH_THREAD_CPU]
	ldr w3, [x1, #THREAD_PENDING]
	ldr w4, [x2, #CPU_NEEDS_RESCHEDULE]
	orr w3, w3, w4
	cbz w3, 1f
	bl thread_handle_pending
	msr daifset, #DAIF_I
1:	ldr x21, [sp, #FRAME_SP]
	msr sp_el0, x21
	restore_registers

.macro kernel_vector name, handler
\name:
	sub sp, sp, #FRAME_SIZE
	// Looks at SP with no register to spare but the flags.
	add sp, sp, x0
	sub x0, sp, x0
	tst x0, #STACK_OFFSET_PAGES
	b.eq stack_overflow
	sub x0, sp, x0
	sub sp, sp, x0
	save_x0_to_x28
	add x21, sp, #FRAME_SIZE
	save_state
	bl \handler
.endm

	.globl kernel_sync, kernel_serror // for the world switch's vectors
	kernel_vector kernel_sync, arm64_handle_kernel_exception
	restore_registers

	kernel_vector kernel_irq, arm64_handle_interrupt
	// Preempts what had interrupts enabled, as it must have had.
	read_thread x1
	ldr x2, [x1, #ARCH_THREAD_CPU]
	ldr w3, [x2, #CPU_NEEDS_RESCHEDULE]
	cbz w3, 1f
	bl thread_preempt
1:	restore_registers

	kernel_vector kernel_serror, arm64_handle_unexpected
	kernel_vector unexpected, arm64_handle_unexpected

// x0: SP, SP: SP + x0. The thread's TPIDR_EL0 is lost; it will not be missed.
stack_overflow:
	sub x0, sp, x0
	sub sp, sp, x0
	msr tpidr_el0, x0
	mov x0, sp
	msr tpidrro_el0, x0
	adrp x0, overflow_stack_top
	add x0, x0, :lo12:overflow_stack_top
	mov sp, x0
	mrs x0, tpidr_el0
	sub sp, sp, #FRAME_SIZE
	save_x0_to_x28
	mrs x21, tpidrro_el0
	add x21, x21, #FRAME_SIZE
	save_state
	bl arm64_handle_stack_overflow

// void arm64_switch_stacks(uint64_t *save_sp, uint64_t load_sp)
	.globl arm64_switch_stacks
arm64_switch_stacks:
	sub sp, sp, #96
	stp x19, x20, [sp, #0]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	add sp, sp, #96
	ret

// void arm64_enter_user(uint64_t entry, uint64_t stack, uint64_t arg1, uint64_t arg2, uint64_t kernel_stack_top), interrupts disabled
	.globl arm64_enter_user
arm64_enter_user:
	msr elr_el1, x0
	msr spsr_el1, xzr
	msr sp_el0, x1
	mov sp, x4
	mov x0, x2
	mov x1, x3
	.irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
	mov x\n, xzr
	.endr
	eret

.macro exception_entry start, end, fixup
	.pushsection .exception_table, "a"
	.quad \start, \end, \fixup
	.popsection
.endm

// bool arm64_copy_from_user(void *to, uint64_t from, size_t size_bytes), of memory checked to be in the user's half, by accesses
// with the user's permissions. A fault that cannot be resolved ends it with false.
//
// 32 bytes at a time; what is left is in the low five bits of x2, which going below zero has not changed.
	.globl arm64_copy_from_user
arm64_copy_from_user:
	subs x2, x2, #32
	b.lo 2f
1:	ldtr x3, [x1]
	ldtr x4, [x1, #8]
	ldtr x5, [x1, #16]
	ldtr x6, [x1, #24]
	stp x3, x4, [x0], #16
	stp x5, x6, [x0], #16
	add x1, x1, #32
	subs x2, x2, #32
	b.hs 1b
2:	tbz x2, #4, 3f
	ldtr x3, [x1]
	ldtr x4, [x1, #8]
	stp x3, x4, [x0], #16
	add x1, x1, #16
3:	tbz x2, #3, 4f
	ldtr x3, [x1]
	str x3, [x0], #8
	add x1, x1, #8
4:	tst x2, #7
	b.eq 7f
	tbz x2, #2, 5f
	ldtr w3, [x1]
	str w3, [x0], #4
	add x1, x1, #4
5:	tbz x2, #1, 6f
	ldtrh w3, [x1]
	strh w3, [x0], #2
	add x1, x1, #2
6:	tbz x2, #0, 7f
	ldtrb w3, [x1]
	strb w3, [x0]
7:	mov w0, #1
	ret
8:	mov w0, #0
	ret
	exception_entry 1b, 7b, 8b

// bool arm64_copy_to_user(uint64_t to, const void *from, size_t size_bytes), likewise
	.globl arm64_copy_to_user
arm64_copy_to_user:
	subs x2, x2, #32
	b.lo 2f
1:	ldp x3, x4, [x1], #16
	ldp x5, x6, [x1], #16
	sttr x3, [x0]
	sttr x4, [x0, #8]
	sttr x5, [x0, #16]
	sttr x6, [x0, #24]
	add x0, x0, #32
	subs x2, x2, #32
	b.hs 1b
2:	tbz x2, #4, 3f
	ldp x3, x4, [x1], #16
	sttr x3, [x0]
	sttr x4, [x0, #8]
	add x0, x0, #16
3:	tbz x2, #3, 4f
	ldr x3, [x1], #8
	sttr x3, [x0]
	add x0, x0, #8
4:	tst x2, #7
	b.eq 7f
	tbz x2, #2, 5f
	ldr w3, [x1], #4
	sttr w3, [x0]
	add x0, x0, #4
5:	tbz x2, #1, 6f
	ldrh w3, [x1], #2
	sttrh w3, [x0]
	add x0, x0, #2
6:	tbz x2, #0, 7f
	ldrb w3, [x1]
	sttrb w3, [x0]
7:	mov w0, #1
	ret
8:	mov w0, #0
	ret
	exception_entry 1b, 7b, 8b

// bool arm64_load_user_u32(uint32_t *value, uint64_t from)
	.globl arm64_load_user_u32
arm64_load_user_u32:
1:	ldtr w2, [x1]
2:	str w2, [x0]
	mov w0, #1
	ret
3:	mov w0, #0
	ret
	exception_entry 1b, 2b, 3b

	.section .note.GNU-stack, "", @progbits
