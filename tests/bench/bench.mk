# What of the VMM answers the guests' accesses.
BENCH_VMM_SRCS_x86_64 := $(wildcard vmm/x86_64/emulat*.c) $(addprefix vmm/x86_64/,alu.c decode.c page_walk.c)
BENCH_VMM_SRCS_arm64 := vmm/arm64/gic_bank.c vmm/arm64/gic_distributor.c vmm/chips/pl061.c \
	vmm/monitor/portable/access_map.c

# The benchmark program of the target, where it has guests; tests/bench/run starts it.
TEST_PROGRAMS += $(if $(wildcard tests/bench/$(ARCH_DIR)),bench)
TEST_SRCS_bench := $(wildcard tests/bench/*.c tests/bench/$(ARCH_DIR)/*.c tests/bench/$(ARCH_DIR)/*.S) \
	$(BENCH_VMM_SRCS_$(ARCH_DIR)) $(GUEST_FIXTURE)

# <bench_arch.h>
$B/user-obj/tests/bench/%.o: USER_CFLAGS += -Itests/bench/$(ARCH_DIR)
