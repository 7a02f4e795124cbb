// Memory and registers of an arm64 guest at EL1 with translation off; see guest_fixture.h.

#include <string.h>

#include <machina/syscalls.h>

#include "tests/system/hypervisor/arm64/arm64_guest.h"

#define EXIT_KEY   1
#define PAGE_BYTES 0x1000
#define CPACR_FP   (3 << 20) // no trap of floating point

// The distributor of both versions gives interrupts of both groups.
static mx_status_t setup_gic(const struct guest_fixture *fixture)
{
    mx_status_t status =
        guest_gic_version(fixture) == 2 ? mx_guest_gic_place(fixture->guest, GUEST_GICC) : MX_OK;

    return status == MX_OK ? mx_guest_gic_write(fixture->guest, 0, MX_GIC_CONTROL, 0, 3, 3)
                           : status;
}

mx_status_t guest_setup_machine(const struct guest_fixture *fixture)
{
    mx_status_t status = guest_trap(fixture, MX_TRAP_MEM, GUEST_EXIT, MX_HANDLE_INVALID, EXIT_KEY);

    return status == MX_OK ? setup_gic(fixture) : status;
}

bool guest_is_exit(const struct mx_vcpu_packet *packet, uint32_t *value)
{
    if (packet->type != MX_VCPU_PACKET_MEM || packet->mem.addr != GUEST_EXIT ||
        !packet->mem.is_write)
        return false;
    *value = (uint32_t)packet->mem.data;
    return true;
}

void guest_setup_memory(uint8_t *ram)
{
    memcpy(ram + GUEST_VECTORS, code_vectors.start,
           (size_t)(code_vectors.end - code_vectors.start));
}

void guest_setup_state(const struct guest_fixture *fixture, struct mx_vcpu_state *state,
                       uint32_t id, uint64_t address)
{
    state->pc = address;
    state->sp_el1 = GUEST_STACK - id * PAGE_BYTES;
    state->vbar_el1 = GUEST_VECTORS;
    state->cpacr_el1 = CPACR_FP;
    state->x[20] = guest_gic_version(fixture);
}
