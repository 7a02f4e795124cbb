// A second vCPU of a guest on a thread of its own.
#pragma once

#include <machina_user/thread.h>

#include "tests/system/hypervisor/guest_fixture.h"

struct second_vcpu {
    const struct guest_fixture *fixture;
    uint32_t id, options;
    struct thread *thread;
    mx_handle_t vcpu;
    uint32_t is_ready;            // the vCPU exists
    mx_status_t status;           // of its last enter
    struct mx_vcpu_packet packet; // the last one
};

// Makes vCPU `id`, with MX_VCPU_CREATE_WAITING as it is after power-on, else about to run what is
// at GUEST_CODE_2, and enters it until it has a packet or an error.
bool second_vcpu_start(struct second_vcpu *second, const struct guest_fixture *fixture, uint32_t id,
                       uint32_t options);
// Kicks it if it is still running, and waits for its thread.
void second_vcpu_finish(struct second_vcpu *second, bool is_kicked);
