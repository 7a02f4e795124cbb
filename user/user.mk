# User programs for the target: the shared library and every program in the boot image's bin/.
#
# The including Makefile defines B (the target's build folder), ARCH_DIR, CROSS (prefix of the tools), WARNINGS, GLYPH_TABLE (the
# screen's font as C) and USER_CC if it is not gcc. What is in here builds $B/user/libuser.a and $B/bin/NAME for each NAME in USER_PROGRAMS, stripped ($B/user/NAME.debug
# has the symbols). Another folder adds its program with
#   USER_PROGRAMS += vmm
#   USER_SRCS_vmm := vmm/main.c ...
# before this file is included, and a test or benchmark in the same way.

USER_CC ?= $(CROSS)gcc
USER_LD ?= $(CROSS)ld
USER_STRIP ?= $(CROSS)strip

USER_INCLUDES := -Iuser/include -Iuser/drivers/include/$(ARCH_DIR) -I. -Ikernel/abi -Ikernel/abi/$(ARCH_DIR) \
	-isystem $(shell $(USER_CC) -print-file-name=include)

USER_CFLAGS_x86_64 := -mgeneral-regs-only -mstack-protector-guard=global
USER_CFLAGS_arm64 := -march=armv8-a -mgeneral-regs-only -mno-outline-atomics -mbranch-protection=none
USER_LDFLAGS_x86_64 := -m elf_x86_64
USER_LDFLAGS_arm64 := -m aarch64linux

USER_CFLAGS := -std=gnu17 -g -O2 -ffreestanding -nostdinc -fno-pic -fno-pie -fno-common \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fstack-protector-strong \
	-ffunction-sections -fdata-sections -MMD -MP $(USER_CFLAGS_$(ARCH_DIR)) $(WARNINGS) $(USER_INCLUDES)

# Segments of their own pages: text, constants, data. No stack flag but "not executable".
USER_LDFLAGS := $(USER_LDFLAGS_$(ARCH_DIR)) -static -nostdlib --gc-sections -z noexecstack \
	-z separate-code -z norelro -z max-page-size=4096 --build-id=none \
	-Ttext-segment=0x400000 --fatal-warnings

USER_LIB_SRCS := $(wildcard user/lib/*.c) \
	$(filter-out $(filter-out %_$(ARCH_DIR).c,$(wildcard user/portable/kstats_columns_*.c)),$(wildcard user/portable/*.c)) \
	boot/boot_option.c boot/bootfs.c boot/elf.c boot/zbi.c $(GLYPH_TABLE)
USER_LIB_ASM := $(wildcard user/lib/$(ARCH_DIR)/*.S)

USER_COMMANDS := $(patsubst guest-tools/%.c,%,$(wildcard guest-tools/*.c))

# What only one architecture's machines have.
USER_PROGRAMS_x86_64 := i8042
USER_PROGRAMS += init console screen device_manager virtio_block_driver nvme_driver ahci_driver disk_service \
	$(USER_COMMANDS) $(USER_PROGRAMS_$(ARCH_DIR))
# What driver programs have in common.
DRIVER_LIB_SRCS := $(wildcard user/drivers/lib/*.c user/drivers/portable/*.c)
USER_SRCS_virtio_block_driver := user/drivers/disks/virtio_block.c $(DRIVER_LIB_SRCS)
USER_SRCS_nvme_driver := user/drivers/disks/nvme.c $(DRIVER_LIB_SRCS)
USER_SRCS_ahci_driver := user/drivers/disks/ahci.c $(DRIVER_LIB_SRCS)
USER_SRCS_disk_service := user/services/disk_service.c
USER_SRCS_init := user/services/init.c
USER_SRCS_device_manager := user/drivers/device_manager.c user/drivers/pci_host.c $(DRIVER_LIB_SRCS)
USER_SRCS_console := user/services/console.c user/services/uart_memory.c user/services/$(ARCH_DIR)/uart.c
USER_SRCS_screen := $(wildcard user/services/screen/*.c)
USER_SRCS_i8042 := user/services/x86_64/i8042.c
USER_PROGRAMS += xhci_driver virtio_input_driver
USER_SRCS_virtio_input_driver := $(wildcard user/drivers/input/*.c user/drivers/input/portable/*.c) $(DRIVER_LIB_SRCS)
USER_SRCS_xhci_driver := $(wildcard user/drivers/usb/*.c user/drivers/usb/portable/*.c) user/drivers/input/keyboard_link.c \
	user/drivers/input/portable/key_queue.c $(DRIVER_LIB_SRCS)
$(foreach name,$(USER_COMMANDS),$(eval USER_SRCS_$(name) := guest-tools/$(name).c))

$B/user-obj/%.o: %.c
	@mkdir -p $(@D)
	$(USER_CC) $(USER_CFLAGS) -c $< -o $@
$B/user-obj/%.o: %.S
	@mkdir -p $(@D)
	$(USER_CC) $(USER_CFLAGS) -c $< -o $@

# The compiler must not make calls of memcpy out of memcpy's own loop.
$B/user-obj/user/lib/string.o: USER_CFLAGS += -fno-builtin \
	$(if $(findstring clang,$(USER_CC)),,-fno-tree-loop-distribute-patterns)

$B/user/libuser.a: $(USER_LIB_SRCS:%.c=$B/user-obj/%.o)
	@mkdir -p $(@D)
	rm -f $@; $(CROSS)ar rcs $@ $^

USER_START := $(USER_LIB_ASM:%.S=$B/user-obj/%.o)

# $(1): a program's name.
define USER_PROGRAM_RULE
$B/bin/$(1): $(patsubst %.S,$B/user-obj/%.o,$(USER_SRCS_$(1):%.c=$B/user-obj/%.o)) $(USER_START) $B/user/libuser.a
	@mkdir -p $$(@D)
	$(USER_LD) $(USER_LDFLAGS) $$(filter %.o,$$^) $B/user/libuser.a -o $B/user/$(1).debug
	$(USER_STRIP) -s $B/user/$(1).debug -o $$@
endef
$(foreach name,$(USER_PROGRAMS),$(eval $(call USER_PROGRAM_RULE,$(name))))

USER_BINARIES := $(addprefix $B/bin/,$(USER_PROGRAMS))
.PHONY: user
user: $(USER_BINARIES)
