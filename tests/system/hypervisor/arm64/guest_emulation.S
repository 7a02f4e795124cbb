// The guests of arm64_emulation_test.c.
#include "tests/system/hypervisor/arm64/guest_macros.h"

// Steps over one instruction that is emulated. GUEST_DATA: ESR_EL1 of the step, where it stopped less where it began.
GUEST_BEGIN single_step
	adr x0, 1f
	msr vbar_el1, x0
	msr oslar_el1, xzr
	mov x0, #0x2001			// MDSCR_EL1: KDE, SS
	msr mdscr_el1, x0
	adr x9, 2f
	msr elr_el1, x9
	movz x0, #0x1c5			// SPSR_EL1: SS; A, I, F; EL1h
	movk x0, #0x20, lsl #16
	msr spsr_el1, x0
	eret
2:	mrs x5, id_aa64pfr0_el1
	nop
	msr daifset, #8
	DONE
	AT single_step, 0x800
1:	.skip 0x200
	mrs x0, esr_el1
	mrs x1, elr_el1
	sub x1, x1, x9
	ADDRESS x10, GUEST_DATA
	stp x0, x1, [x10]
	msr mdscr_el1, xzr
	DONE
GUEST_END single_step

// A 32-bit program of Thumb instructions: WFI by 16 bits; GUEST_DATA: its R0, whether it ran. (No IT block: emulated CPUs tell
// the state of the next instruction.)
GUEST_BEGIN thumb_wfi
	ADDRESS x10, GUEST_DATA
	GIC_ON
	mrs x0, id_aa64pfr0_el1
	and x0, x0, #0xf
	cmp x0, #2
	b.ne 3f
	adr x0, 1f
	msr vbar_el1, x0
	mrs x0, sctlr_el1
	orr x0, x0, #(1 << 16)		// nTWI: not EL1's to hear of
	msr sctlr_el1, x0
	adr x0, 2f
	msr elr_el1, x0
	movz x0, #0x1f0			// SPSR_EL1: A, I, F; T; user mode
	msr spsr_el1, x0
	mov x0, #0
	eret
3:	DONE
	.balign 4
2:	.hword 0xbf30			// WFI
	.hword 0x3001			// ADDS R0, #1
	.hword 0x3002			// ADDS R0, #2
	.hword 0xdf00			// SVC #0
	AT thumb_wfi, 0x800
1:	.skip 0x600
	mov w0, w0
	mov x1, #1
	stp x0, x1, [x10]
	DONE
GUEST_END thumb_wfi

// With its tables of the upper half where no memory is, reads, writes and jumps there. GUEST_DATA: ESR_EL1 and FAR_EL1 of each.
GUEST_BEGIN walk_outside
	adr x0, 1f
	msr vbar_el1, x0
	ADDRESS x10, 0x30000		// table of the lower half
	movz x0, #0x701			// block, normal memory, AF, inner shareable
	str x0, [x10]
	dsb sy
	mov x0, #0x00ff
	msr mair_el1, x0
	movz x0, #(25 | 1 << 8 | 1 << 10 | 3 << 12)
	movk x0, #(25 | 1 << 8 | 1 << 10 | 3 << 12 | 2 << 14), lsl #16
	movk x0, #2, lsl #32
	msr tcr_el1, x0
	msr ttbr0_el1, x10
	ADDRESS x0, GUEST_NOTHING
	msr ttbr1_el1, x0
	isb
	mrs x0, sctlr_el1
	orr x0, x0, #1
	msr sctlr_el1, x0
	isb
	ADDRESS x10, GUEST_DATA
	mov x12, #0xffffffffffff0000
	adr x11, 2f
	ldr x0, [x12]
2:	adr x11, 3f
	str x0, [x12, #8]
3:	adr x11, 4f
	br x12
4:	DONE
	AT walk_outside, 0x800
1:	.skip 0x200
	mrs x0, esr_el1
	mrs x1, far_el1
	stp x0, x1, [x10], #16
	msr elr_el1, x11
	eret
GUEST_END walk_outside

// The physical timer with what no counter reaches. GUEST_DATA: CNTP_CTL_EL0, twice.
GUEST_BEGIN far_physical_timer
	ADDRESS x10, GUEST_DATA
	mov x0, #-1
	msr cntp_cval_el0, x0
	mov x0, #1
	msr cntp_ctl_el0, x0
	mrs x1, cntp_ctl_el0
	mrs x2, cntpct_el0
	mov x3, #1
	add x2, x2, x3, lsl #63		// in the other half of what there is
	msr cntp_cval_el0, x2
	mrs x2, cntp_ctl_el0
	stp x1, x2, [x10]
	DONE
GUEST_END far_physical_timer

// GUEST_DATA: how often WFI ended, with a virtual timer that never fires.
GUEST_BEGIN far_virtual_timer
	ADDRESS x10, GUEST_DATA
	GIC_ON
	movz x0, #0xc000, lsl #48	// emulators add to it, and fire at once if that wraps
	msr cntv_cval_el0, x0
	mov x0, #1
	msr cntv_ctl_el0, x0
	isb
	mov x2, #0
1:	wfi
	add x2, x2, #1
	str x2, [x10]
	b 1b
GUEST_END far_virtual_timer

// Starts vCPU 1 twice and waits until it is off, each time.
GUEST_BEGIN start_twice
	mov x10, #2
1:	ADDRESS x0, 0xc4000003		// CPU_ON
	mov x1, #1
	ADDRESS x2, GUEST_CODE_2
	hvc #0
2:	ADDRESS x0, 0xc4000004		// AFFINITY_INFO
	mov x1, #1
	mov x2, #0
	hvc #0
	cmp x0, #1
	b.ne 2b
	sub x10, x10, #1
	cbnz x10, 1b
	DONE
GUEST_END start_twice

// GUEST_DATA: how often it started; the timers' control registers at each start. Leaves them on.
GUEST_BEGIN leave_timers_on
	ADDRESS x10, GUEST_DATA
	ldr x1, [x10]
	add x11, x10, x1, lsl #4
	add x1, x1, #1
	str x1, [x10]
	mrs x0, cntp_ctl_el0
	mrs x1, cntv_ctl_el0
	stp x0, x1, [x11, #8]
	mov x0, #1
	msr cntp_ctl_el0, x0
	msr cntv_ctl_el0, x0
	ADDRESS x0, 0x84000002		// CPU_OFF
	hvc #0
	b .
GUEST_END leave_timers_on
