# Tests of the hypervisor objects with tiny guests: each NAME_test.c here is for every architecture, each
# ARCH/NAME_test.c for one. Every program has all guests of ARCH/guest_*.S.

GUEST_DIR := tests/system/hypervisor
GUEST_FIXTURE := $(GUEST_DIR)/guest_fixture.c $(GUEST_DIR)/second_vcpu.c tests/system/child.c \
	$(filter-out %_test.c,$(wildcard $(GUEST_DIR)/$(ARCH_DIR)/*.c)) $(wildcard $(GUEST_DIR)/$(ARCH_DIR)/guest_*.S)

GUEST_TEST_SRCS := $(wildcard $(GUEST_DIR)/*_test.c $(GUEST_DIR)/$(ARCH_DIR)/*_test.c)
TEST_PROGRAMS += $(basename $(notdir $(GUEST_TEST_SRCS)))
$(foreach src,$(GUEST_TEST_SRCS),$(eval TEST_SRCS_$(basename $(notdir $(src))) := $(src) tests/test_main.c \
	tests/system/$(ARCH_DIR)/vector_state.c tests/system/$(ARCH_DIR)/syscall_probe.S $(GUEST_FIXTURE)))
