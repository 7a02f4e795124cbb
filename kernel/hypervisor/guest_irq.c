// Guest interrupt lines; see guest_irq.h.
#include "kernel/hypervisor/guest_irq.h"

#define GUEST_IRQ_RIGHTS \
    (MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_SIGNAL | MX_RIGHT_INSPECT | MX_RIGHT_MANAGE)

// Takes back what it raised by its message route. Whether that was the level of a line, which was
// up. Lock held, or the last reference gone.
static bool withdraw(struct guest_irq *irq)
{
    bool is_raised = irq->is_raised;

    irq->is_raised = false;
    return is_raised && arch_guest_lower_line(irq->guest, irq->route.addr, irq->route.data);
}

static void guest_irq_destroy(struct object *object)
{
    struct guest_irq *irq = guest_irq_from_object(object);
    struct guest *guest = irq->guest;

    (void)withdraw(irq);
    if (irq->port) {
        port_cancel_source(irq->port, &irq->source);
        object_release(&irq->port->object);
    }
    object_free(guest->job, irq, sizeof(*irq));
    object_release(&guest->object);
}

static const struct object_ops guest_irq_ops = {
    .type = MX_OBJECT_GUEST_IRQ,
    .default_rights = GUEST_IRQ_RIGHTS,
    .destroy = guest_irq_destroy,
};

mx_status_t guest_irq_create(struct guest *guest, struct guest_irq **out)
{
    struct guest_irq *irq = object_alloc(guest->job, sizeof(*irq));

    if (!irq)
        return MX_ERR_NO_MEMORY;
    object_init(&irq->object, &guest_irq_ops);
    object_reference(&guest->object);
    irq->guest = guest;
    port_source_init(&irq->source, MX_PACKET_GUEST_IRQ, 0);
    *out = irq;
    return MX_OK;
}

static void deliver_locked(struct guest_irq *irq)
{
    switch ((enum mx_irq_route_kind)irq->route.kind) {
    case MX_IRQ_ROUTE_NONE:
        irq->is_pending = true;
        return;
    case MX_IRQ_ROUTE_MSI:
        // The route was checked when it was set; what it addresses may be gone, as on a real bus.
        (void)!arch_guest_send_msi(irq->guest, irq->route.addr, irq->route.data);
        irq->is_raised = true;
        return;
    case MX_IRQ_ROUTE_PORT:
        port_queue_source(irq->port, &irq->source);
        return;
    }
}

void guest_irq_raise(struct guest_irq *irq)
{
    arch_interrupt_state_t state = spin_lock(&irq->lock);

    deliver_locked(irq);
    spin_unlock(&irq->lock, state);
}

void guest_irq_lower(struct guest_irq *irq)
{
    arch_interrupt_state_t state = spin_lock(&irq->lock);

    irq->is_pending = false;
    (void)withdraw(irq);
    spin_unlock(&irq->lock, state);
}

static mx_status_t check_route(struct guest_irq *irq, const struct mx_irq_route *route,
                               const struct port *port)
{
    if (route->kind > MX_IRQ_ROUTE_PORT || (route->kind == MX_IRQ_ROUTE_PORT) != (port != NULL))
        return MX_ERR_INVALID_ARGS;
    if (route->kind == MX_IRQ_ROUTE_MSI &&
        !arch_guest_accepts_msi(irq->guest, route->addr, route->data))
        return MX_ERR_INVALID_ARGS;
    return MX_OK;
}

mx_status_t guest_irq_set_route(struct guest_irq *irq, const struct mx_irq_route *route,
                                struct port *port)
{
    mx_status_t status = check_route(irq, route, port);
    arch_interrupt_state_t state;
    struct port *old_port;

    if (status != MX_OK)
        return status;
    if (port)
        object_reference(&port->object);
    state = spin_lock(&irq->lock);
    old_port = irq->port;
    if (old_port && port_cancel_source(old_port, &irq->source))
        irq->is_pending = true; // nobody has seen it yet
    if (withdraw(irq))
        irq->is_pending = true; // the line is up wherever it goes
    irq->route = *route;
    irq->port = port;
    irq->source.packet.key = route->key;
    if (irq->is_pending && route->kind != MX_IRQ_ROUTE_NONE) {
        irq->is_pending = false;
        deliver_locked(irq);
    }
    spin_unlock(&irq->lock, state);
    if (old_port)
        object_release(&old_port->object);
    return MX_OK;
}
