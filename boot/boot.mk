# The UEFI loader, for both architectures. Included by the top Makefile, with B the build folder, ARCH and CROSS.
#
#   $(B)/loader.efi   the loader
#
# gnu-efi's headers and start-up code are Debian's: the x64 ones of the installed package, the arm64 ones of a downloaded one.

EFI_MACHINE_x64 := x86_64
EFI_MACHINE_arm64 := aarch64
EFI_MACHINE := $(EFI_MACHINE_$(ARCH))
# What firmware looks for on media that can be removed (UEFI Specification 2.10, 3.5.1.1).
EFI_NAME_x64 := BOOTX64.EFI
EFI_NAME_arm64 := BOOTAA64.EFI
EFI_NAME := $(EFI_NAME_$(ARCH))
EFI_ROOT_arm64 := build/gnu-efi-arm64
EFI_ROOT := $(EFI_ROOT_$(ARCH))/usr
EFI_LIB := $(EFI_ROOT)/lib
EFI_CRT := $(EFI_LIB)/crt0-efi-$(EFI_MACHINE).o

EFI_CFLAGS_x64 := -mno-red-zone -mgeneral-regs-only -DGNU_EFI_USE_MS_ABI
EFI_CFLAGS_arm64 := -mgeneral-regs-only -mno-outline-atomics
EFI_STRING_x64 := kernel/arch/x86_64/memory.S
EFI_CFLAGS := $(COMMON) -O2 -ffreestanding -fpic -fshort-wchar -fno-stack-protector -fno-strict-aliasing \
	-fno-asynchronous-unwind-tables -fvisibility=hidden -Iboot/efi/$(ARCH) \
	-isystem $(EFI_ROOT)/include/efi -isystem $(EFI_ROOT)/include/efi/$(EFI_MACHINE) $(EFI_CFLAGS_$(ARCH))

EFI_SRCS := $(wildcard boot/efi/*.c boot/efi/$(ARCH)/*.c boot/efi/$(ARCH)/*.S boot/loader/*.c) boot/zbi.c kernel/lib/print.c \
	kernel/lib/fdt.c kernel/lib/target/string.c $(EFI_STRING_$(ARCH))
EFI_OBJS := $(patsubst %,$(B)/efi-obj/%.o,$(basename $(EFI_SRCS)))
EFI_SECTIONS := -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rela.*' -j .reloc
EFI_FORMAT_x64 := --target=efi-app-x86_64
EFI_FORMAT_arm64 := -O binary

build/gnu-efi-arm64/usr/lib/crt0-efi-aarch64.o:
	mkdir -p build/gnu-efi-arm64
	dpkg-deb -x $$(scripts/fetch-package arm64 gnu-efi build/gnu-efi-arm64) build/gnu-efi-arm64
	touch $@

$(B)/efi-obj/%.o: %.c | $(EFI_CRT)
	mkdir -p $(@D)
	$(KERNEL_CC) $(EFI_CFLAGS) -c $< -o $@
$(B)/efi-obj/%.o: %.S | $(EFI_CRT)
	mkdir -p $(@D)
	$(KERNEL_CC) $(EFI_CFLAGS) -D__ASSEMBLER__ -c $< -o $@
$(B)/efi-obj/kernel/lib/target/string.o: EFI_CFLAGS += -fno-builtin \
	$(if $(findstring clang,$(KERNEL_CC)),,-fno-tree-loop-distribute-patterns)

EFI_LINK = $(CROSS)ld -nostdlib -shared -Bsymbolic -znocombreloc -znoexecstack --no-undefined --no-warn-rwx-segments --defsym=EFI_SUBSYSTEM=10 -T $(EFI_LIB)/elf_$(EFI_MACHINE)_efi.lds \
	$(EFI_CRT) $^ -L$(EFI_LIB) -lgnuefi -o $@

$(B)/loader.so: $(EFI_OBJS)
	$(EFI_LINK)
$(B)/%.efi: $(B)/%.so
	$(CROSS)objcopy $(EFI_SECTIONS) $(EFI_FORMAT_$(ARCH)) $< $@
