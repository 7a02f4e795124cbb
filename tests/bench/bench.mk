# The benchmark program of the target, where it has guests; tests/bench/run starts it.
TEST_PROGRAMS += $(if $(wildcard tests/bench/$(ARCH_DIR)),bench)
TEST_SRCS_bench := tests/bench/bench.c tests/bench/host_rows.c tests/bench/guest_rows.c tests/bench/linux_rows.c \
	tests/bench/samples.c tests/bench/$(ARCH_DIR)/device_access.c tests/bench/$(ARCH_DIR)/bench_guests.S \
	$(wildcard vmm/$(ARCH_DIR)/emulat*.c) $(addprefix vmm/$(ARCH_DIR)/,alu.c decode.c page_walk.c) $(GUEST_FIXTURE)
