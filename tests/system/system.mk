# What runs on the target under the real kernel: tests/system/NAME_test.c, the programs that these start, and tests/bench.
#
# They are not in the product's boot image but in one of their own, $B/test/machina.zbi, which has everything else too;
# `scripts/qemu -b $B/test -c machina.run=NAME_test` runs one.

TEST_MAIN := tests/test_main.c tests/system/child.c

TEST_PROGRAMS := $(patsubst tests/system/%.c,%,$(wildcard tests/system/*_test.c))
$(foreach name,$(TEST_PROGRAMS),$(eval TEST_SRCS_$(name) := tests/system/$(name).c $(TEST_MAIN)))

TEST_SRCS_thread_test += tests/system/$(ARCH_DIR)/vector_state.c tests/system/$(ARCH_DIR)/syscall_probe.S

TEST_SRCS_device_test += user/drivers/pci_host.c $(wildcard user/drivers/lib/*.c user/drivers/portable/*.c)

TEST_SRCS_keyboard_link_test += user/drivers/input/keyboard_link.c user/drivers/input/portable/key_queue.c

TEST_SRCS_screen_keyboards_test += user/services/screen/keyboards.c

# The target of process launches in the tests: does what its first argument says.
TEST_PROGRAMS += test_child
TEST_SRCS_test_child := tests/system/programs/test_child.c tests/system/programs/faults.c \
	tests/system/programs/$(ARCH_DIR)/privileged.c

# In place of the VMM.
TEST_PROGRAMS += hostile_vmm
TEST_SRCS_hostile_vmm := tests/system/programs/hostile_vmm.c
TEST_SRCS_guest_manager_test += boot/bootfs_writer.c

# In place of virtio-rng, for tests/integration/test_robustness.py.
TEST_PROGRAMS += hostile_device
TEST_SRCS_hostile_device := tests/system/programs/hostile_device.c

# In place of the screen, for tests/integration/test_keyboards.py.
TEST_PROGRAMS += keyboard_monitor
TEST_SRCS_keyboard_monitor := tests/system/programs/keyboard_monitor.c tests/system/child.c

-include tests/system/hypervisor/hypervisor.mk
TEST_SRCS_test_child += tests/system/programs/guest_actions.c $(GUEST_FIXTURE)
-include tests/bench/bench.mk

# $(1): a program's name.
define TEST_PROGRAM_RULE
$B/test/bin/$(1): $(patsubst %.S,$B/user-obj/%.o,$(TEST_SRCS_$(1):%.c=$B/user-obj/%.o)) \
		$(patsubst %.S,$B/user-obj/%.o,$(wildcard user/lib/$(ARCH_DIR)/*.S)) $B/user/libuser.a
	@mkdir -p $$(@D) $B/test/debug
	$$(USER_LD) $$(USER_LDFLAGS) $$(filter %.o,$$^) $B/user/libuser.a -o $B/test/debug/$(1)
	$$(USER_STRIP) -s $B/test/debug/$(1) -o $$@
endef
$(foreach name,$(TEST_PROGRAMS),$(eval $(call TEST_PROGRAM_RULE,$(name))))

TEST_BINARIES := $(addprefix $B/test/bin/,$(TEST_PROGRAMS))

.PHONY: system-tests
system-tests: $B/test/machina.zbi $B/test/machina.bin
all: system-tests

$B/test/machina.zbi: $B/machina.zbi $(TEST_BINARIES)
	$H/mkzbi create -o $@ --dir bin=$B/bin --dir bin=$B/test/bin \
		$(foreach p,$(PACKAGES),--dir pkg/$p=$B/packages/$p)
$B/test/machina.bin: $B/machina.bin
	ln -sf ../machina.bin $@

# <arch_faults.h>, <arch_machine.h>, <arch_guests.h>
$B/user-obj/tests/%.o: USER_CFLAGS += -Itests/system/programs/$(ARCH_DIR) -Itests/system/hypervisor/$(ARCH_DIR)
