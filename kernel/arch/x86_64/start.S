// Start-up in assembly: from what the starter leaves to x86_boot() in the higher half, and from a SIPI to x86_start_secondary().
//
// There are two ways in. A Multiboot loader enters boot_entry in 32-bit protected mode; what starts kernels by the ZBI protocol
// enters zbi_entry in long mode, the first 4 GiB mapped to themselves, and RSI has the physical address of the data container. The second
// leaves long mode again, so that from there on both find the same state, whatever control registers and page tables the starter
// had (five levels, for instance).
//
// The kernel is linked at KERNEL_IMAGE_BASE + physical address and loaded at 1 MiB. Its first 64 bytes hold the Multiboot header; in
// a boot image the headers of the container and of the kernel item stand in their place. The tables here map the first 4 GiB to themselves and
// in the linear map, and the first GiB as the image, writable and executable; paging.c replaces them, and they serve again only to
// bring other CPUs up. Multiboot Specification 0.6.96, section 3 (header, machine state); AMD64 Architecture Programmer's Manual
// Volume 2, "Processor Initialization and Long Mode Activation", "Leaving Long Mode".

#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/regs/paging.h"
#include "kernel/arch/x86_64/regs/segments.h"
#include "kernel/arch/x86_64/start.h"
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

#define PAGE_BYTES 4096

#define PTE_TABLE (PTE_P | PTE_W)
#define PTE_LARGE (PTE_P | PTE_W | PTE_PS)

// Of the boot tables' segments.
#define SELECTOR_CODE32 0x18

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
	.long 0, 1024, 768, 32		// video, if the flags ask for it: linear, of this size if it can be
	.skip 16
	// struct zbi_kernel
	.quad PHYS(zbi_entry)
	.quad kernel_reserve_size

	.section .boot.text, "ax"
	.code64
	.globl zbi_entry
zbi_entry:
	cli
	cld
	movl $START_ZBI_MAGIC, %ebp
	movl %esi, %ebx
	shrq $32, %rsi
	jz 1f
	movl $0xffffffff, %ebx		// beyond what is mapped: x86_boot() says so
1:	movl $PHYS(boot_stack_top), %esp
	lgdt PHYS(boot_gdtr)
	pushq $SELECTOR_CODE32
	pushq $PHYS(leave_long_mode)
	lretq

	.code32
leave_long_mode:
	movl $SELECTOR_KERNEL_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	// PCIDE must be off before paging is; LA57 can change only after that.
	movl %cr4, %eax
	andl $(CR4_PAE | CR4_LA57), %eax
	movl %eax, %cr4
	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0
	jmp enter_kernel

	.globl boot_entry
boot_entry:
	cli
	cld
	movl %eax, %ebp			// the loader's magic number

// EBP: START_ZBI_MAGIC or a loader's magic number; EBX: the address of what it has to tell.
enter_kernel:
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
	.quad 0x00cf9b000000ffff	// 32-bit code
boot_gdtr:
	.word . - boot_gdt - 1
	.quad PHYS(boot_gdt)
no_long_mode_text:
	.asciz "Machina needs a 64-bit CPU: this one has no long mode.\r\n"

	.section .boot.tables, "aw"
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.quad PHYS(boot_pdpt) + PTE_TABLE
	.skip (((LINEAR_MAP_BASE >> 39) & 511) - 1) * 8
	.quad PHYS(boot_pdpt) + PTE_TABLE
	.skip (511 - ((LINEAR_MAP_BASE >> 39) & 511) - 1) * 8
	.quad PHYS(boot_pdpt_high) + PTE_TABLE
boot_pdpt:
	.quad PHYS(boot_pd) + PTE_TABLE
	.quad PHYS(boot_pd) + PAGE_BYTES + PTE_TABLE
	.quad PHYS(boot_pd) + 2 * PAGE_BYTES + PTE_TABLE
	.quad PHYS(boot_pd) + 3 * PAGE_BYTES + PTE_TABLE
	.balign 4096
boot_pdpt_high:
	.skip ((KERNEL_IMAGE_BASE >> 30) & 511) * 8
	.quad PHYS(boot_pd) + PTE_TABLE
	.balign 4096
boot_pd:
	.set boot_page, 0
	.rept 4 * PT_ENTRIES
	.quad boot_page + PTE_LARGE
	.set boot_page, boot_page + (1 << 21)
	.endr

	.bss
	.balign 4096
	.globl boot_stack, boot_stack_top
boot_stack:
	.skip 16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
