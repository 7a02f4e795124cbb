// The state of a vCPU after power-on and INIT.
#pragma once

#include <arch/hypervisor.h>

// INIT, but for the run state. Called by the vCPU's thread or before it runs.
void vcpu_reset(struct vcpu *vcpu);
