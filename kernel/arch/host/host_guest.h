// Guests of the host port: what a vCPU does is a script of the test.
#pragma once

#include "kernel/hypervisor/vcpu.h"

enum host_guest_action {
    HOST_GUEST_END,      // the script is over: the vCPU asks for power off each time
    HOST_GUEST_MEM_READ, // of one trap; the answer goes to arch.last_read
    HOST_GUEST_MEM_WRITE,
    HOST_GUEST_IO_READ,
    HOST_GUEST_IO_WRITE,
    HOST_GUEST_HALT, // until an interrupt
    HOST_GUEST_SPIN, // for `value` nanoseconds, never leaving but for a kick or a kill
    HOST_GUEST_SHUTDOWN,
};

struct host_guest_step {
    enum host_guest_action action;
    uint64_t addr, value;
};

// A message with this data is the level of a line; others are edges.
#define HOST_GUEST_LEVEL_DATA 0x99u

// The next vCPU that is created plays it.
void host_vcpu_set_script(const struct host_guest_step *steps);
