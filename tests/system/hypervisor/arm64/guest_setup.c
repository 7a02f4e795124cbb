// Memory and registers of an arm64 guest at EL1 with translation off; see guest_fixture.h.

#include <string.h>

#include <machina/syscalls.h>

#include "tests/system/hypervisor/guest_fixture.h"

#define EXIT_KEY   1
#define PAGE_BYTES 0x1000

mx_status_t guest_setup_exit(const struct guest_fixture *fixture)
{
    struct mx_trap trap = {
        .kind = MX_TRAP_MEM, .addr = GUEST_EXIT, .size_bytes = PAGE_BYTES, .key = EXIT_KEY};

    return mx_guest_set_trap(fixture->guest, &trap);
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

void guest_setup_state(struct mx_vcpu_state *state, uint32_t id, uint64_t address)
{
    state->pc = address;
    state->sp_el1 = GUEST_STACK - id * PAGE_BYTES;
    state->vbar_el1 = GUEST_VECTORS;
}
