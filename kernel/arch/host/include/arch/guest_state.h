// struct arch_guest and struct arch_vcpu on the host port: a vCPU plays back a script of accesses;
// see host_vcpu_set_script in kernel/arch/host/host_guest.h.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/hypervisor.h>

struct host_guest_step;

struct arch_guest {
    uint64_t msi_count, lower_count;
    uint64_t last_msi_addr, last_msi_data, last_lowered_data;
};

struct arch_vcpu {
    const struct host_guest_step *script; // NULL: the next enter takes the script that was set
    size_t step_index;
    bool has_answer_pending; // the packet of the step before asks for an answer
    bool is_interrupt_pending;
    uint64_t last_read; // what the guest got from its last read
    uint64_t last_vector;
    struct mx_vcpu_state state;
};
