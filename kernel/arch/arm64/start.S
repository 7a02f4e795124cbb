// Start-up in assembly: from what the starter leaves to arm64_boot() in the kernel's half, and from PSCI's CPU_ON to
// arm64_start_secondary().
//
// There are two ways in, both with address translation off and at EL2 or EL1: boot_entry by the Image format (Linux
// Documentation/arm64/booting.rst; x0 is the device tree), zbi_entry by the ZBI protocol (x0 is the data container). The Image's header is the
// first 64 bytes; in a boot image the headers of the container and of the kernel item stand in their place.
//
// The image runs at any physical address that is a multiple of 4 KiB. Until translation is on, addresses are taken relative to PC. The
// tables built here map the image, writable and executable, and the GiB that it begins in to itself, read-only and
// executable; paging.c replaces the first, and the second serves again to bring other CPUs up.

#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/id.h"
#include "kernel/arch/arm64/regs/paging.h"
#include "kernel/arch/arm64/start.h"

#define HEADER_FLAGS 0xa // little endian, 4 KiB pages, anywhere in memory

#define PTE_IMAGE    (PTE_VALID | PTE_AF | PTE_SH_INNER | PTE_NORMAL)
#define PTE_IDENTITY (PTE_IMAGE | PTE_AP_READ_ONLY)
#define PTE_POINTER  (PTE_VALID | PTE_TABLE)

#define IMAGE_LEVEL4_INDEX 511
#define IMAGE_LEVEL3_INDEX 510
#define IMAGE_LEVEL1_COUNT 2 // for an image of up to 4 MiB (kernel.ld checks that)

	.section .boot.header, "ax"
	.globl kernel_entry
kernel_entry:
	b boot_entry
	.long 0
	.quad 0				// offset from a multiple of 2 MiB
	.quad kernel_image_size
	.quad HEADER_FLAGS
	.quad 0, 0, 0
	.ascii "ARM\x64"
	.long 0
	// struct zbi_kernel
	.quad zbi_entry - kernel_entry
	.quad kernel_reserve_size

	.section .boot.text, "ax"

.macro address reg, symbol
	adrp \reg, \symbol
	add \reg, \reg, :lo12:\symbol
.endm

	.globl zbi_entry
zbi_entry:
	mov w22, #START_ZBI
	b 1f
boot_entry:
	mov w22, #START_TREE
1:	mov x20, x0
	adrp x19, kernel_entry
	bl set_up_level
	mov w21, w0
	bl build_tables
	adrp x0, boot_image_level4
	address x1, 1f
	b enable_translation
1:	// In the kernel's half.
	address x0, kernel_load_end
	address x1, kernel_bss_end
2:	stp xzr, xzr, [x0], #16
	cmp x0, x1
	b.lo 2b
	address x0, boot_stack_top
	mov sp, x0
	mov x29, xzr
	mov x30, xzr
	mov x0, x20
	mov x1, x19
	mov w2, w21
	mov w3, w22
	b arm64_boot

// Brings the CPU to where the kernel runs, translation off. Returns BOOT_MODE_* in w0; keeps x4 and above, but x30.
set_up_level:
	msr daifset, #0xf
	msr spsel, #1
	ldr x3, =SCTLR_OFF
	mrs x0, CurrentEL
	cmp x0, #CURRENT_EL_EL2
	b.eq 1f
	msr sctlr_el1, x3
	isb
	mov w0, #BOOT_MODE_ENTERED_EL1
	ret
1:	mrs x0, id_aa64pfr0_el1
	ubfx x0, x0, #ID_AA64PFR0_GIC_SHIFT, #4
	cbz x0, 2f
	mrs x0, ICC_SRE_EL2
	orr x0, x0, #(ICC_SRE_SRE | ICC_SRE_DFB | ICC_SRE_DIB)
	orr x0, x0, #ICC_SRE_ENABLE
	msr ICC_SRE_EL2, x0
	isb
2:	msr cntvoff_el2, xzr
	msr hstr_el2, xzr
	msr vttbr_el2, xzr
	mrs x0, id_aa64mmfr1_el1
	ubfx x0, x0, #ID_AA64MMFR1_VH_SHIFT, #4
	mov x1, #1
	lsl x2, x1, #HCR_RW_BIT
	cbz x0, 3f
	orr x2, x2, #(1 << HCR_TGE_BIT)
	orr x2, x2, x1, lsl #HCR_E2H_BIT
	msr hcr_el2, x2
	isb
	msr sctlr_el1, x3
	isb
	mov w0, #BOOT_MODE_EL2
	ret
3:	msr hcr_el2, x2
	msr sctlr_el1, x3
	mov x0, #(CNTHCTL_EL1PCTEN | CNTHCTL_EL1PCEN)
	msr cnthctl_el2, x0
	mov x0, #CPTR_EL2_RES1
	msr cptr_el2, x0
	mrs x0, midr_el1
	msr vpidr_el2, x0
	mrs x0, mpidr_el1
	msr vmpidr_el2, x0
	mov x0, #(PSTATE_DAIF | PSTATE_EL1H)
	msr spsr_el2, x0
	msr elr_el2, x30
	mov w0, #BOOT_MODE_NO_VHE
	eret

// x19: the image's physical address.
build_tables:
	address x0, boot_tables
	address x1, boot_tables_end
1:	stp xzr, xzr, [x0], #16
	cmp x0, x1
	b.lo 1b

	adrp x0, boot_identity_level4
	adrp x1, boot_identity_level3
	orr x2, x1, #PTE_POINTER
	ubfx x3, x19, #39, #9
	str x2, [x0, x3, lsl #3]
	ubfx x3, x19, #30, #9
	and x2, x19, #~((1 << 30) - 1)
	mov x4, #PTE_IDENTITY
	orr x2, x2, x4
	str x2, [x1, x3, lsl #3]

	adrp x0, boot_image_level4
	adrp x1, boot_image_level3
	orr x2, x1, #PTE_POINTER
	str x2, [x0, #IMAGE_LEVEL4_INDEX * 8]
	adrp x0, boot_image_level2
	orr x2, x0, #PTE_POINTER
	str x2, [x1, #IMAGE_LEVEL3_INDEX * 8]
	adrp x1, boot_image_level1
	orr x2, x1, #PTE_POINTER
	mov x3, #IMAGE_LEVEL1_COUNT
1:	str x2, [x0], #8
	add x2, x2, #4096
	subs x3, x3, #1
	b.ne 1b
	adrp x3, kernel_image_end
	mov x4, #(PTE_IMAGE | PTE_TABLE)	// a page
	orr x2, x19, x4
2:	str x2, [x1], #8
	add x2, x2, #4096
	cmp x2, x3
	b.lo 2b

	// Written past the caches, which may hold older contents of these lines.
	mrs x3, ctr_el0
	ubfx x3, x3, #CTR_DMINLINE_SHIFT, #4
	mov x2, #4
	lsl x2, x2, x3
	address x0, boot_tables
	address x1, boot_tables_end
	dmb sy
3:	dc ivac, x0
	add x0, x0, x2
	cmp x0, x1
	b.lo 3b
	dsb sy
	ret

// Translation on, with x0 the kernel's top table and start.S's identity map; goes on at the image's address of the place whose
// physical address is x1.
enable_translation:
	movz x2, #MAIR_LOW
	movk x2, #MAIR_HIGH, lsl #16
	msr mair_el1, x2
	ldr x2, =TCR_LOW
	mov x3, #TCR_TG1_4K
	orr x2, x2, x3, lsl #TCR_TG1_4K_SHIFT
	mrs x3, id_aa64mmfr0_el1
	ubfx x4, x3, #ID_AA64MMFR0_ASIDBITS_SHIFT, #4
	cmp x4, #ID_AA64MMFR0_ASIDBITS_16
	cset x4, eq
	orr x2, x2, x4, lsl #TCR_AS_SHIFT
	and x3, x3, #0xf
	mov x4, #TCR_IPS_48
	cmp x3, x4
	csel x3, x3, x4, lo
	orr x2, x2, x3, lsl #TCR_IPS_SHIFT
	msr tcr_el1, x2
	adrp x2, boot_identity_level4
	msr ttbr0_el1, x2
	msr ttbr1_el1, x0
	adrp x2, kernel_entry
	sub x1, x1, x2
	ldr x2, =KERNEL_IMAGE_BASE
	add x1, x1, x2
	isb
	tlbi vmalle1
	ic iallu
	dsb nsh
	isb
	ldr x2, =SCTLR_ON
	msr sctlr_el1, x2
	isb
	br x1

// void arm64_load_kernel_tables(uint64_t root, uint64_t image_physical)
	.globl arm64_load_kernel_tables
arm64_load_kernel_tables:
	address x2, 1f
	ldr x3, =KERNEL_IMAGE_BASE
	sub x2, x2, x3
	add x2, x2, x1
	br x2
1:	adrp x2, boot_empty_table
	msr ttbr1_el1, x2
	isb
	tlbi vmalle1
	dsb nsh
	isb
	msr ttbr1_el1, x0
	isb
	ret

// x0: physical address of this CPU's struct arm64_start.
	.globl arm64_secondary_entry
arm64_secondary_entry:
	mov x20, x0
	bl set_up_level
	ldr x0, [x20, #START_KERNEL_ROOT]
	ldr x21, [x20, #START_STACK_TOP]
	ldr x22, [x20, #START_CPU]
	address x1, 1f
	b enable_translation
1:	mov sp, x21
	mov x29, xzr
	mov x30, xzr
	mov x0, x22
	b arm64_start_secondary

	.ltorg

// In bss but zeroed before translation is on.
	.section .boot.tables, "aw", @nobits
	.balign 4096
boot_tables:
boot_identity_level4:
	.skip 4096
boot_identity_level3:
	.skip 4096
boot_image_level4:
	.skip 4096
boot_image_level3:
	.skip 4096
boot_image_level2:
	.skip 4096
boot_image_level1:
	.skip 4096 * IMAGE_LEVEL1_COUNT
	.globl boot_empty_table
boot_empty_table:
	.skip 4096
boot_tables_end:

// Every kernel stack lies in a block of 32 KiB from its second page on, below it an unmapped page; the entry code goes by that (entry.S).
	.bss
	.balign 32768
	.globl boot_stack_guard, boot_stack, boot_stack_top, overflow_stack, overflow_stack_top
boot_stack_guard:
	.skip 4096
boot_stack:
	.skip 16384
boot_stack_top:
overflow_stack:
	.skip 8192
overflow_stack_top:

	.section .note.GNU-stack, "", @progbits
