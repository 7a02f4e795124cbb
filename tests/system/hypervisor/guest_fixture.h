// A guest of a few instructions: memory with page tables, descriptor tables and interrupt handlers,
// and a vCPU in 64-bit mode that is ready to run one of the guests of guests.h.
//
// A guest talks by port GUEST_PORT_EXIT: each output there ends guest_run with its value.
// Exceptions that it does not expect end it on GUEST_PORT_EXCEPTION. Its results are in the memory
// at GUEST_RESULTS.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/hypervisor.h>

#include "tests/system/hypervisor/guests.h"

struct guest_fixture {
    mx_handle_t guest, aspace, memory;
    mx_handle_t vcpu; // of the thread that called guest_start
    uint8_t *ram;     // guest-physical 0, GUEST_RAM_BYTES
};

// What the handlers of guest_vectors.S leave behind, at GUEST_RESULTS; see there.
struct guest_results {
    uint32_t interrupt_count[256];
    uint8_t free_use[0x400];
    uint64_t error_code, fault_rip, fault_address; // of the last exception
    uint32_t eoi_kind;                             // 0 none, 1 x2APIC, 2 xAPIC
    uint32_t reserved;
    uint64_t skip_bytes;     // not zero: exceptions are noted and skip this much
    uint64_t skipped_vector; // the last one noted
};
struct guest_interrupt_log {
    uint32_t count, reserved;
    uint8_t vectors[256];
};

// A guest with memory and traps for the two ports, and no vCPU. False if anything failed; nothing
// is left then.
bool guest_create(struct guest_fixture *fixture);
void guest_destroy(struct guest_fixture *fixture);
// Puts a guest's code at `address` of guest memory.
void guest_load(struct guest_fixture *fixture, uint64_t address, const struct guest_code *code);
// Makes a vCPU for the calling thread in 64-bit mode, about to run at `address`.
mx_status_t guest_make_vcpu(const struct guest_fixture *fixture, uint32_t id, uint64_t address,
                            mx_handle_t *vcpu);
// guest_create, guest_load at GUEST_CODE, guest_make_vcpu with id 0.
bool guest_start(struct guest_fixture *fixture, const struct guest_code *code);

// mx_vcpu_enter that a guest which never exits does not keep for ever: CANCELED after five seconds.
mx_status_t guest_enter(mx_handle_t vcpu, struct mx_vcpu_packet *packet);
// Enters until the guest has output on GUEST_PORT_EXIT. False, and printed, if something else ended
// it.
bool guest_run(mx_handle_t vcpu, uint32_t *value);
// Whether the guest runs to GUEST_DONE.
bool guest_finishes(const struct guest_fixture *fixture);

volatile struct guest_results *guest_results(const struct guest_fixture *fixture);
volatile struct guest_interrupt_log *guest_log(const struct guest_fixture *fixture);
// A guest's memory at GUEST_DATA: what tests and guests agree on.
volatile uint64_t *guest_data(const struct guest_fixture *fixture);

// --- of the architecture ------------------------------------------------------------------------

// Page tables, descriptor tables, handlers.
void guest_setup_memory(uint8_t *ram);
// The state of a vCPU about to run at `address` with its own stack.
void guest_setup_state(struct mx_vcpu_state *state, uint32_t id, uint64_t address);
