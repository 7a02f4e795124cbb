// Interrupt lines of a guest as objects: the VMM says where a line goes, a device process raises
// it.
#pragma once

#include "kernel/hypervisor/guest.h"

struct guest_irq {
    struct object object;
    struct guest *guest;  // referenced
    struct spinlock lock; // the fields below
    struct mx_irq_route route;
    struct port *port; // of a port route, referenced
    bool is_pending;   // raised while there was no route
    bool is_raised;    // by a message, and not lowered since
    struct port_source source;
};

static inline struct guest_irq *guest_irq_from_object(struct object *object)
{
    return CONTAINER_OF(object, struct guest_irq, object);
}

MUST_CHECK mx_status_t guest_irq_create(struct guest *guest, struct guest_irq **out);
// `port` is NULL but for MX_IRQ_ROUTE_PORT; the route references it. INVALID_ARGS as
// mx_guest_irq_route.
MUST_CHECK mx_status_t guest_irq_set_route(struct guest_irq *irq, const struct mx_irq_route *route,
                                           struct port *port);
void guest_irq_raise(struct guest_irq *irq);
void guest_irq_lower(struct guest_irq *irq);
