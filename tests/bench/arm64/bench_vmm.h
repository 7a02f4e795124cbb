// What answers the accesses of the benchmark's guests: the VMM's own dispatch and device models,
// under a lock, as its vCPU threads call them.
#pragma once

#include <machina/hypervisor.h>

struct guest_fixture;

// A distributor at BENCH_DISTRIBUTOR and a PL061 at GUEST_DEVICE, with the traps to them.
MX_MUST_CHECK mx_status_t bench_vmm_start(const struct guest_fixture *guest);
// An access that a vCPU's packet asks for.
void bench_vmm_answer(struct mx_vcpu_packet *packet, uint32_t vcpu_id);
