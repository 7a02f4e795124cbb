// The guests of arm64_guest_test.c and arm64_interrupt_test.c.
#include "tests/system/hypervisor/arm64/guest_macros.h"

// --- vectors --------------------------------------------------------------------------------------

GUEST_BEGIN vectors
	.macro SYNC_VECTOR
	b 8001f
	.skip 124
	.endm
	.macro IRQ_VECTOR
	b 8002f
	.skip 124
	.endm
	.rept 4
	SYNC_VECTOR
	IRQ_VECTOR
	IRQ_VECTOR
	SYNC_VECTOR
	.endr
8001:	stp x0, x1, [sp, #-16]!
	stp x2, x3, [sp, #-16]!
	ADDRESS x1, GUEST_RESULTS
	ldr x0, [x1, #RESULT_EXCEPTION_COUNT]
	add x0, x0, #1
	str x0, [x1, #RESULT_EXCEPTION_COUNT]
	mrs x0, esr_el1
	str x0, [x1, #RESULT_ESR]
	mrs x0, far_el1
	str x0, [x1, #RESULT_FAR]
	mrs x0, elr_el1
	add x0, x0, #4
	msr elr_el1, x0
	ldp x2, x3, [sp], #16
	ldp x0, x1, [sp], #16
	eret
// Acknowledges, notes and ends; x19 says what else: 1 lowers the device's line first, 2 turns the virtual timer off, 3 the physical.
8002:	stp x0, x1, [sp, #-16]!
	stp x2, x3, [sp, #-16]!
	ADDRESS x3, GUEST_GICC
	cmp w20, #2
	b.eq 1f
	mrs x0, S3_0_C12_C12_0		// ICC_IAR1_EL1
	b 2f
1:	ldr w0, [x3, #0xc]		// GICC_IAR
2:	ADDRESS x1, GUEST_RESULTS
	ldr x2, [x1, #RESULT_IRQ_COUNT]
	add x1, x1, #RESULT_IRQS
	str w0, [x1, x2, lsl #2]
	add x2, x2, #1
	sub x1, x1, #RESULT_IRQS
	str x2, [x1, #RESULT_IRQ_COUNT]
	cmp x19, #1
	b.ne 3f
	ADDRESS x1, GUEST_DEVICE
	str wzr, [x1]
3:	cmp x19, #2
	b.ne 4f
	msr cntv_ctl_el0, xzr
	isb
4:	cmp x19, #3
	b.ne 5f
	msr cntp_ctl_el0, xzr
5:	cmp w20, #2
	b.eq 6f
	msr S3_0_C12_C12_1, x0		// ICC_EOIR1_EL1
	b 7f
6:	str w0, [x3, #0x10]		// GICC_EOIR
7:	ldp x2, x3, [sp], #16
	ldp x0, x1, [sp], #16
	eret
GUEST_END vectors

// --- basics ---------------------------------------------------------------------------------------

GUEST_BEGIN done
	DONE
GUEST_END done

GUEST_BEGIN spin
	b .
GUEST_END spin

GUEST_BEGIN jump_to_nothing
	ADDRESS x0, GUEST_NOTHING
	br x0
GUEST_END jump_to_nothing

// --- every form of access to a device -----------------------------------------------------------------
// Loads read what the test answers, and their results go to GUEST_DATA in order.
GUEST_BEGIN accesses
	ADDRESS x10, GUEST_DEVICE
	ADDRESS x11, GUEST_DATA
	movz x1, #0x1122, lsl #48
	movk x1, #0x3344, lsl #32
	movk x1, #0x5566, lsl #16
	movk x1, #0x7788
	str x1, [x10]
	str w1, [x10, #8]
	strh w1, [x10, #2]
	strb w1, [x10, #1]
	str xzr, [x10]
	stp x1, x10, [x10, #16]
	stp w1, w11, [x10], #8
	str x10, [x11], #8
	str w1, [x10, #-8]!
	str x10, [x11], #8
	mov x12, sp
	mov sp, x10
	str x1, [sp], #16
	mov x2, sp
	mov sp, x12
	str x2, [x11], #8
	stlr w1, [x10]
	ldr x2, [x10]
	str x2, [x11], #8
	ldr w2, [x10]
	str x2, [x11], #8
	ldrsw x2, [x10]
	str x2, [x11], #8
	ldrsh w2, [x10]
	str x2, [x11], #8
	ldrsb x2, [x10]
	str x2, [x11], #8
	ldrb w2, [x10]
	str x2, [x11], #8
	ldp x2, x3, [x10]
	stp x2, x3, [x11], #16
	ldpsw x2, x3, [x10, #-8]!
	stp x2, x3, [x11], #16
	str x10, [x11], #8
	ldr w2, [x10], #8
	str x2, [x11], #8
	str x10, [x11], #8
	mov x3, #4
	ldr w2, [x10, x3, lsl #2]
	str x2, [x11], #8
	ldar w2, [x10]
	str x2, [x11], #8
	ldr xzr, [x10]
	dc zva, x10
	DONE
GUEST_END accesses

// Writes that ring, by the forms with and without a syndrome.
GUEST_BEGIN bells
	ADDRESS x10, GUEST_BELL
	str w10, [x10]
	str w10, [x10, #4]
	mov x11, x10
	str w10, [x11], #8
	sub x11, x11, x10
	ADDRESS x1, GUEST_DATA
	str x11, [x1]
	DONE
GUEST_END bells

// What no device does: each is an external abort for the guest, which goes on after it.
GUEST_BEGIN refused
	ADDRESS x10, GUEST_DEVICE
	mov x11, x10
	ldr q0, [x10]
	stp q0, q1, [x10]
	str d0, [x11], #8
	ldxr w1, [x10]
	swp w1, w2, [x10]
	cas w1, w2, [x10]
	ldadd w1, w2, [x10]
	sub x11, x11, x10
	ADDRESS x1, GUEST_DATA
	str x11, [x1]
	DONE
GUEST_END refused

// --- firmware calls -------------------------------------------------------------------------------
// GUEST_DATA: how many; then for each: x0 to x3, 0 for HVC or 1 for SMC; x0 takes the place of the fifth.
GUEST_BEGIN firmware
	ADDRESS x10, GUEST_DATA
	ldr x11, [x10], #8
1:	cbz x11, 4f
	sub x11, x11, #1
	ldp x0, x1, [x10]
	ldp x2, x3, [x10, #16]
	ldr x4, [x10, #32]
	cbnz x4, 2f
	hvc #0
	b 3f
2:	smc #0
3:	str x0, [x10, #32]
	add x10, x10, #40
	b 1b
4:	DONE
GUEST_END firmware

// A thousand calls, each handled in the kernel.
GUEST_BEGIN hypercalls
	mov x10, #1000
1:	mov w0, #0x84000000
	hvc #0
	subs x10, x10, #1
	b.ne 1b
	DONE
GUEST_END hypercalls

// Goes on with x0 as its context.
GUEST_BEGIN second
	ADDRESS x1, GUEST_DATA
	str x0, [x1, #0x800]
	mrs x2, mpidr_el1
	str x2, [x1, #0x808]
	ADDRESS x0, 0x84000002		// CPU_OFF
	hvc #0
	b .
GUEST_END second

// --- interrupts -----------------------------------------------------------------------------------
// Waits idle until GUEST_DATA[0] interrupts were taken.
GUEST_BEGIN wait_for_interrupts
	GIC_ON
	msr daifclr, #2
	ADDRESS x10, GUEST_DATA
	ADDRESS x11, GUEST_RESULTS
	ldr x12, [x10]
1:	msr daifset, #2
	ldr x13, [x11, #RESULT_IRQ_COUNT]
	cmp x13, x12
	b.hs 2f
	wfi
	msr daifclr, #2
	isb
	b 1b
2:	msr daifclr, #2
	isb
	DONE
GUEST_END wait_for_interrupts

// The same without WFI.
GUEST_BEGIN take_interrupts
	GIC_ON
	msr daifclr, #2
	ADDRESS x10, GUEST_DATA
	ADDRESS x11, GUEST_RESULTS
	ldr x12, [x10]
1:	ldr x13, [x11, #RESULT_IRQ_COUNT]
	cmp x13, x12
	b.lo 1b
	DONE
GUEST_END take_interrupts

// One is pending and masked: WFI does not wait.
GUEST_BEGIN wfi_masked
	GIC_ON
	wfi
	wfi
	DONE
GUEST_END wfi_masked

// A level that the handler lowers by the device.
GUEST_BEGIN level
	mov x19, #1
	GIC_ON
	msr daifclr, #2
	ADDRESS x10, GUEST_DATA
	ADDRESS x11, GUEST_RESULTS
	ldr x12, [x10]
1:	ldr x13, [x11, #RESULT_IRQ_COUNT]
	cmp x13, x12
	b.lo 1b
	mov x13, #0x10000
2:	subs x13, x13, #1
	b.ne 2b
	DONE
GUEST_END level

// GUEST_DATA[0] rounds of a timer that fires after GUEST_DATA[1] ticks; GUEST_DATA[2]: 1 waits idle.
GUEST_BEGIN timer
	mov x19, #2
	GIC_ON
	msr daifclr, #2
	ADDRESS x10, GUEST_DATA
	ADDRESS x11, GUEST_RESULTS
	ldp x12, x14, [x10]
	ldr x15, [x10, #16]
	mov x16, #0
1:	add x16, x16, #1
	msr cntv_tval_el0, x14
	mov x0, #1
	msr cntv_ctl_el0, x0
	isb
2:	msr daifset, #2
	ldr x13, [x11, #RESULT_IRQ_COUNT]
	cmp x13, x16
	b.hs 4f
	cbz x15, 3f
	wfi
3:	msr daifclr, #2
	isb
	b 2b
4:	msr daifclr, #2
	cmp x16, x12
	b.lo 1b
	DONE
GUEST_END timer

// The emulated physical timer, and the counters.
GUEST_BEGIN physical_timer
	mov x19, #3
	GIC_ON
	msr daifclr, #2
	ADDRESS x10, GUEST_DATA
	ADDRESS x11, GUEST_RESULTS
	mrs x0, cntpct_el0
	add x0, x0, #0x4000
	msr cntp_cval_el0, x0
	mrs x1, cntp_cval_el0
	sub x1, x1, x0
	str x1, [x10]
	mov x0, #1
	msr cntp_ctl_el0, x0
1:	msr daifset, #2
	ldr x13, [x11, #RESULT_IRQ_COUNT]
	cbnz x13, 2f
	wfi
	msr daifclr, #2
	isb
	b 1b
2:	mrs x0, cntp_ctl_el0
	str x0, [x10, #8]
	mov x0, #-1
	msr cntp_tval_el0, x0
	mov x0, #3
	msr cntp_ctl_el0, x0
	mrs x0, cntp_ctl_el0
	str x0, [x10, #16]
	DONE
GUEST_END physical_timer

// SGI 5 to vCPU 1, then waits for GUEST_DATA[0] interrupts.
GUEST_BEGIN send_sgi
	GIC_ON
	msr daifclr, #2
	movz x0, #0x500, lsl #16
	movk x0, #2
	msr S3_0_C12_C11_5, x0		// ICC_SGI1R_EL1
	isb
	ADDRESS x10, GUEST_DATA
	ADDRESS x11, GUEST_RESULTS
	ldr x12, [x10]
1:	ldr x13, [x11, #RESULT_IRQ_COUNT]
	cmp x13, x12
	b.lo 1b
	DONE
GUEST_END send_sgi

// GUEST_DATA[0] SGIs to itself, each taken before the next.
GUEST_BEGIN self_sgi
	GIC_ON
	msr daifclr, #2
	ADDRESS x10, GUEST_DATA
	ADDRESS x11, GUEST_RESULTS
	ldr x12, [x10]
	mov x14, #0
1:	add x14, x14, #1
	movz x0, #0x500, lsl #16
	movk x0, #1
	msr S3_0_C12_C11_5, x0		// ICC_SGI1R_EL1
	isb
2:	ldr x13, [x11, #RESULT_IRQ_COUNT]
	cmp x13, x14
	b.lo 2b
	cmp x14, x12
	b.lo 1b
	DONE
GUEST_END self_sgi

// --- code that the test wrote ---------------------------------------------------------------------------
GUEST_BEGIN call_written
	ADDRESS x10, GUEST_DATA
	ADDRESS x11, GUEST_WRITTEN
	blr x11
	DONE
GUEST_END call_written

// With translation on, by 1 GiB blocks to itself, and off again, what is in memory stays.
GUEST_BEGIN translate
	ADDRESS x10, 0x30000		// table
	movz x0, #0x701			// block, normal memory, AF, inner shareable
	str x0, [x10]
	mov x1, #0x705
	orr x1, x1, #(1 << 30)
	str x1, [x10, #8]
	dsb sy
	mov x0, #0x00ff
	msr mair_el1, x0
	movz x0, #(25 | 1 << 8 | 1 << 10 | 3 << 12)
	movk x0, #2, lsl #32
	msr tcr_el1, x0
	msr ttbr0_el1, x10
	isb
	mrs x2, sctlr_el1
	orr x3, x2, #4
	orr x3, x3, #1
	orr x3, x3, #(1 << 12)
	ADDRESS x11, GUEST_DATA
	mov x4, #0x1111
	str x4, [x11]
	msr sctlr_el1, x3
	isb
	ldr x5, [x11]
	mov x4, #0x2222
	str x4, [x11, #8]
	dc cisw, xzr
	msr sctlr_el1, x2
	isb
	ldr x6, [x11, #8]
	stp x5, x6, [x11, #16]
	DONE
GUEST_END translate

// Floating-point registers hold over exits.
GUEST_BEGIN vectors_fp
	mov x10, #100
	movz x1, #0x4242, lsl #16
	dup v7.2d, x1
1:	mov w0, #0x84000000
	hvc #0
	umov x2, v7.d[1]
	cmp x1, x2
	b.ne 2f
	subs x10, x10, #1
	b.ne 1b
	DONE
2:	EXIT 0xbad
	b .
GUEST_END vectors_fp
