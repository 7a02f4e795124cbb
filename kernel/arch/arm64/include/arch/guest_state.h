// struct arch_guest and struct arch_vcpu on arm64.
#pragma once

#include <machina/arch/vcpu_state.h>

#include <stdint.h>

struct arch_guest {
    uint32_t log_count; // lines that the guest made the kernel log
};

struct arch_vcpu {
    struct mx_vcpu_state state;
};
