// What only the tests of arm64 do with a guest of guest_fixture.h: see what its handlers left
// behind, its interrupt controller.
//
// Exceptions are noted at GUEST_RESULTS and their instruction is skipped; interrupts are
// acknowledged, noted and ended.
#pragma once

#include <machina/gic.h>

#include "tests/system/hypervisor/guest_fixture.h"
#include "tests/system/hypervisor/second_vcpu.h"

// A trap for one page.
mx_status_t guest_trap(const struct guest_fixture *fixture, uint32_t kind, uint64_t addr,
                       mx_handle_t port, uint64_t key);
// Enters until the guest writes to GUEST_EXIT, completes that and returns the word. UINT32_MAX, and
// printed: something else ended it.
uint32_t guest_run_to_exit(mx_handle_t vcpu);
// What is at an offset of GUEST_RESULTS; the interrupt that was taken as number `index`.
uint64_t guest_result(const struct guest_fixture *fixture, unsigned offset);
uint32_t guest_irq(const struct guest_fixture *fixture, unsigned index);

uint32_t guest_gic_version(const struct guest_fixture *fixture);
// Enables an interrupt as the distributor would, in the group that the guest's CPU interface
// (GIC_ON) takes.
void guest_enable_irq(const struct guest_fixture *fixture, uint32_t vcpu_id, uint32_t intid,
                      uint8_t priority, bool is_edge);
