// The last code of the loader. Runs from a copy that was cleaned out of the caches, without a stack: x0 data, x1 entry.

#define SCTLR_M (1 << 0)
#define SCTLR_C (1 << 2)
#define SCTLR_I (1 << 12)

	.text
	.globl turn_off_and_enter, turn_off_and_enter_end
turn_off_and_enter:
	mov x3, #(SCTLR_M | SCTLR_C)
	orr x3, x3, #SCTLR_I
	mrs x2, CurrentEL
	cmp x2, #(2 << 2)
	b.eq 1f
	mrs x2, sctlr_el1
	bic x2, x2, x3
	msr sctlr_el1, x2
	b 2f
1:	mrs x2, sctlr_el2
	bic x2, x2, x3
	msr sctlr_el2, x2
2:	isb
	ic iallu
	dsb sy
	isb
	mov x2, xzr
	mov x3, xzr
	br x1
turn_off_and_enter_end:

	.section .note.GNU-stack, "", @progbits
