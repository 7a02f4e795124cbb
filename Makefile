# Machina's whole build.
#
#   make            the kernel, the UEFI loader and the boot image for ARCH (x64, the default, or arm64), in build/ARCH
#   make run        installs what is missing, builds, and starts Machina in QEMU on this terminal
#   make image      build/ARCH/machina.img for a disk or stick, machina.iso for an optical drive, netboot/ for a PXE server
#   make test       all tests, of both architectures unless ARCH is given; PYTEST="-k NAME" chooses
#   make bench      executed instructions of what matters, beside Linux KVM with QEMU
#   make fuzz       every fuzz target, FUZZ_SECONDS each (default 600)
#   make clang      what `make` builds but for guest packages, by clang, in build/clang/ARCH
#
# Every source file is found by its folder, so a new file needs no line here:
#   HOST_DIRS       portable code, built for the target and, with sanitizers, for the host's unit tests
#   tests/unit      NAME_test.c becomes build/host/tests/NAME_test
#   tests/fuzz      NAME_fuzz.c becomes build/host/fuzz/NAME_fuzz
# What an architecture's kernel needs is in kernel/arch/ARCH/arch.mk, the user programs are listed in */*.mk.

TEST_ARCHS := $(if $(filter undefined,$(origin ARCH)),x64 arm64,$(ARCH))
ARCH ?= x64
ARCH_DIR_x64 := x86_64
ARCH_DIR_arm64 := arm64
ARCH_DIR := $(ARCH_DIR_$(ARCH))
$(if $(ARCH_DIR),,$(error ARCH is x64 or arm64, not "$(ARCH)"))

# The prefix of the target's compiler and its tools.
CROSS_arm64 := aarch64-linux-gnu-
CROSS := $(CROSS_$(ARCH))

B := build/$(ARCH)
H := build/host

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wswitch-enum \
	-Wimplicit-fallthrough -Wvla -Wundef
INCLUDES := -I. -Ikernel/abi
COMMON := -std=gnu17 -g $(WARNINGS) $(INCLUDES) -MMD -MP

# V=1 shows the commands; otherwise a line for each file that others are not made from.
ifndef V
.SILENT:
endif

.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

# --- host: portable code with sanitizers, unit tests, fuzz targets, tools -----------------------

HOST_CC ?= gcc
FUZZ_CC ?= clang
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_CFLAGS := $(COMMON) -O1 -fno-omit-frame-pointer -Ikernel/abi/x86_64 -Ikernel/arch/include \
	-Ikernel/arch/host/include -Iuser/drivers/include/x86_64

HOST_DIRS := boot boot/loader kernel/lib kernel/core kernel/memory kernel/object kernel/hypervisor kernel/arch/host \
	kernel/arch/x86_64/portable kernel/arch/x86_64/hypervisor/portable \
	kernel/arch/arm64/portable kernel/arch/arm64/hypervisor/portable \
	user/portable user/drivers/portable user/drivers/input/portable user/drivers/usb/portable \
	vmm/config vmm/loader vmm/loader/x86_64 vmm/loader/arm64 vmm/memory vmm/chips vmm/pci vmm/virtio \
	vmm/x86_64 vmm/arm64 vmm/monitor/portable vmm/manager/portable
# One table of columns is enough; the host has that of x86-64.
HOST_EXCLUDE := user/portable/kstats_columns_arm64.c
HOST_SRCS := $(filter-out $(HOST_EXCLUDE),$(wildcard $(addsuffix /*.c,$(HOST_DIRS))))

# The screen's font, made of drawings.
GLYPH_TABLE := $H/glyph_table.c
HOST_SRCS += $(GLYPH_TABLE)
$(GLYPH_TABLE): $(addprefix user/portable/font/,mkfont.awk latin.font lines.font)
	mkdir -p $(@D)
	awk -f $^ >$@

UNIT_TESTS := $(patsubst tests/unit/%.c,$H/tests/%,$(wildcard tests/unit/*_test.c))
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$H/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))

# User programs' headers without their C library's.
$H/obj/tests/unit/extent_backend_test.o $H/obj/tests/unit/disk_test.o $H/fuzz-obj/tests/fuzz/disk_fuzz.o: \
	HOST_CFLAGS += -idirafter user/include

$H/obj/%.o: %.c
	mkdir -p $(@D)
	$(HOST_CC) $(HOST_CFLAGS) $(SANITIZE) -c $< -o $@

$H/fuzz-obj/%.o: %.c
	mkdir -p $(@D)
	$(FUZZ_CC) $(HOST_CFLAGS) $(SANITIZE) -fsanitize=fuzzer-no-link -c $< -o $@

$H/libmachina.a: $(HOST_SRCS:%.c=$H/obj/%.o)
	rm -f $@; ar rcs $@ $^
$H/libmachina-fuzz.a: $(HOST_SRCS:%.c=$H/fuzz-obj/%.o)
	rm -f $@; ar rcs $@ $^

$H/tests/%: $H/obj/tests/unit/%.o $H/obj/tests/test_main.o $H/libmachina.a
	mkdir -p $(@D)
	$(HOST_CC) $(SANITIZE) $^ -o $@
$H/fuzz/%: $H/fuzz-obj/tests/fuzz/%.o $H/libmachina-fuzz.a
	mkdir -p $(@D)
	$(FUZZ_CC) $(SANITIZE) -fsanitize=fuzzer $^ -o $@

MKZBI_SRCS := boot/tools/mkzbi.c $(wildcard boot/*.c) $(addprefix user/portable/,options.c format.c utf8.c status.c)
$H/mkzbi: $(MKZBI_SRCS)
	mkdir -p $(@D)
	$(HOST_CC) -std=gnu17 -O2 $(WARNINGS) $(INCLUDES) $^ -o $@

.PHONY: unit-tests fuzz-targets
unit-tests: $(UNIT_TESTS)
fuzz-targets: $(FUZZ_TARGETS)

# --- target: kernel --------------------------------------------------------------------------------

KERNEL_CC ?= $(CROSS)gcc
KERNEL_SRCS := $(wildcard $(addsuffix /*.c,boot kernel/lib kernel/lib/target kernel/core kernel/memory \
	kernel/object kernel/hypervisor))
include kernel/arch/$(ARCH_DIR)/arch.mk

# gcc sees the whole kernel at once: calls between its many small functions cost a sixth of each exit otherwise. Not the
# files with what the compiler itself refers to later.
KERNEL_LTO := $(if $(findstring clang,$(KERNEL_CC)),,-flto=auto)
KERNEL_NO_LTO := $(if $(KERNEL_LTO),-fno-lto)
KERNEL_CFLAGS = $(COMMON) -O2 -ffreestanding -fno-pic -fno-pie -fno-common -fno-omit-frame-pointer \
	$(KERNEL_LTO) $(ARCH_CFLAGS)

$B/kernel-obj/%.o: %.c
	mkdir -p $(@D)
	$(KERNEL_CC) $(KERNEL_CFLAGS) -c $< -o $@
$B/kernel-obj/%.o: %.S
	mkdir -p $(@D)
	$(KERNEL_CC) $(KERNEL_CFLAGS) -D__ASSEMBLER__ -c $< -o $@
# The compiler must not make calls of memcpy out of memcpy's own loop.
$B/kernel-obj/kernel/lib/target/string.o: KERNEL_CFLAGS += -fno-builtin $(KERNEL_NO_LTO) \
	$(if $(findstring clang,$(KERNEL_CC)),,-fno-tree-loop-distribute-patterns)

# --- target: the UEFI loader -------------------------------------------------------------------------

include boot/boot.mk

# --- target: user programs, guest packages, the boot image ----------------------------------------

-include vmm/vmm.mk
-include tests/system/system.mk
-include tests/integration/efi/efi.mk
include user/user.mk

PACKAGES ?= linux_guest zircon_guest
PACKAGE_DIRS := $(addprefix $B/packages/,$(PACKAGES))
$B/packages/%: packages/%/build scripts/mkpackage.sh scripts/mksysroot.sh $(wildcard packages/*/init/*)
	mkdir -p $(@D)
	$< $(ARCH) $@ && touch $@

# Machina as its own guest.
$B/packages/zircon_guest: $H/mkzbi $B/machina.kernel $(USER_BINARIES) scripts/mkzircon.sh

$B/machina.zbi: $H/mkzbi $(USER_BINARIES) $(PACKAGE_DIRS)
	$H/mkzbi create -o $@ --dir bin=$B/bin $(foreach p,$(PACKAGES),--dir pkg/$p=$B/packages/$p)

# The kernel as an item of a boot image: the headers of container and item take the place of its first 64 bytes.
$B/machina.kernel: $B/machina.bin
	tail -c +65 $< > $@

# Bit 2 of the Multiboot header's flags asks for a linear framebuffer; the word behind them makes the sum of the three zero.
$B/machina-video.bin: $B/machina.bin
	(head -c 4 $<; printf '\007\000\001\000\367\117\121\344'; tail -c +13 $<) > $@

# --- images that UEFI firmware boots -----------------------------------------------------------------

# What firmware loads, under the names that it looks for: a TFTP server's folder, and /EFI/BOOT of the images.
$B/netboot/machina.zbi: $H/mkzbi $B/machina.kernel $(USER_BINARIES) $(PACKAGE_DIRS)
	mkdir -p $(@D)
	$H/mkzbi create --crc -o $@ --kernel $B/machina.kernel --arch $(ARCH) --dir bin=$B/bin \
		$(foreach p,$(PACKAGES),--dir pkg/$p=$B/packages/$p)
$B/netboot/$(EFI_NAME): $B/loader.efi
	mkdir -p $(@D)
	cp $< $@

# The disk's own partition of guest packages: those that are not to be loaded into memory with the boot image.
DISK_PACKAGES ?=
DISK_PACKAGE_DIRS := $(addprefix $B/packages/,$(DISK_PACKAGES))
# Always, as the list may be another than the last time.
.PHONY: $B/packages.bootfs
$B/packages.bootfs: $H/mkzbi $(DISK_PACKAGE_DIRS)
	$H/mkzbi archive -o $@ $(foreach p,$(DISK_PACKAGES),--dir pkg/$p=$B/packages/$p)

$B/machina.img: scripts/mkimage $B/netboot/machina.zbi $B/netboot/$(EFI_NAME) $B/packages.bootfs
	scripts/mkimage disk $@ $B/netboot $B/packages.bootfs
$B/machina.iso: scripts/mkimage $B/netboot/machina.zbi $B/netboot/$(EFI_NAME)
	scripts/mkimage optical $@ $B/netboot

# --- what people call --------------------------------------------------------------------------------

FUZZ_SECONDS ?= 600
PYTEST ?=

CLANG_TARGET_x64 := x86_64-linux-gnu
CLANG_TARGET_arm64 := aarch64-linux-gnu
CLANG := clang --target=$(CLANG_TARGET_$(ARCH))

.PHONY: all run image test bench fuzz clang clean
all: $B/machina.bin $B/machina.kernel $B/machina.zbi $B/loader.efi $(if $(filter x64,$(ARCH)),$B/machina-video.bin)

run:
	scripts/setup
	$(MAKE) all
	scripts/qemu -a $(ARCH)

image: $B/machina.img $B/machina.iso

test: unit-tests fuzz-targets $H/mkzbi
	for arch in $(TEST_ARCHS); do $(MAKE) ARCH=$$arch all || exit 1; done
	tests/run $(addprefix --arch ,$(TEST_ARCHS)) $(PYTEST)

bench: all
	tests/bench/run --arch $(ARCH)

fuzz: fuzz-targets
	for target in $(FUZZ_TARGETS); do $$target -max_total_time=$(FUZZ_SECONDS) || exit 1; done

# With the headers of clang itself, which those of gcc do not fit.
clang:
	$(MAKE) B=build/clang/$(ARCH) KERNEL_CC="$(CLANG)" USER_CC="$(CLANG)" PACKAGES= all

clean:
	rm -rf build

-include $(shell find $B $H -type f -name '*.d' 2>/dev/null)
