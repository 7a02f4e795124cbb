// The system calls on guests, vCPUs and guest interrupt lines; see <machina/syscalls.h>.
#include "kernel/object/syscalls.h"

#include "kernel/hypervisor/guest_irq.h"
#include "kernel/hypervisor/vcpu.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/resource.h"

#define GUEST_ASPACE_RIGHTS \
    (MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ | MX_RIGHT_WRITE | MX_RIGHT_INSPECT)

static mx_status_t get_guest(mx_handle_t handle, mx_rights_t rights, struct guest **out)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_GUEST, rights, &object);

    if (status == MX_OK)
        *out = guest_from_object(object);
    return status;
}

static mx_status_t get_vcpu(mx_handle_t handle, mx_rights_t rights, struct vcpu **out)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_VCPU, rights, &object);

    if (status == MX_OK)
        *out = vcpu_from_object(object);
    return status;
}

static mx_status_t get_irq(mx_handle_t handle, mx_rights_t rights, struct guest_irq **out)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_GUEST_IRQ, rights, &object);

    if (status == MX_OK)
        *out = guest_irq_from_object(object);
    return status;
}

// The port that an argument names; NULL for MX_HANDLE_INVALID.
static mx_status_t get_optional_port(mx_handle_t handle, struct port **out)
{
    struct object *object;
    mx_status_t status;

    *out = NULL;
    if (handle == MX_HANDLE_INVALID)
        return MX_OK;
    status = handle_get(handle, MX_OBJECT_PORT, MX_RIGHT_WRITE, &object);
    if (status == MX_OK)
        *out = CONTAINER_OF(object, struct port, object);
    return status;
}

static void release_optional_port(struct port *port)
{
    if (port)
        object_release(&port->object);
}

// --- guests -------------------------------------------------------------------------------------

// Both handles of a new guest; consumes the reference to it.
static mx_status_t return_guest(struct guest *guest, uaddr_t out_guest, uaddr_t out_aspace)
{
    struct aspace *aspace = guest->aspace;

    object_reference(&aspace->object);
    return handle_return_two(&guest->object, guest->object.ops->default_rights, out_guest,
                             &aspace->object, GUEST_ASPACE_RIGHTS, out_aspace);
}

int64_t sys_guest_create(mx_handle_t resource, mx_handle_t job_handle, uaddr_t out_guest,
                         uaddr_t out_aspace)
{
    struct object *job;
    struct guest *guest;
    mx_status_t status = resource_check(resource, MX_RIGHT_WRITE, MX_RESOURCE_HYPERVISOR, 0, 0);

    if (status != MX_OK)
        return status;
    status = handle_get(job_handle, MX_OBJECT_JOB, MX_RIGHT_MANAGE, &job);
    if (status != MX_OK)
        return status;
    status = guest_create(CONTAINER_OF(job, struct job, object), &guest);
    object_release(job);
    return status == MX_OK ? return_guest(guest, out_guest, out_aspace) : status;
}

int64_t sys_guest_set_trap(mx_handle_t handle, uaddr_t trap_addr)
{
    struct mx_trap trap;
    struct guest *guest;
    struct port *port;
    mx_status_t status = get_guest(handle, MX_RIGHT_WRITE, &guest);

    if (status != MX_OK)
        return status;
    status = user_read(&trap, trap_addr, sizeof(trap));
    if (status != MX_OK)
        goto out_guest;
    status = get_optional_port(trap.port, &port);
    if (status != MX_OK)
        goto out_guest;
    status = guest_set_trap(guest, &trap, port);
    release_optional_port(port);
out_guest:
    object_release(&guest->object);
    return status;
}

int64_t sys_guest_clear_trap(mx_handle_t handle, uint32_t kind, uint64_t addr)
{
    struct guest *guest;
    mx_status_t status = get_guest(handle, MX_RIGHT_WRITE, &guest);

    if (status != MX_OK)
        return status;
    status = guest_clear_trap(guest, kind, addr);
    object_release(&guest->object);
    return status;
}

int64_t sys_guest_send_msi(mx_handle_t handle, uint64_t addr, uint64_t data)
{
    struct guest *guest;
    mx_status_t status = get_guest(handle, MX_RIGHT_SIGNAL, &guest);

    if (status != MX_OK)
        return status;
    status = arch_guest_send_msi(guest, addr, data);
    object_release(&guest->object);
    return status;
}

// --- interrupt lines ----------------------------------------------------------------------------

int64_t sys_guest_irq_create(mx_handle_t handle, uaddr_t out)
{
    struct guest *guest;
    struct guest_irq *irq;
    mx_status_t status = get_guest(handle, MX_RIGHT_MANAGE, &guest);

    if (status != MX_OK)
        return status;
    status = guest_irq_create(guest, &irq);
    object_release(&guest->object);
    return status == MX_OK ? handle_return(&irq->object, irq->object.ops->default_rights, out)
                           : status;
}

int64_t sys_guest_irq_route(mx_handle_t handle, uaddr_t route_addr)
{
    struct mx_irq_route route;
    struct guest_irq *irq;
    struct port *port;
    mx_status_t status = get_irq(handle, MX_RIGHT_MANAGE, &irq);

    if (status != MX_OK)
        return status;
    status = user_read(&route, route_addr, sizeof(route));
    if (status != MX_OK)
        goto out_irq;
    status = get_optional_port(route.port, &port);
    if (status != MX_OK)
        goto out_irq;
    status = guest_irq_set_route(irq, &route, port);
    release_optional_port(port);
out_irq:
    object_release(&irq->object);
    return status;
}

int64_t sys_guest_irq_raise(mx_handle_t handle)
{
    struct guest_irq *irq;
    mx_status_t status = get_irq(handle, MX_RIGHT_SIGNAL, &irq);

    if (status != MX_OK)
        return status;
    guest_irq_raise(irq);
    object_release(&irq->object);
    return MX_OK;
}

int64_t sys_guest_irq_lower(mx_handle_t handle)
{
    struct guest_irq *irq;
    mx_status_t status = get_irq(handle, MX_RIGHT_SIGNAL, &irq);

    if (status != MX_OK)
        return status;
    guest_irq_lower(irq);
    object_release(&irq->object);
    return MX_OK;
}

// --- the interrupt controller that the VMM models -----------------------------------------------

// NOT_SUPPORTED: its interrupts are none of the VMM's business.
static mx_status_t get_guest_with_ops(mx_handle_t handle, struct guest **guest, const struct guest_interrupt_ops **ops)
{
    *ops = guest_interrupt_ops();
    mx_status_t status = get_guest(handle, MX_RIGHT_MANAGE, guest);

    if (status != MX_OK || *ops != NULL)
        return status;
    object_release(&(*guest)->object);
    return MX_ERR_NOT_SUPPORTED;
}

int64_t sys_guest_gic_read(mx_handle_t handle, uint32_t vcpu_id, uint32_t field, uint32_t first, uaddr_t out)
{
    struct guest *guest;
    uint32_t value = 0;
    const struct guest_interrupt_ops *ops;
    mx_status_t status = get_guest_with_ops(handle, &guest, &ops);

    if (status != MX_OK)
        return status;
    status = ops->read(guest, vcpu_id, field, first, &value);
    object_release(&guest->object);
    return status == MX_OK ? user_write(out, &value, sizeof(value)) : status;
}

int64_t sys_guest_gic_write(mx_handle_t handle, uint32_t vcpu_id, uint32_t field, uint32_t first, uint32_t value,
                            uint32_t mask)
{
    struct guest *guest;
    const struct guest_interrupt_ops *ops;
    mx_status_t status = get_guest_with_ops(handle, &guest, &ops);

    if (status != MX_OK)
        return status;
    status = ops->write(guest, vcpu_id, field, first, value, mask);
    object_release(&guest->object);
    return status;
}

int64_t sys_guest_gic_set_lpi(mx_handle_t handle, uint32_t intid, uint32_t vcpu_id, uint32_t priority,
                              uint32_t is_enabled)
{
    struct guest *guest;
    const struct guest_interrupt_ops *ops;
    mx_status_t status = get_guest_with_ops(handle, &guest, &ops);

    if (status != MX_OK)
        return status;
    status = ops->set_message(guest, intid, vcpu_id, priority, is_enabled != 0);
    object_release(&guest->object);
    return status;
}

int64_t sys_guest_gic_place(mx_handle_t handle, uint64_t addr)
{
    struct guest *guest;
    const struct guest_interrupt_ops *ops;
    mx_status_t status = get_guest_with_ops(handle, &guest, &ops);

    if (status != MX_OK)
        return status;
    status = ops->place_interface(guest, addr);
    object_release(&guest->object);
    return status;
}

// --- vCPUs --------------------------------------------------------------------------------------

int64_t sys_vcpu_create(mx_handle_t handle, uint32_t id, uint32_t options, uaddr_t out)
{
    struct guest *guest;
    struct vcpu *vcpu;
    mx_status_t status = get_guest(handle, MX_RIGHT_MANAGE, &guest);

    if (status != MX_OK)
        return status;
    if (options & ~MX_VCPU_CREATE_WAITING)
        status = MX_ERR_INVALID_ARGS;
    else
        status = vcpu_create(guest, id, options, &vcpu);
    object_release(&guest->object);
    return status == MX_OK ? handle_return(&vcpu->object, vcpu->object.ops->default_rights, out)
                           : status;
}

// Only packets whose instruction the VMM emulates carry the instruction's state.
static size_t packet_size(const struct mx_vcpu_packet *packet)
{
    bool has_state = (packet->type == MX_VCPU_PACKET_MEM && !packet->mem.is_decoded) ||
                     (packet->type == MX_VCPU_PACKET_IO && packet->io.is_string);

    return has_state ? sizeof(*packet) : offsetof(struct mx_vcpu_packet, state);
}

static mx_status_t enter(struct vcpu *vcpu, uaddr_t packet_addr)
{
    struct mx_vcpu_packet *packet = &vcpu->packet;
    const size_t head = offsetof(struct mx_vcpu_packet, state);
    // What the last packet asked for decides what is read, not what the answer claims to be.
    bool has_state = packet_size(packet) > head;
    mx_status_t status = user_read(packet, packet_addr, has_state ? sizeof(*packet) : head);

    if (status != MX_OK)
        return status;
    status = arch_vcpu_enter(vcpu, packet);
    return status == MX_OK ? user_write(packet_addr, packet, packet_size(packet)) : status;
}

int64_t sys_vcpu_enter(mx_handle_t handle, uaddr_t packet_addr)
{
    struct vcpu *vcpu;
    mx_status_t status = get_vcpu(handle, MX_RIGHT_EXECUTE, &vcpu);

    if (status != MX_OK)
        return status;
    status = vcpu_is_current(vcpu) ? enter(vcpu, packet_addr) : MX_ERR_BAD_STATE;
    object_release(&vcpu->object);
    return status;
}

int64_t sys_vcpu_kick(mx_handle_t handle)
{
    struct vcpu *vcpu;
    mx_status_t status = get_vcpu(handle, MX_RIGHT_SIGNAL, &vcpu);

    if (status != MX_OK)
        return status;
    vcpu_kick(vcpu);
    object_release(&vcpu->object);
    return MX_OK;
}

int64_t sys_vcpu_interrupt(mx_handle_t handle, uint32_t vector)
{
    struct vcpu *vcpu;
    mx_status_t status = get_vcpu(handle, MX_RIGHT_SIGNAL, &vcpu);

    if (status != MX_OK)
        return status;
    status = arch_vcpu_interrupt(vcpu, vector);
    object_release(&vcpu->object);
    return status;
}

static mx_status_t check_state_access(const struct vcpu *vcpu, uint32_t kind, size_t size_bytes)
{
    if (kind != MX_VCPU_STATE_REGISTERS || size_bytes != sizeof(struct mx_vcpu_state))
        return MX_ERR_INVALID_ARGS;
    return vcpu_is_current(vcpu) ? MX_OK : MX_ERR_BAD_STATE;
}

int64_t sys_vcpu_read_state(mx_handle_t handle, uint32_t kind, uaddr_t buffer, size_t size_bytes)
{
    struct mx_vcpu_state registers = {0};
    struct vcpu *vcpu;
    mx_status_t status = get_vcpu(handle, MX_RIGHT_READ, &vcpu);

    if (status != MX_OK)
        return status;
    status = check_state_access(vcpu, kind, size_bytes);
    if (status == MX_OK)
        status = arch_vcpu_read_state(vcpu, &registers);
    if (status == MX_OK)
        status = user_write(buffer, &registers, sizeof(registers));
    object_release(&vcpu->object);
    return status;
}

int64_t sys_vcpu_write_state(mx_handle_t handle, uint32_t kind, uaddr_t buffer, size_t size_bytes)
{
    struct mx_vcpu_state registers;
    struct vcpu *vcpu;
    mx_status_t status = get_vcpu(handle, MX_RIGHT_WRITE, &vcpu);

    if (status != MX_OK)
        return status;
    status = check_state_access(vcpu, kind, size_bytes);
    if (status == MX_OK)
        status = user_read(&registers, buffer, sizeof(registers));
    if (status == MX_OK)
        status = arch_vcpu_write_state(vcpu, &registers);
    object_release(&vcpu->object);
    return status;
}
