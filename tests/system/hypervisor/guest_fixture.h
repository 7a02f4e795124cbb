// A guest of a few instructions: memory with all that its architecture needs to run code and handle
// exceptions, and a vCPU that is ready to run one of the guests of <arch_guests.h>.
//
// A guest talks by exits that have a value: each ends guest_run with it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch_guests.h>
#include <machina/hypervisor.h>

struct guest_fixture {
    mx_handle_t guest, aspace, memory;
    mx_handle_t vcpu; // of the thread that called guest_start
    uint8_t *ram;     // guest-physical 0, GUEST_RAM_BYTES
};

// A guest with memory and the trap that exits need, and no vCPU. False if anything failed; nothing
// is left then.
bool guest_create(struct guest_fixture *fixture);
void guest_destroy(struct guest_fixture *fixture);
// Puts a guest's code at `address` of guest memory.
void guest_load(struct guest_fixture *fixture, uint64_t address, const struct guest_code *code);
// Makes a vCPU for the calling thread, about to run at `address`.
mx_status_t guest_make_vcpu(const struct guest_fixture *fixture, uint32_t id, uint64_t address,
                            mx_handle_t *vcpu);
// guest_create, guest_load at GUEST_CODE, guest_make_vcpu with id 0.
bool guest_start(struct guest_fixture *fixture, const struct guest_code *code);

// mx_vcpu_enter that a guest which never exits does not keep for ever: CANCELED after five seconds.
mx_status_t guest_enter(mx_handle_t vcpu, struct mx_vcpu_packet *packet);
// Enters until the guest exits with a value. False, and printed, if something else ended it.
bool guest_run(mx_handle_t vcpu, uint32_t *value);
// Whether the guest runs to GUEST_DONE.
bool guest_finishes(const struct guest_fixture *fixture);

// A guest's memory at GUEST_DATA: what tests and guests agree on.
volatile uint64_t *guest_data(const struct guest_fixture *fixture);

// --- of the architecture ------------------------------------------------------------------------

// Sets the trap that ends guest_run, and what else a guest has before its vCPUs.
mx_status_t guest_setup_machine(const struct guest_fixture *fixture);
// Whether a packet is such an exit, and its value.
bool guest_is_exit(const struct mx_vcpu_packet *packet, uint32_t *value);
// Tables and handlers.
void guest_setup_memory(uint8_t *ram);
// The state of a vCPU about to run at `address` with its own stack.
void guest_setup_state(const struct guest_fixture *fixture, struct mx_vcpu_state *state,
                       uint32_t id, uint64_t address);
