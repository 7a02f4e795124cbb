// What a vCPU's exits ask of the machine, and the emulation of instructions that the kernel only
// reports.
#include "vmm/monitor/x86_64/machine.h"

#include <string.h>

#include <machina/syscalls.h>

#include "vmm/x86_64/emulate.h"

#define SEGMENT_LONG (1u << 9)
#define SEGMENT_BIG  (1u << 10)

// --- the emulator's view of the machine ----------------------------------------------------------

struct emulation {
    struct machine *machine;
    uint64_t key; // of the trap that the access hit
};

static const struct guest_memory *memory_of(const struct emulation *emulation)
{
    return &emulation->machine->bus.guest->memory;
}

static bool ram_read(void *context, uint64_t guest_physical, void *buffer, size_t size_bytes)
{
    return guest_memory_read(memory_of(context), guest_physical, buffer, size_bytes) == MX_OK;
}

static bool ram_write(void *context, uint64_t guest_physical, const void *buffer, size_t size_bytes)
{
    return guest_memory_write(memory_of(context), guest_physical, buffer, size_bytes) == MX_OK;
}

#define COMPARE_EXCHANGE(type)                                                       \
    do {                                                                             \
        type old = (type)expected;                                                   \
        return __atomic_compare_exchange_n((type *)host, &old, (type)desired, false, \
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)       \
                   ? MX_OK                                                           \
                   : MX_ERR_SHOULD_WAIT;                                             \
    } while (0)

static mx_status_t ram_compare_exchange(void *context, uint64_t guest_physical,
                                        unsigned width_bytes, uint64_t expected, uint64_t desired)
{
    void *host = guest_memory_map(memory_of(context), guest_physical, width_bytes);

    if (!host || (uintptr_t)host % width_bytes != 0)
        return MX_ERR_OUT_OF_RANGE;
    switch (width_bytes) {
    case 1:
        COMPARE_EXCHANGE(uint8_t);
    case 2:
        COMPARE_EXCHANGE(uint16_t);
    case 4:
        COMPARE_EXCHANGE(uint32_t);
    case 8:
        COMPARE_EXCHANGE(uint64_t);
    default:
        return MX_ERR_OUT_OF_RANGE;
    }
}

static mx_status_t device_read(void *context, uint64_t guest_physical, unsigned width_bytes,
                               uint64_t *value)
{
    const struct emulation *emulation = context;

    *value = device_bus_memory_read(&emulation->machine->bus, emulation->key, guest_physical,
                                    width_bytes);
    return MX_OK;
}

static mx_status_t device_write(void *context, uint64_t guest_physical, unsigned width_bytes,
                                uint64_t value)
{
    const struct emulation *emulation = context;

    device_bus_memory_write(&emulation->machine->bus, emulation->key, guest_physical, width_bytes,
                            value);
    return MX_OK;
}

static mx_status_t port_in(void *context, uint16_t port, unsigned width_bytes, uint32_t *value)
{
    const struct emulation *emulation = context;

    *value =
        (uint32_t)device_bus_port_read(&emulation->machine->bus, emulation->key, port, width_bytes);
    return MX_OK;
}

static mx_status_t port_out(void *context, uint16_t port, unsigned width_bytes, uint32_t value)
{
    const struct emulation *emulation = context;

    device_bus_port_write(&emulation->machine->bus, emulation->key, port, width_bytes, value);
    return MX_OK;
}

static const struct x86_emulate_ops emulate_ops = {
    .ram_read = ram_read,
    .ram_write = ram_write,
    .ram_compare_exchange = ram_compare_exchange,
    .device_read = device_read,
    .device_write = device_write,
    .port_in = port_in,
    .port_out = port_out,
};

// --- emulation ----------------------------------------------------------------------------------

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

static void store_registers(const struct x86_vcpu_regs *regs, struct mx_insn_state *state)
{
    memcpy(state->gpr, regs->gpr, sizeof(state->gpr));
    state->rip = regs->rip;
    state->rflags = regs->rflags;
}

static struct x86_exit_info exit_info(const struct mx_vcpu_packet *packet)
{
    struct x86_exit_info info = {0};

    if (packet->type == MX_VCPU_PACKET_MEM) {
        info.kind = X86_EXIT_MEMORY;
        info.guest_physical = packet->mem.addr;
        info.is_write = packet->mem.is_write;
    } else {
        info.kind = X86_EXIT_PORT;
        info.port = packet->io.port;
        info.port_bytes = packet->io.width_bytes;
    }
    return info;
}

static void fail_instruction(struct guest *guest, const struct mx_vcpu_packet *packet,
                             const struct x86_emulate_result *result, mx_status_t status)
{
    char bytes[3 * X86_INSTRUCTION_BYTES_MAX + 1] = "";
    static const char digits[] = "0123456789abcdef";
    char *at = bytes;

    for (unsigned i = 0; i < result->byte_count && i < X86_INSTRUCTION_BYTES_MAX; i++) {
        *at++ = ' ';
        *at++ = digits[result->bytes[i] >> 4];
        *at++ = digits[result->bytes[i] & 0xf];
    }
    guest_end(guest, VMM_OUTCOME_FAILED, status,
              "a device access cannot be emulated (%s) at rip 0x%llx:%s", mx_status_string(status),
              (unsigned long long)packet->state.rip, bytes);
}

static void answer_exception(const struct x86_exception *exception, struct mx_vcpu_packet *packet)
{
    // Also the answer to a string instruction on ports: only this kind of packet can carry it.
    packet->type = MX_VCPU_PACKET_MEM;
    packet->mem.exception = exception->vector;
    packet->mem.exception_error_code = exception->error_code;
    packet->mem.exception_has_error_code = exception->has_error_code;
    packet->mem.fault_addr = exception->address;
}

static void emulate(struct machine *machine, struct mx_vcpu_packet *packet)
{
    struct guest *guest = machine->bus.guest;
    struct emulation emulation = {.machine = machine, .key = packet->key};
    const struct x86_exit_info info = exit_info(packet);
    struct x86_vcpu_regs regs;
    struct x86_emulate_result result = {0};

    load_registers(&packet->state, &regs);
    mutex_lock(&guest->lock);
    const mx_status_t status = x86_emulate(&regs, &info, &emulate_ops, &emulation, &result);
    mutex_unlock(&guest->lock);
    if (status != MX_OK) {
        fail_instruction(guest, packet, &result, status);
        return;
    }
    if (packet->type == MX_VCPU_PACKET_MEM)
        packet->mem.exception = MX_VCPU_NO_EXCEPTION;
    if (result.outcome == X86_OUTCOME_EXCEPTION)
        answer_exception(&result.exception, packet);
    else
        store_registers(&regs, &packet->state);
}

// --- packets ------------------------------------------------------------------------------------

static void handle_io(struct machine *machine, struct mx_vcpu_packet *packet)
{
    struct mx_packet_io *io = &packet->io;

    if (io->is_string) {
        emulate(machine, packet);
        return;
    }
    mutex_lock(&machine->bus.guest->lock);
    if (io->is_input)
        io->data = device_bus_port_read(&machine->bus, packet->key, io->port, io->width_bytes);
    else
        device_bus_port_write(&machine->bus, packet->key, io->port, io->width_bytes, io->data);
    mutex_unlock(&machine->bus.guest->lock);
}

static void handle_mem(struct machine *machine, struct mx_vcpu_packet *packet)
{
    if (!packet->mem.is_decoded) {
        emulate(machine, packet);
        return;
    }
    mutex_lock(&machine->bus.guest->lock);
    device_bus_answer(&machine->bus, packet->key, &packet->mem);
    mutex_unlock(&machine->bus.guest->lock);
}

static void handle_eoi(struct machine *machine, uint32_t vector)
{
    mutex_lock(&machine->bus.guest->lock);
    ioapic_eoi(&machine->ioapic, (uint8_t)vector);
    mutex_unlock(&machine->bus.guest->lock);
}

static uint32_t acknowledge(struct machine *machine)
{
    mutex_lock(&machine->bus.guest->lock);
    const uint8_t vector = i8259_acknowledge(&machine->pic);
    mutex_unlock(&machine->bus.guest->lock);
    return vector;
}

void machine_handle_packet(struct machine *machine, struct guest_vcpu *vcpu,
                           struct mx_vcpu_packet *packet)
{
    (void)vcpu;
    switch ((enum mx_vcpu_packet_type)packet->type) {
    case MX_VCPU_PACKET_IO:
        handle_io(machine, packet);
        break;
    case MX_VCPU_PACKET_MEM:
        handle_mem(machine, packet);
        break;
    case MX_VCPU_PACKET_EOI:
        handle_eoi(machine, packet->eoi.vector);
        break;
    case MX_VCPU_PACKET_INTACK:
        packet->intack.vector = acknowledge(machine);
        break;
    case MX_VCPU_PACKET_NONE: // the others do not come here
    case MX_VCPU_PACKET_SHUTDOWN:
    case MX_VCPU_PACKET_POWER:
        break;
    }
}
