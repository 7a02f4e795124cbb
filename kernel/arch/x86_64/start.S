// Start-up in assembly: from what the loader leaves (32-bit protected mode) to x86_boot() in the higher half, and from a SIPI
// to x86_start_secondary().
//
// The kernel is linked at KERNEL_IMAGE_BASE + physical address and loaded at 1 MiB. The tables built here map the first
// GiB three times (identity, linear map, image), writable and executable; paging.c replaces them, and they serve again only to
// bring other CPUs up. Multiboot Specification 0.6.96, section 3 (header, machine state); AMD64 Architecture Programmer's Manual
// Volume 2, "Processor Initialization and Long Mode Activation".

#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/regs/paging.h"
#include "kernel/arch/x86_64/regs/segments.h"
#include "kernel/arch/x86_64/trampoline.h"

#define PHYS(symbol) ((symbol) - KERNEL_IMAGE_BASE)

#define MULTIBOOT_HEADER_MAGIC 0x1badb002
#define MULTIBOOT_PAGE_ALIGN   0x00001
#define MULTIBOOT_MEMORY_INFO  0x00002
#define MULTIBOOT_ADDRESSES    0x10000
#define MULTIBOOT_FLAGS        (MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO | MULTIBOOT_ADDRESSES)

#define CPUID_EXTENDED_RANGE    0x80000000
#define CPUID_EXTENDED_FEATURES 0x80000001
#define CPUID_LONG_MODE_BIT     29

#define COM1_DATA        0x3f8
#define COM1_LINE_STATUS 0x3fd
#define LINE_STATUS_THRE 0x20

#define PTE_TABLE (PTE_P | PTE_W)
#define PTE_LARGE (PTE_P | PTE_W | PTE_PS)

	.section .boot.header, "a"
	.balign 4
multiboot_header:
	.long MULTIBOOT_HEADER_MAGIC
	.long MULTIBOOT_FLAGS
	.long -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_FLAGS)
	.long PHYS(multiboot_header)
	.long PHYS(kernel_image_start)
	.long PHYS(kernel_load_end)
	.long PHYS(kernel_image_end)
	.long PHYS(boot_entry)

	.section .boot.text, "ax"
	.code32
	.globl boot_entry
boot_entry:
	cli
	cld
	movl %eax, %ebp			// the loader's magic number
	movl $PHYS(kernel_load_end), %edi
	movl $PHYS(kernel_image_end), %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	xorl %eax, %eax
	rep stosl
	movl $PHYS(boot_stack_top), %esp

	// A CPU without CPUID cannot change the ID flag.
	pushfl
	popl %eax
	movl %eax, %ecx
	xorl $RFLAGS_ID, %eax
	pushl %eax
	popfl
	pushfl
	popl %eax
	cmpl %eax, %ecx
	je no_long_mode
	pushl %ebx
	movl $CPUID_EXTENDED_RANGE, %eax
	cpuid
	cmpl $CPUID_EXTENDED_FEATURES, %eax
	jb no_long_mode
	movl $CPUID_EXTENDED_FEATURES, %eax
	cpuid
	popl %ebx
	btl $CPUID_LONG_MODE_BIT, %edx
	jnc no_long_mode

	movl $PHYS(boot_pdpt) + PTE_TABLE, %eax
	movl %eax, PHYS(boot_pml4)
	movl %eax, PHYS(boot_pml4) + ((LINEAR_MAP_BASE >> 39) & 511) * 8
	movl $PHYS(boot_pdpt_high) + PTE_TABLE, PHYS(boot_pml4) + 511 * 8
	movl $PHYS(boot_pd) + PTE_TABLE, %eax
	movl %eax, PHYS(boot_pdpt)
	movl %eax, PHYS(boot_pdpt_high) + ((KERNEL_IMAGE_BASE >> 30) & 511) * 8
	xorl %ecx, %ecx
	movl $PTE_LARGE, %eax
1:	movl %eax, PHYS(boot_pd)(, %ecx, 8)
	addl $(1 << 21), %eax
	incl %ecx
	cmpl $PT_ENTRIES, %ecx
	jb 1b

	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl $(CR0_PG | CR0_PE | CR0_WP | CR0_NE | CR0_ET), %eax
	movl %eax, %cr0
	lgdt PHYS(boot_gdtr)
	ljmp $SELECTOR_KERNEL_CODE, $PHYS(boot_long_mode)

no_long_mode:
	movl $PHYS(no_long_mode_text), %esi
1:	movw $COM1_LINE_STATUS, %dx
	movl $100000, %ecx
2:	inb %dx, %al
	testb $LINE_STATUS_THRE, %al
	loopz 2b
	lodsb
	testb %al, %al
	jz 3f
	movw $COM1_DATA, %dx
	outb %al, %dx
	jmp 1b
3:	hlt
	jmp 3b

	.code64
boot_long_mode:
	movabsq $boot_high_half, %rax
	jmp *%rax

	.text
boot_high_half:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movq $boot_stack_top, %rsp
	movl %ebp, %edi
	movl %ebx, %esi
	xorl %ebp, %ebp
	call x86_boot
	ud2

// Other CPUs start here in real mode, copied to TRAMPOLINE_BASE. TRAMPOLINE(symbol) is a symbol's place in the copy.
#define TRAMPOLINE(symbol) ((symbol) - trampoline_start + TRAMPOLINE_BASE)

	.section .boot.text, "ax"
	.code16
	.globl trampoline_start, trampoline_end
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl trampoline_gdtr - trampoline_start
	movl $(CR0_PE | CR0_NE | CR0_ET), %eax
	movl %eax, %cr0
	ljmpl $SELECTOR_KERNEL_CODE, $TRAMPOLINE(trampoline_protected)

	.code32
trampoline_protected:
	movw $SELECTOR_KERNEL_DATA, %ax
	movw %ax, %ds
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl TRAMPOLINE(trampoline_efer), %eax
	wrmsr
	movl $(CR0_PG | CR0_PE | CR0_WP | CR0_NE | CR0_ET), %eax
	movl %eax, %cr0
	lgdt TRAMPOLINE(trampoline_gdtr64)
	ljmp $SELECTOR_KERNEL_CODE, $TRAMPOLINE(trampoline_long_mode)

	.code64
trampoline_long_mode:
	movabsq $secondary_high_half, %rax
	jmp *%rax

	.balign 8
trampoline_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	// 32-bit code
	.quad 0x00cf93000000ffff	// data
trampoline_gdtr:
	.word . - trampoline_gdt - 1
	.long TRAMPOLINE(trampoline_gdt)
	.balign 8
trampoline_gdt64:
	.quad 0
	.quad 0x00af9b000000ffff	// 64-bit code
	.quad 0x00cf93000000ffff
trampoline_gdtr64:
	.word . - trampoline_gdt64 - 1
	.quad TRAMPOLINE(trampoline_gdt64)
	.balign 8
	.globl trampoline_efer
trampoline_efer:
	.long 0
trampoline_end:

	.text
secondary_high_half:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movq kernel_root, %rax
	movq %rax, %cr3
	// Only the CPU that takes the stack may go on: one that comes up after its starter gave up finds none.
	xorl %eax, %eax
	xchgq %rax, secondary_stack_top
	testq %rax, %rax
	jz 1f
	movq %rax, %rsp
	xorl %ebp, %ebp
	call x86_start_secondary
1:	cli
	hlt
	jmp 1b

	.section .rodata
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	// 64-bit code
	.quad 0x00cf93000000ffff	// data
boot_gdtr:
	.word . - boot_gdt - 1
	.quad PHYS(boot_gdt)
no_long_mode_text:
	.asciz "Machina needs a 64-bit CPU: this one has no long mode.\r\n"

	.bss
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_pdpt_high:
	.skip 4096
boot_pd:
	.skip 4096
	.globl boot_stack, boot_stack_top
boot_stack:
	.skip 16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
