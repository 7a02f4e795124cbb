// How guests begin, end and talk. Assembly only.
#pragma once

#include "tests/system/hypervisor/arm64/guest_layout.h"
#include "tests/system/hypervisor/guest_section.h"

	.arch armv8.1-a
	.arch_extension lse		// clang does not take it from the line above

// In a guest x20 is the version of the GIC.

// What is at an offset in a guest, such as vectors at a multiple of 2 KiB: guests are loaded at such.
.macro AT name, offset
	.skip \offset - (. - guest_\name)
.endm

.macro ADDRESS reg, value
	movz \reg, #((\value) & 0xffff)
	movk \reg, #((\value) >> 16), lsl #16
.endm

// Clobbers x0, x1.
.macro EXIT value
	mov w0, #\value
	ADDRESS x1, GUEST_EXIT
	str w0, [x1]
.endm

.macro DONE
	EXIT GUEST_DONE
	b .
.endm

// The CPU interface: all priorities, group 1 of a GICv3, group 0 of a GICv2. Clobbers x0, x1.
.macro GIC_ON
	cmp w20, #2
	b.eq 7001f
	mov x0, #0xff
	msr S3_0_C4_C6_0, x0		// ICC_PMR_EL1
	mov x0, #1
	msr S3_0_C12_C12_7, x0		// ICC_IGRPEN1_EL1
	isb
	b 7002f
7001:	ADDRESS x1, GUEST_GICC
	mov w0, #0xff
	str w0, [x1, #4]
	mov w0, #1
	str w0, [x1]
7002:
.endm
