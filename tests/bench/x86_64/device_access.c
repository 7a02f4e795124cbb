// See device_access.h: the VMM's own instruction emulation.
#include "tests/bench/x86_64/device_access.h"

#include <string.h>

#include "vmm/x86_64/emulate.h"

#define SEGMENT_LONG (1u << 9)
#define SEGMENT_BIG  (1u << 10)

struct access {
    uint8_t *ram;
    uint64_t ram_bytes, value;
};

static bool ram_read(void *context, uint64_t guest_physical, void *buffer, size_t size_bytes)
{
    const struct access *access = context;

    if (guest_physical >= access->ram_bytes || size_bytes > access->ram_bytes - guest_physical)
        return false;
    memcpy(buffer, access->ram + guest_physical, size_bytes);
    return true;
}

static bool ram_write(void *context, uint64_t guest_physical, const void *buffer, size_t size_bytes)
{
    const struct access *access = context;

    if (guest_physical >= access->ram_bytes || size_bytes > access->ram_bytes - guest_physical)
        return false;
    memcpy(access->ram + guest_physical, buffer, size_bytes);
    return true;
}

static mx_status_t device_read(void *context, uint64_t guest_physical, unsigned width_bytes,
                               uint64_t *value)
{
    (void)guest_physical;
    (void)width_bytes;
    *value = ((const struct access *)context)->value;
    return MX_OK;
}

static mx_status_t device_write(void *context, uint64_t guest_physical, unsigned width_bytes,
                                uint64_t value)
{
    (void)context;
    (void)guest_physical;
    (void)width_bytes;
    (void)value;
    return MX_OK;
}

static const struct x86_emulate_ops ops = {
    .ram_read = ram_read,
    .ram_write = ram_write,
    .device_read = device_read,
    .device_write = device_write,
};

static void load_registers(const struct mx_insn_state *state, struct x86_vcpu_regs *regs)
{
    memcpy(regs->gpr, state->gpr, sizeof(regs->gpr));
    regs->rip = state->rip;
    regs->rflags = state->rflags;
    regs->cr0 = state->cr0;
    regs->cr3 = state->cr3;
    regs->cr4 = state->cr4;
    regs->efer = state->efer;
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++)
        regs->segment_base[i] = state->segment[i].base;
    regs->cs_long = state->segment[MX_X86_CS].attributes & SEGMENT_LONG;
    regs->cs_default_big = state->segment[MX_X86_CS].attributes & SEGMENT_BIG;
    regs->ss_default_big = state->segment[MX_X86_SS].attributes & SEGMENT_BIG;
    regs->cpl = (uint8_t)(state->cpl & 3);
}

bool device_access_emulate(struct mx_vcpu_packet *packet, uint8_t *ram, uint64_t ram_bytes,
                           uint64_t value)
{
    struct access access = {ram, ram_bytes, value};
    const struct x86_exit_info exit = {.kind = X86_EXIT_MEMORY,
                                       .guest_physical = packet->mem.addr,
                                       .is_write = packet->mem.is_write};
    struct x86_vcpu_regs regs;
    struct x86_emulate_result result = {0};

    load_registers(&packet->state, &regs);
    if (x86_emulate(&regs, &exit, &ops, &access, &result) != MX_OK ||
        result.outcome != X86_OUTCOME_DONE)
        return false;
    memcpy(packet->state.gpr, regs.gpr, sizeof(regs.gpr));
    packet->state.rip = regs.rip;
    packet->state.rflags = regs.rflags;
    packet->mem.exception = MX_VCPU_NO_EXCEPTION;
    return true;
}
