// An arm64 guest of a few instructions: memory with vectors, and a vCPU at EL1, translation off,
// about to run what a test put there.
//
// Exceptions are noted at GUEST_RESULTS and their instruction is skipped; interrupts are
// acknowledged, noted and ended.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/gic.h>
#include <machina/hypervisor.h>

#include "tests/system/hypervisor/arm64/tiny_guest_layout.h"

struct thread;

struct tiny_guest {
    mx_handle_t guest, aspace, memory;
    mx_handle_t vcpu; // of the thread that called tiny_guest_start
    uint8_t *ram;     // guest-physical 0, GUEST_RAM_BYTES
    uint32_t gic_version;
};

struct tiny_code {
    const char *start, *end;
};
#define TINY_GUEST(name)                                    \
    extern const char guest_##name[], guest_##name##_end[]; \
    static const struct tiny_code code_##name               \
        __attribute__((unused)) = {guest_##name, guest_##name##_end}
TINY_GUEST(vectors);
TINY_GUEST(done);
TINY_GUEST(spin);
TINY_GUEST(accesses);
TINY_GUEST(bells);
TINY_GUEST(refused);
TINY_GUEST(firmware);
TINY_GUEST(hypercalls);
TINY_GUEST(wait_for_interrupts);
TINY_GUEST(take_interrupts);
TINY_GUEST(wfi_masked);
TINY_GUEST(level);
TINY_GUEST(timer);
TINY_GUEST(send_sgi);
TINY_GUEST(self_sgi);
TINY_GUEST(call_written);
TINY_GUEST(second);
TINY_GUEST(translate);
TINY_GUEST(jump_to_nothing);
TINY_GUEST(vectors_fp);
TINY_GUEST(physical_timer);

bool tiny_guest_start(struct tiny_guest *guest, const struct tiny_code *code);
void tiny_guest_destroy(struct tiny_guest *guest);
void tiny_guest_load(struct tiny_guest *guest, uint64_t addr, const struct tiny_code *code);
// A vCPU of the calling thread; with MX_VCPU_CREATE_WAITING it is off, else about to run what is at
// `addr`.
mx_status_t tiny_guest_make_vcpu(const struct tiny_guest *guest, uint32_t id, uint32_t options,
                                 uint64_t addr, mx_handle_t *vcpu);
mx_status_t tiny_guest_trap(const struct tiny_guest *guest, uint32_t kind, uint64_t addr,
                            mx_handle_t port, uint64_t key);
// mx_vcpu_enter; CANCELED after five seconds.
mx_status_t tiny_guest_enter(mx_handle_t vcpu, struct mx_vcpu_packet *packet);
// Enters until the guest writes to GUEST_EXIT; the word. UINT32_MAX, and printed: something else
// ended it.
uint32_t tiny_guest_run(mx_handle_t vcpu);
volatile uint64_t *tiny_guest_data(const struct tiny_guest *guest);
uint64_t tiny_guest_result(const struct tiny_guest *guest, unsigned offset);
uint32_t tiny_guest_irq(const struct tiny_guest *guest, unsigned index);
// Enables an interrupt, group 1, edge-triggered, as the distributor would.
void tiny_guest_enable_irq(const struct tiny_guest *guest, uint32_t vcpu_id, uint32_t intid,
                           uint8_t priority, bool is_edge);

// A vCPU on a thread of its own, until its first packet.
struct tiny_second {
    const struct tiny_guest *guest;
    struct thread *thread;
    uint32_t id, options;
    mx_handle_t vcpu;
    uint32_t is_ready;
    mx_status_t status;
    struct mx_vcpu_packet packet;
};
bool tiny_second_start(struct tiny_second *second, const struct tiny_guest *guest, uint32_t id,
                       uint32_t options);
void tiny_second_finish(struct tiny_second *second, bool is_kicked);
