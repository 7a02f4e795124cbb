# Tests of the hypervisor objects with tiny guests: each NAME_test.c is a program with all guests of x86_64/guest_*.S.

GUEST_FIXTURE := tests/system/hypervisor/guest_fixture.c tests/system/hypervisor/$(ARCH_DIR)/guest_setup.c \
	tests/system/hypervisor/second_vcpu.c tests/system/child.c \
	$(wildcard tests/system/hypervisor/$(ARCH_DIR)/guest_*.S)
GUEST_TESTS := $(if $(wildcard tests/system/hypervisor/$(ARCH_DIR)),\
	$(patsubst tests/system/hypervisor/%.c,%,$(wildcard tests/system/hypervisor/*_test.c)))
TEST_PROGRAMS += $(GUEST_TESTS)
$(foreach name,$(GUEST_TESTS),$(eval TEST_SRCS_$(name) := tests/system/hypervisor/$(name).c \
	tests/test_main.c tests/system/$(ARCH_DIR)/vector_state.c tests/system/$(ARCH_DIR)/syscall_probe.S $(GUEST_FIXTURE)))
