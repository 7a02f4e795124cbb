// Hardware interrupts as objects: a line stays masked from the interrupt until it is acknowledged
// or waited for again; a message, which comes once for each time that it was sent, may not be
// (arch_interrupt_take_message).

#include "kernel/object/interrupt.h"

#include <arch/interrupts.h>
#include <arch/time.h>

#include "kernel/core/thread.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/port.h"
#include "kernel/object/process.h"
#include "kernel/object/resource.h"
#include "kernel/object/syscalls.h"

struct interrupt {
    struct object object;
    uint32_t irq;
    bool is_masked;
    bool is_message; // to be given back
    mx_time_t timestamp;
    struct port *port; // referenced; NULL: waited for
    struct port_source source;
    struct job *job; // referenced
};

// by_irq_lock also keeps an object from going while its interrupt is dispatched.
static struct spinlock by_irq_lock = SPINLOCK_INIT;
static struct interrupt *by_irq[ARCH_INTERRUPT_END];

void interrupt_dispatch(uint32_t irq)
{
    spin_acquire(&by_irq_lock);
    struct interrupt *interrupt = irq < ARCH_INTERRUPT_END ? by_irq[irq] : NULL;
    if (interrupt != NULL) {
        interrupt->is_masked = true;
        interrupt->timestamp = arch_time_now();
        if (interrupt->port != NULL) {
            interrupt->source.packet.interrupt.timestamp = interrupt->timestamp;
            port_queue_source(interrupt->port, &interrupt->source);
        } else {
            object_change_signals(&interrupt->object, 0, MX_SIGNAL_SIGNALED);
        }
    }
    spin_release(&by_irq_lock);
}

static void interrupt_on_zero_handles(struct object *object)
{
    struct interrupt *interrupt = CONTAINER_OF(object, struct interrupt, object);

    arch_interrupt_state_t state = spin_lock(&by_irq_lock);
    // A handle in flight may come and go once more after this: by then the line may be another's.
    if (by_irq[interrupt->irq] == interrupt) {
        arch_interrupt_mask(interrupt->irq);
        by_irq[interrupt->irq] = NULL;
    }
    spin_unlock(&by_irq_lock, state);
}

static void interrupt_destroy(struct object *object)
{
    struct interrupt *interrupt = CONTAINER_OF(object, struct interrupt, object);
    struct job *job = interrupt->job;

    if (interrupt->port != NULL) {
        port_cancel_source(interrupt->port, &interrupt->source);
        object_release(&interrupt->port->object);
    }
    if (interrupt->is_message)
        arch_interrupt_free_message(interrupt->irq);
    object_free(job, interrupt, sizeof(*interrupt));
    object_release(&job->object);
}

static const struct object_ops interrupt_ops = {
    .type = MX_OBJECT_INTERRUPT,
    .default_rights = MX_RIGHT_TRANSFER | MX_RIGHT_READ | MX_RIGHT_WRITE | MX_RIGHT_WAIT | MX_RIGHT_INSPECT,
    .on_zero_handles = interrupt_on_zero_handles,
    .destroy = interrupt_destroy,
};

static mx_status_t claim_irq(struct interrupt *interrupt)
{
    arch_interrupt_state_t state = spin_lock(&by_irq_lock);
    bool is_taken = by_irq[interrupt->irq] != NULL;
    if (!is_taken)
        by_irq[interrupt->irq] = interrupt;
    spin_unlock(&by_irq_lock, state);
    return is_taken ? MX_ERR_ALREADY_EXISTS : MX_OK;
}

// Without its interrupt. NULL: no memory.
static struct interrupt *interrupt_alloc(void)
{
    struct job *job = process_current()->job;
    struct interrupt *interrupt = object_alloc(job, sizeof(*interrupt));

    if (interrupt == NULL)
        return NULL;
    object_init(&interrupt->object, &interrupt_ops);
    interrupt->is_masked = true;
    object_reference(&job->object);
    interrupt->job = job;
    return interrupt;
}

int64_t sys_interrupt_create(mx_handle_t resource, uint32_t irq, uaddr_t out)
{
    mx_status_t status = resource_check(resource, MX_RIGHT_WRITE, MX_RESOURCE_IRQ, irq, 1);

    if (status != MX_OK)
        return status;
    if (irq >= ARCH_INTERRUPT_END)
        return MX_ERR_OUT_OF_RANGE;
    struct interrupt *interrupt = interrupt_alloc();
    if (interrupt == NULL)
        return MX_ERR_NO_MEMORY;
    interrupt->irq = irq;
    status = claim_irq(interrupt);
    if (status == MX_OK) {
        status = arch_interrupt_configure(irq);
        if (status != MX_OK)
            interrupt_on_zero_handles(&interrupt->object);
    }
    if (status != MX_OK) {
        object_release(&interrupt->object);
        return status;
    }
    return handle_return(&interrupt->object, interrupt_ops.default_rights, out);
}

int64_t sys_interrupt_create_message(mx_handle_t resource, uint32_t requester, uaddr_t out,
                                     uaddr_t out_message)
{
    struct mx_interrupt_message message = {0};
    mx_status_t status =
        resource_check(resource, MX_RIGHT_WRITE, MX_RESOURCE_IRQ, MX_IRQ_MESSAGES, 1);

    if (status != MX_OK)
        return status;
    struct interrupt *interrupt = interrupt_alloc();
    if (interrupt == NULL)
        return MX_ERR_NO_MEMORY;
    status = arch_interrupt_take_message(requester, &interrupt->irq, &message);
    interrupt->is_message = status == MX_OK;
    if (status == MX_OK)
        status = user_write(out_message, &message, sizeof(message));
    if (status == MX_OK)
        status = claim_irq(interrupt);
    if (status != MX_OK) {
        object_release(&interrupt->object);
        return status;
    }
    return handle_return(&interrupt->object, interrupt_ops.default_rights, out);
}

static void unmask(struct interrupt *interrupt)
{
    arch_interrupt_state_t state = spin_lock(&by_irq_lock);
    if (interrupt->is_masked && by_irq[interrupt->irq] == interrupt) {
        interrupt->is_masked = false;
        arch_interrupt_unmask(interrupt->irq);
    }
    spin_unlock(&by_irq_lock, state);
}

int64_t sys_interrupt_bind(mx_handle_t handle, mx_handle_t port_handle, uint64_t key)
{
    struct object *object, *port;
    mx_status_t status = handle_get(handle, MX_OBJECT_INTERRUPT, MX_RIGHT_WRITE, &object);

    if (status != MX_OK)
        return status;
    status = handle_get(port_handle, MX_OBJECT_PORT, MX_RIGHT_WRITE, &port);
    if (status == MX_OK) {
        struct interrupt *interrupt = CONTAINER_OF(object, struct interrupt, object);
        arch_interrupt_state_t state = spin_lock(&by_irq_lock);
        if (interrupt->port != NULL) {
            status = MX_ERR_ALREADY_BOUND;
        } else {
            port_source_init(&interrupt->source, MX_PACKET_INTERRUPT, key);
            interrupt->port = CONTAINER_OF(port, struct port, object);
        }
        spin_unlock(&by_irq_lock, state);
        if (status == MX_OK)
            unmask(interrupt);
        else
            object_release(port);
    }
    object_release(object);
    return status;
}

int64_t sys_interrupt_wait(mx_handle_t handle, mx_time_t deadline, uaddr_t out_timestamp)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_INTERRUPT, MX_RIGHT_WAIT, &object);

    if (status != MX_OK)
        return status;
    struct interrupt *interrupt = CONTAINER_OF(object, struct interrupt, object);
    if (interrupt->port != NULL) {
        object_release(object);
        return MX_ERR_BAD_STATE;
    }
    unmask(interrupt);
    status = (mx_status_t)sys_object_wait_one(handle, MX_SIGNAL_SIGNALED, deadline, 0);
    if (status == MX_OK)
        object_change_signals(object, MX_SIGNAL_SIGNALED, 0);
    mx_time_t timestamp = interrupt->timestamp;
    object_release(object);
    if (status == MX_OK && out_timestamp != 0)
        status = user_write(out_timestamp, &timestamp, sizeof(timestamp));
    return status;
}

int64_t sys_interrupt_ack(mx_handle_t handle)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_INTERRUPT, MX_RIGHT_WRITE, &object);

    if (status != MX_OK)
        return status;
    object_change_signals(object, MX_SIGNAL_SIGNALED, 0);
    unmask(CONTAINER_OF(object, struct interrupt, object));
    object_release(object);
    return MX_OK;
}
