// The guest of arm64_aarch32_test.c.
#include "tests/system/hypervisor/arm64/guest_macros.h"

// Runs the 32-bit program at GUEST_WRITTEN in user mode, with the SPSR_EL1 and R0 to R14 that are at INPUT_SPSR, until its first
// exception. GUEST_DATA: 1; ESR_EL1, ELR_EL1, SPSR_EL1, FAR_EL1, R0 to R14 of it. 0: the CPU has no such programs.
GUEST_BEGIN run_32_bit
	GIC_ON
	ADDRESS x30, GUEST_DATA
	mrs x0, id_aa64pfr0_el1
	and x0, x0, #0xf
	cmp x0, #2
	b.ne 2f
	adr x0, 1f
	msr vbar_el1, x0
	mrs x0, sctlr_el1
	orr x0, x0, #(1 << 16)		// nTWI: not EL1's to hear of
	msr sctlr_el1, x0
	ADDRESS x0, GUEST_WRITTEN
	msr elr_el1, x0
	add x16, x30, #0x100
	ldr x0, [x16], #8
	msr spsr_el1, x0
	ldp x0, x1, [x16]
	ldp x2, x3, [x16, #16]
	ldp x4, x5, [x16, #32]
	ldp x6, x7, [x16, #48]
	ldp x8, x9, [x16, #64]
	ldp x10, x11, [x16, #80]
	ldp x12, x13, [x16, #96]
	ldr x14, [x16, #112]
	eret
2:	DONE
	AT run_32_bit, 0x800
1:	.skip 0x600
	stp x0, x1, [x30, #40]
	stp x2, x3, [x30, #56]
	stp x4, x5, [x30, #72]
	stp x6, x7, [x30, #88]
	stp x8, x9, [x30, #104]
	stp x10, x11, [x30, #120]
	stp x12, x13, [x30, #136]
	str x14, [x30, #152]
	mov x0, #1
	mrs x1, esr_el1
	stp x0, x1, [x30]
	mrs x0, elr_el1
	mrs x1, spsr_el1
	stp x0, x1, [x30, #16]
	mrs x0, far_el1
	str x0, [x30, #32]
	DONE
GUEST_END run_32_bit
