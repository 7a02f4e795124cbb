// What of the CPU's virtualization is used; found once at start-up.
#pragma once

#include <stdbool.h>

struct hypervisor_features {
    bool is_usable;
    bool has_pauth;
    bool has_ras;
    bool has_fwb; // stage 2 can force memory to be cacheable
    bool has_vmid16;
    unsigned address_bits; // of guests
    unsigned host_range;   // ID_AA64MMFR0_EL1.PARange
};
extern struct hypervisor_features hypervisor_features;
