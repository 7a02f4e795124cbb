# Tests of the hypervisor objects with tiny guests.
#
# x86_64: each NAME_test.c is a program with all guests of x86_64/guest_*.S.
# arm64: each arm64/NAME_test.c is a program with all guests of arm64/guest_*.S.

GUEST_FIXTURE_x86_64 := tests/system/hypervisor/guest_fixture.c tests/system/hypervisor/x86_64/guest_setup.c \
	tests/system/hypervisor/second_vcpu.c tests/system/child.c \
	$(wildcard tests/system/hypervisor/x86_64/guest_*.S)
GUEST_TEST_DIR_x86_64 := tests/system/hypervisor
GUEST_FIXTURE_arm64 := tests/system/hypervisor/arm64/tiny_guest.c tests/system/child.c \
	$(wildcard tests/system/hypervisor/arm64/guest_*.S)
GUEST_TEST_DIR_arm64 := tests/system/hypervisor/arm64

GUEST_FIXTURE := $(GUEST_FIXTURE_$(ARCH_DIR))
GUEST_TEST_DIR := $(GUEST_TEST_DIR_$(ARCH_DIR))
GUEST_TESTS := $(patsubst $(GUEST_TEST_DIR)/%.c,%,$(wildcard $(GUEST_TEST_DIR)/*_test.c))
TEST_PROGRAMS += $(GUEST_TESTS)
$(foreach name,$(GUEST_TESTS),$(eval TEST_SRCS_$(name) := $(GUEST_TEST_DIR)/$(name).c \
	tests/test_main.c tests/system/$(ARCH_DIR)/vector_state.c tests/system/$(ARCH_DIR)/syscall_probe.S $(GUEST_FIXTURE)))
