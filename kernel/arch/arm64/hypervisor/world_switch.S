// The world switch: general registers, PC, PSTATE, HCR_EL2 and the vectors. All else that the guest has stays in the CPU while the
// vCPU is resident (resident.h).
#include <arch/guest_state.h>

#define EXIT_SYNC   0
#define EXIT_IRQ    1
#define EXIT_SERROR 2

// uint64_t world_switch(struct arch_vcpu *vcpu), interrupts disabled. Runs the guest until the next exception that EL2 takes and
// returns which kind (enum world_exit).
	.text
	.globl world_switch
world_switch:
	stp x29, x30, [sp, #-112]!
	stp x19, x20, [sp, #16]
	stp x21, x22, [sp, #32]
	stp x23, x24, [sp, #48]
	stp x25, x26, [sp, #64]
	stp x27, x28, [sp, #80]
	mrs x1, vbar_el2
	mrs x2, hcr_el2
	stp x1, x2, [sp, #96]
	str x0, [sp, #-16]!
	adrp x1, world_vectors
	add x1, x1, :lo12:world_vectors
	msr vbar_el2, x1
	ldp x1, x2, [x0, #VCPU_PC]
	ldr x3, [x0, #VCPU_HCR]
	msr elr_el2, x1
	msr spsr_el2, x2
	msr hcr_el2, x3
	ldp x2, x3, [x0, #VCPU_X(2)]
	ldp x4, x5, [x0, #VCPU_X(4)]
	ldp x6, x7, [x0, #VCPU_X(6)]
	ldp x8, x9, [x0, #VCPU_X(8)]
	ldp x10, x11, [x0, #VCPU_X(10)]
	ldp x12, x13, [x0, #VCPU_X(12)]
	ldp x14, x15, [x0, #VCPU_X(14)]
	ldp x16, x17, [x0, #VCPU_X(16)]
	ldp x18, x19, [x0, #VCPU_X(18)]
	ldp x20, x21, [x0, #VCPU_X(20)]
	ldp x22, x23, [x0, #VCPU_X(22)]
	ldp x24, x25, [x0, #VCPU_X(24)]
	ldp x26, x27, [x0, #VCPU_X(26)]
	ldp x28, x29, [x0, #VCPU_X(28)]
	ldr x30, [x0, #VCPU_X(30)]
	ldp x0, x1, [x0, #VCPU_X(0)]
	eret

// x0 and x1 of the guest are on the stack, above them the vCPU; x1 is the kind of exit.
world_exit:
	ldr x0, [sp, #16]
	stp x2, x3, [x0, #VCPU_X(2)]
	stp x4, x5, [x0, #VCPU_X(4)]
	stp x6, x7, [x0, #VCPU_X(6)]
	stp x8, x9, [x0, #VCPU_X(8)]
	stp x10, x11, [x0, #VCPU_X(10)]
	stp x12, x13, [x0, #VCPU_X(12)]
	stp x14, x15, [x0, #VCPU_X(14)]
	stp x16, x17, [x0, #VCPU_X(16)]
	stp x18, x19, [x0, #VCPU_X(18)]
	stp x20, x21, [x0, #VCPU_X(20)]
	stp x22, x23, [x0, #VCPU_X(22)]
	stp x24, x25, [x0, #VCPU_X(24)]
	stp x26, x27, [x0, #VCPU_X(26)]
	stp x28, x29, [x0, #VCPU_X(28)]
	str x30, [x0, #VCPU_X(30)]
	ldp x2, x3, [sp], #32
	stp x2, x3, [x0, #VCPU_X(0)]
	mrs x2, elr_el2
	mrs x3, spsr_el2
	stp x2, x3, [x0, #VCPU_PC]
	mov x0, x1
	ldp x1, x2, [sp, #96]
	msr vbar_el2, x1
	msr hcr_el2, x2
	isb
	.inst 0xd500419f		// msr pan, #1: not set by exceptions that come without HCR_EL2.TGE
	ldp x19, x20, [sp, #16]
	ldp x21, x22, [sp, #32]
	ldp x23, x24, [sp, #48]
	ldp x25, x26, [sp, #64]
	ldp x27, x28, [sp, #80]
	ldp x29, x30, [sp], #112
	ret

.macro guest_vector kind
	.balign 128
	stp x0, x1, [sp, #-16]!
	mov x1, #\kind
	b world_exit
.endm

// From EL2 itself nothing comes while these are in force, since interrupts are masked, but for what stops the machine.
.macro no_vector
	.balign 128
	b .
.endm

.macro host_vector target
	.balign 128
	b \target
.endm

	.section .text.vectors, "ax"
	.balign 2048
world_vectors:
	.rept 4
	no_vector
	.endr
	host_vector kernel_sync
	no_vector
	no_vector
	host_vector kernel_serror
	// AArch64, then AArch32; FIQs are no different from IRQs.
	.rept 2
	guest_vector EXIT_SYNC
	guest_vector EXIT_IRQ
	guest_vector EXIT_IRQ
	guest_vector EXIT_SERROR
	.endr

	.section .note.GNU-stack, "", @progbits
