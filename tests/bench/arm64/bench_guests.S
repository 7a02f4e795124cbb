// Guests that measure one operation each: ticks of every round at GUEST_DATA, BENCH_REPETITIONS of the operation in each round.
//
// x20 to x28 are the frame's: x24 where the next round's ticks go, x25 rounds left, x26 repetitions left, x27 the handler of
// interrupts, x21 and x22 time stamps.
#include <bench_arch.h>

#include "tests/bench/arm64/bench_layout.h"
#include "tests/system/hypervisor/arm64/guest_macros.h"

#define ICC_PMR_EL1     S3_0_C4_C6_0
#define ICC_SGI1R_EL1   S3_0_C12_C11_5
#define ICC_IAR1_EL1    S3_0_C12_C12_0
#define ICC_EOIR1_EL1   S3_0_C12_C12_1
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7

.macro TIME_STAMP reg
	isb
	mrs \reg, cntvct_el0
.endm

// Every operation's round begins with interrupts off; the code between may turn them on.
.macro MEASURE_BEGIN
	ADDRESS x24, GUEST_DATA
	mov x25, #BENCH_ROUNDS
8000:	mov x26, #BENCH_REPETITIONS
	TIME_STAMP x21
8001:
.endm

.macro MEASURE_END
	subs x26, x26, #1
	b.ne 8001b
	TIME_STAMP x22
	sub x22, x22, x21
	str x22, [x24], #8
	subs x25, x25, #1
	b.ne 8000b
	DONE
.endm

// The CPU interface, all priorities; `handler` takes what comes while interrupts are on.
.macro TAKE_INTERRUPTS handler
	adr x27, \handler
	ADDRESS x0, GUEST_VECTORS
	msr vbar_el1, x0
	mov x0, #0xff
	msr ICC_PMR_EL1, x0
	mov x0, #1
	msr ICC_IGRPEN1_EL1, x0
	isb
.endm

GUEST_BEGIN bench_vectors
	.rept 16
	br x27
	.skip 124
	.endr
GUEST_END bench_vectors

GUEST_BEGIN bench_nothing
	MEASURE_BEGIN
	MEASURE_END
GUEST_END bench_nothing

GUEST_BEGIN bench_hypercall
	MEASURE_BEGIN
	mov w0, #0x84000000		// PSCI_VERSION
	hvc #0
	MEASURE_END
GUEST_END bench_hypercall

GUEST_BEGIN bench_memory_read
	ADDRESS x10, GUEST_DEVICE
	MEASURE_BEGIN
	ldr w0, [x10, #0x3fc]		// GPIODATA, all pins
	MEASURE_END
GUEST_END bench_memory_read

GUEST_BEGIN bench_distributor_read
	ADDRESS x10, BENCH_DISTRIBUTOR
	MEASURE_BEGIN
	ldr w0, [x10, #0x104]		// GICD_ISENABLER1
	MEASURE_END
GUEST_END bench_distributor_read

// As a kernel that masks an interrupt and unmasks it; each write counts.
GUEST_BEGIN bench_distributor_write
	ADDRESS x10, BENCH_DISTRIBUTOR
	mov w0, #0x100
	MEASURE_BEGIN
	str w0, [x10, #0x104]		// GICD_ISENABLER1
	MEASURE_END
GUEST_END bench_distributor_write

GUEST_BEGIN bench_memory_bell
	ADDRESS x10, GUEST_BELL
	MEASURE_BEGIN
	str w10, [x10]
	MEASURE_END
GUEST_END bench_memory_bell

// From the write that sends it to behind its handler.
GUEST_BEGIN bench_self_sgi
	TAKE_INTERRUPTS 2f
	mov x11, #0
	movz x10, #0x500, lsl #16	// SGI 5
	movk x10, #1
	msr daifclr, #2
	MEASURE_BEGIN
	mov x12, x11
	msr ICC_SGI1R_EL1, x10
	isb
1:	cmp x11, x12
	b.eq 1b
	MEASURE_END
2:	add x11, x11, #1
	mrs x0, ICC_IAR1_EL1
	msr ICC_EOIR1_EL1, x0
	eret
GUEST_END bench_self_sgi

// The end of an interrupt alone. There is one at a time, so the counter's 16 instructions are told apart by rounds of 16 that
// read it at as many distances from its last advance: repetition n does n NOPs first.
GUEST_BEGIN bench_eoi
	TAKE_INTERRUPTS 2f
	movz x10, #0x500, lsl #16
	movk x10, #1
	msr daifclr, #2
	ADDRESS x24, GUEST_DATA
	mov x25, #BENCH_ROUNDS
3:	mov x26, #BENCH_REPETITIONS
	mov x28, #0
1:	mov x13, #1
	msr ICC_SGI1R_EL1, x10
	isb
4:	cbnz x13, 4b
	subs x26, x26, #1
	b.ne 1b
	str x28, [x24], #8
	subs x25, x25, #1
	b.ne 3b
	DONE
2:	mrs x0, ICC_IAR1_EL1
	adr x1, 5f
	and x2, x26, #15
	add x1, x1, x2, lsl #2
	br x1
5:	.rept 16
	nop
	.endr
	TIME_STAMP x21
	msr ICC_EOIR1_EL1, x0
	TIME_STAMP x22
	sub x22, x22, x21
	add x28, x28, x22
	mov x13, #0
	eret
GUEST_END bench_eoi

// The same with nothing to end: what the time stamps take.
GUEST_BEGIN bench_eoi_nothing
	ADDRESS x24, GUEST_DATA
	mov x25, #BENCH_ROUNDS
3:	mov x26, #BENCH_REPETITIONS
	mov x28, #0
1:	adr x1, 5f
	and x2, x26, #15
	add x1, x1, x2, lsl #2
	br x1
5:	.rept 16
	nop
	.endr
	TIME_STAMP x21
	TIME_STAMP x22
	sub x22, x22, x21
	add x28, x28, x22
	.rept 14			// so that the NOPs are all that moves the stamps on
	nop
	.endr
	subs x26, x26, #1
	b.ne 1b
	str x28, [x24], #8
	subs x25, x25, #1
	b.ne 3b
	DONE
GUEST_END bench_eoi_nothing

// GUEST_DATA: how late the handler is, in ticks. x19: 0 waits busy, 1 idle, for 1 ms.
.macro TIMER idle
	TAKE_INTERRUPTS 2f
	ADDRESS x24, GUEST_DATA
	mov x25, #BENCH_ROUNDS
	mov w12, #62500
	msr daifclr, #2
1:	mov x13, #1
	isb
	mrs x21, cntvct_el0
	add x21, x21, x12
	msr cntv_cval_el0, x21
	mov x0, #1
	msr cntv_ctl_el0, x0
	isb
3:
	.if \idle
	wfi
	.endif
	cbnz x13, 3b
	subs x25, x25, #1
	b.ne 1b
	DONE
2:	TIME_STAMP x22
	mrs x0, ICC_IAR1_EL1
	msr cntv_ctl_el0, xzr
	isb
	msr ICC_EOIR1_EL1, x0
	sub x22, x22, x21
	str x22, [x24], #8
	mov x13, #0
	eret
.endm

GUEST_BEGIN bench_timer_busy
	TIMER 0
GUEST_END bench_timer_busy

GUEST_BEGIN bench_timer_idle
	TIMER 1
GUEST_END bench_timer_idle

// vCPU 0 and vCPU 1 wait idle for each other's SGI; a repetition is one there and one back.
GUEST_BEGIN bench_sgi
	TAKE_INTERRUPTS 2f
	mov x11, #0
	movz x10, #0x500, lsl #16
	movk x10, #2			// vCPU 1
	MEASURE_BEGIN
	mov x12, x11
	msr ICC_SGI1R_EL1, x10
	isb
1:	msr daifset, #2
	cmp x11, x12
	b.ne 3f
	wfi
	msr daifclr, #2
	isb
	b 1b
3:	MEASURE_END
2:	add x11, x11, #1
	mrs x0, ICC_IAR1_EL1
	msr ICC_EOIR1_EL1, x0
	eret
GUEST_END bench_sgi

GUEST_BEGIN bench_sgi_answer
	TAKE_INTERRUPTS 2f
	movz x10, #0x500, lsl #16
	movk x10, #1			// vCPU 0
1:	wfi
	msr daifclr, #2
	isb
	msr daifset, #2
	b 1b
2:	mrs x0, ICC_IAR1_EL1
	msr ICC_EOIR1_EL1, x0
	msr ICC_SGI1R_EL1, x10
	eret
GUEST_END bench_sgi_answer

// Rings the bell and sleeps until the device's interrupt, again and again. At BENCH_STAMPS: the two time stamps of each
// round. Before that, device reads with stamps before and after at BENCH_OFFSET_STAMPS, which tell the VMM how far the counters
// are apart.
GUEST_BEGIN bench_device
	TAKE_INTERRUPTS 2f
	ADDRESS x10, GUEST_DEVICE
	ADDRESS x24, GUEST_DATA + BENCH_OFFSET_STAMPS
	mov x26, #2
3:	TIME_STAMP x21
	ldr w0, [x10]
	TIME_STAMP x22
	stp x21, x22, [x24]
	subs x26, x26, #1
	b.ne 3b
	EXIT BENCH_OFFSET_DONE
	ADDRESS x24, GUEST_DATA + BENCH_STAMPS
	ADDRESS x10, GUEST_BELL
	mov x25, #BENCH_ROUNDS
1:	TIME_STAMP x21
	str x21, [x24], #8
	str w10, [x10]
	wfi
	msr daifclr, #2
	isb
	msr daifset, #2
	subs x25, x25, #1
	b.ne 1b
	DONE
2:	TIME_STAMP x22
	str x22, [x24], #8
	mrs x0, ICC_IAR1_EL1
	msr ICC_EOIR1_EL1, x0
	eret
GUEST_END bench_device

	.section .note.GNU-stack, "", %progbits
