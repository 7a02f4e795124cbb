// What the VMM says to the last packet.
#pragma once

#include <arch/hypervisor.h>

// BAD_STATE: the guest ended itself. INVALID_ARGS: not an answer to what was asked; nothing is
// taken then, and the question stands.
MX_MUST_CHECK mx_status_t answer_apply(struct vcpu *vcpu, const struct mx_vcpu_packet *packet);
