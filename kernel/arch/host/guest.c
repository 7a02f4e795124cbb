// Guests of the host port; see host_guest.h and <arch/hypervisor.h>.

#include "kernel/arch/host/host_guest.h"

#include "kernel/arch/host/host_cpu.h"
#include "kernel/core/log.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/lib/string.h"

#define IO_LIMIT    ((uint64_t)65536)
#define MSI_ADDRESS UINT64_C(0xfee00000)
#define VECTOR_MAX  255

static const struct host_guest_step *next_script;
static const struct host_guest_step empty_script[] = {{HOST_GUEST_END, 0, 0}};

void host_vcpu_set_script(const struct host_guest_step *steps)
{
    next_script = steps;
}

mx_status_t arch_hypervisor_init(void)
{
    return MX_OK;
}

const char *arch_hypervisor_description(void)
{
    return "scripts of the host port";
}

bool arch_hypervisor_spares_cpu(uint32_t cpu_index)
{
    (void)cpu_index;
    return false;
}

mx_status_t arch_guest_init(struct guest *guest)
{
    guest->arch = (struct arch_guest){.msi_count = 0};
    return MX_OK;
}

void arch_guest_destroy(struct guest *guest)
{
    (void)guest;
}

uint64_t arch_guest_trap_limit(uint32_t kind)
{
    return kind == MX_TRAP_IO || kind == MX_TRAP_IO_BELL ? IO_LIMIT : arch_aspace_guest_limit();
}

bool arch_guest_accepts_msi(struct guest *guest, uint64_t addr, uint64_t data)
{
    (void)guest;
    (void)data;
    return addr >> 20 == MSI_ADDRESS >> 20;
}

mx_status_t arch_guest_send_msi(struct guest *guest, uint64_t addr, uint64_t data)
{
    if (!arch_guest_accepts_msi(guest, addr, data))
        return MX_ERR_INVALID_ARGS;
    guest->arch.msi_count++;
    guest->arch.last_msi_addr = addr;
    guest->arch.last_msi_data = data;
    return MX_OK;
}

bool arch_guest_lower_line(struct guest *guest, uint64_t addr, uint64_t data)
{
    (void)addr;
    guest->arch.lower_count++;
    guest->arch.last_lowered_data = data;
    return data == HOST_GUEST_LEVEL_DATA;
}

mx_status_t arch_vcpu_init(struct vcpu *vcpu)
{
    vcpu->arch = (struct arch_vcpu){.script = next_script != NULL ? next_script : empty_script};
    next_script = NULL;
    return MX_OK;
}

void arch_vcpu_destroy(struct vcpu *vcpu)
{
    (void)vcpu;
}

void arch_vcpu_notify(struct vcpu *vcpu)
{
    uint32_t cpu = __atomic_load_n(&vcpu->guest_cpu, __ATOMIC_SEQ_CST);

    if (cpu != VCPU_NO_CPU && &cpus[cpu] != arch_current_cpu())
        arch_cpu_send_reschedule(cpu);
    vcpu_wake(vcpu);
}

mx_status_t arch_vcpu_interrupt(struct vcpu *vcpu, uint32_t vector)
{
    if (vector > VECTOR_MAX)
        return MX_ERR_OUT_OF_RANGE;
    vcpu->arch.last_vector = vector;
    __atomic_store_n(&vcpu->arch.is_interrupt_pending, true, __ATOMIC_SEQ_CST);
    arch_vcpu_notify(vcpu);
    return MX_OK;
}

mx_status_t arch_vcpu_read_state(struct vcpu *vcpu, struct mx_vcpu_state *state)
{
    *state = vcpu->arch.state;
    return MX_OK;
}

mx_status_t arch_vcpu_write_state(struct vcpu *vcpu, const struct mx_vcpu_state *state)
{
    vcpu->arch.state = *state;
    return MX_OK;
}

// --- running a script
// -------------------------------------------------------------------------------

// What a step came to: the VMM is needed, or the next step follows.
enum step_result {
    STEP_DONE,
    STEP_LEAVE,
    STEP_FAILED,
};

static void fill_access(const struct host_guest_step *step, struct mx_vcpu_packet *packet,
                        bool is_io, bool is_write)
{
    if (is_io) {
        packet->type = MX_VCPU_PACKET_IO;
        packet->io = (struct mx_packet_io){.data = is_write ? step->value : 0,
                                           .port = (uint16_t)step->addr,
                                           .width_bytes = 4,
                                           .is_input = !is_write};
    } else {
        packet->type = MX_VCPU_PACKET_MEM;
        packet->mem = (struct mx_packet_mem){.addr = step->addr,
                                             .data = is_write ? step->value : 0,
                                             .width_bytes = 4,
                                             .is_write = is_write,
                                             .is_decoded = true,
                                             .exception = MX_VCPU_NO_EXCEPTION};
    }
}

static enum step_result access(struct vcpu *vcpu, const struct host_guest_step *step,
                               struct mx_vcpu_packet *packet, bool is_io, bool is_write)
{
    struct guest *guest = vcpu->guest;
    struct trap_map *map = is_io ? &guest->io_traps : &guest->memory_traps;
    struct guest_trap_hit hit;
    mx_status_t status = MX_ERR_SHOULD_WAIT;

    if (is_write)
        status = guest_write_trap(guest, map, step->addr, step->value, &hit);
    else if (!guest_find_trap(guest, map, step->addr, &hit))
        status = MX_ERR_NOT_FOUND;
    vcpu->arch.last_read = UINT64_MAX; // of nothing
    if (status == MX_OK || status == MX_ERR_NOT_FOUND)
        return STEP_DONE;
    if (status != MX_ERR_SHOULD_WAIT)
        return STEP_FAILED;
    fill_access(step, packet, is_io, is_write);
    packet->key = hit.key;
    vcpu->arch.has_answer_pending = !is_write;
    return STEP_LEAVE;
}

static bool must_run(struct vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->arch.is_interrupt_pending, __ATOMIC_SEQ_CST) ||
           __atomic_load_n(&vcpu->is_kicked, __ATOMIC_SEQ_CST) ||
           thread_is_killed(thread_current());
}

static bool must_leave(struct vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->is_kicked, __ATOMIC_SEQ_CST) ||
           thread_is_killed(thread_current());
}

static enum step_result spin(struct vcpu *vcpu, uint64_t duration_ns)
{
    mx_time_t end = host_time() + (mx_time_t)duration_ns;

    while (host_time() < end && !must_leave(vcpu)) {
        struct host_cpu *self = host_this;
        __atomic_store_n(&vcpu->guest_cpu, self->cpu->index, __ATOMIC_SEQ_CST);
        self->busy_until = end;
        host_pause();
        self->busy_until = 0;
        __atomic_store_n(&vcpu->guest_cpu, VCPU_NO_CPU, __ATOMIC_SEQ_CST);
        host_take_interrupts();
    }
    return host_time() < end ? STEP_FAILED : STEP_DONE;
}

static enum step_result do_step(struct vcpu *vcpu, const struct host_guest_step *step,
                                struct mx_vcpu_packet *packet)
{
    switch (step->action) {
    case HOST_GUEST_MEM_READ:
    case HOST_GUEST_IO_READ:
        return access(vcpu, step, packet, step->action == HOST_GUEST_IO_READ, false);
    case HOST_GUEST_MEM_WRITE:
    case HOST_GUEST_IO_WRITE:
        return access(vcpu, step, packet, step->action == HOST_GUEST_IO_WRITE, true);
    case HOST_GUEST_HALT:
        vcpu_block(vcpu, must_run);
        return __atomic_exchange_n(&vcpu->arch.is_interrupt_pending, false, __ATOMIC_SEQ_CST)
                   ? STEP_DONE
                   : STEP_FAILED;
    case HOST_GUEST_SPIN:
        return spin(vcpu, step->value);
    case HOST_GUEST_SHUTDOWN:
        packet->type = MX_VCPU_PACKET_SHUTDOWN;
        return STEP_LEAVE;
    case HOST_GUEST_END:
        break;
    }
    packet->type = MX_VCPU_PACKET_POWER;
    packet->power.reason = MX_POWER_OFF;
    return STEP_LEAVE;
}

static void take_answer(struct vcpu *vcpu, const struct mx_vcpu_packet *packet)
{
    if (!vcpu->arch.has_answer_pending)
        return;
    vcpu->arch.has_answer_pending = false;
    if (packet->type == MX_VCPU_PACKET_IO)
        vcpu->arch.last_read = packet->io.data;
    else if (packet->type == MX_VCPU_PACKET_MEM)
        vcpu->arch.last_read = packet->mem.data;
}

mx_status_t arch_vcpu_enter(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    ASSERT(arch_interrupts_are_enabled());
    take_answer(vcpu, packet);
    for (;;) {
        if (vcpu_take_kick(vcpu) || thread_is_killed(thread_current()))
            return MX_ERR_CANCELED;
        const struct host_guest_step *step = &vcpu->arch.script[vcpu->arch.step_index];
        memset(packet, 0, sizeof(*packet));
        switch (do_step(vcpu, step, packet)) {
        case STEP_DONE:
            vcpu->arch.step_index++;
            break;
        case STEP_LEAVE:
            if (step->action != HOST_GUEST_END && step->action != HOST_GUEST_SHUTDOWN)
                vcpu->arch.step_index++;
            return MX_OK;
        case STEP_FAILED:
            if (!must_leave(vcpu) && step->action != HOST_GUEST_HALT)
                return MX_ERR_BAD_STATE;
            break;
        }
    }
}
