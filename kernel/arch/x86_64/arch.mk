# x86-64: what the kernel's build needs to know about this architecture. Included by the top Makefile, with B the build folder.
#
#   KERNEL_SRCS      set before the include: the generic kernel sources
#   ARCH_CFLAGS      for every kernel source, C and assembly
#   ARCH_SRCS        the architecture's sources (hypervisor included)
#   KERNEL_OBJS      all of the kernel's objects, $(B)/kernel-obj/PATH.o for PATH.c or PATH.S
#   $(B)/machina.bin the flat binary that Multiboot loaders take (qemu -kernel, GRUB)

ARCH_CFLAGS := -m64 -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pic -fno-omit-frame-pointer \
	-fstack-protector-strong -mstack-protector-guard=global -fno-asynchronous-unwind-tables \
	-Ikernel/abi/x86_64 -Ikernel/arch/include -Ikernel/arch/x86_64/include
ARCH_SRCS := $(wildcard kernel/arch/x86_64/*.c kernel/arch/x86_64/*.S kernel/arch/x86_64/portable/*.c \
	kernel/arch/x86_64/hypervisor/*.c kernel/arch/x86_64/hypervisor/*.S \
	kernel/arch/x86_64/hypervisor/portable/*.c)
ARCH_LDFLAGS := -m64 -nostdlib -static -no-pie -Wl,-T,kernel/arch/x86_64/kernel.ld -Wl,-z,max-page-size=4096 \
	-Wl,--build-id=none -Wl,-z,noexecstack

KERNEL_OBJS := $(patsubst %,$(B)/kernel-obj/%.o,$(basename $(KERNEL_SRCS) $(ARCH_SRCS)))

# Linked twice: the first time with an empty symbol table, which the second fills in from the first.
KERNEL_LINK_INPUTS := $(KERNEL_OBJS) kernel/arch/x86_64/kernel.ld

$(B)/symbols-none.S: kernel/tools/mksymbols.sh
	@mkdir -p $(@D)
	$< > $@
$(B)/machina-1.elf: $(KERNEL_LINK_INPUTS) $(B)/symbols-none.S
	$(KERNEL_CC) $(KERNEL_LTO) $(ARCH_LDFLAGS) $(KERNEL_OBJS) $(B)/symbols-none.S -o $@
$(B)/symbols.S: $(B)/machina-1.elf kernel/tools/mksymbols.sh
	kernel/tools/mksymbols.sh nm $< > $@
$(B)/machina.elf: $(KERNEL_LINK_INPUTS) $(B)/symbols.S
	$(KERNEL_CC) $(KERNEL_LTO) $(ARCH_LDFLAGS) $(KERNEL_OBJS) $(B)/symbols.S -o $@
$(B)/machina.bin: $(B)/machina.elf
	objcopy -O binary $< $@

# It has the stack protector's guard.
$(B)/kernel-obj/kernel/arch/x86_64/boot.o: KERNEL_CFLAGS += $(KERNEL_NO_LTO)
