// The world switch (world_switch.S).
#pragma once

#include <arch/guest_state.h>

enum world_exit {
    WORLD_EXIT_SYNC, // ESR_EL2 says why
    WORLD_EXIT_IRQ,
    WORLD_EXIT_SERROR,
};

// The vCPU is resident; interrupts disabled.
uint64_t world_switch(struct arch_vcpu *vcpu);
