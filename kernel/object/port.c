// Ports; see port.h. The queue is under the port's object lock. A thread counts itself as a waiter under that lock and
// takes sched_lock before it gives it up, so whoever queues a packet and then sees no waiters has nobody to wake.

#include "kernel/object/port.h"

#include "kernel/memory/user_copy.h"
#include "kernel/object/process.h"
#include "kernel/object/syscalls.h"

#define USER_PACKET_MAX 4096

struct user_packet {
    struct port_source source;
    struct job *job; // referenced
};

void port_source_init(struct port_source *source, enum mx_packet_type type, uint64_t key)
{
    *source = (struct port_source){.packet = {.key = key, .type = type}};
    list_init(&source->node);
    list_init(&source->owned_node);
}

static bool matches_any(const struct port_source *source, const void *argument)
{
    (void)source;
    (void)argument;
    return true;
}

static void port_on_zero_handles(struct object *object)
{
    struct port *port = CONTAINER_OF(object, struct port, object);
    struct port_source *source;

    arch_interrupt_state_t state = spin_lock(&port->object.lock);
    port->is_closed = true;
    while ((source = LIST_FIRST(&port->queue, struct port_source, node)) != NULL)
        list_remove(&source->node);
    spin_unlock(&port->object.lock, state);
    while ((source = port_disown_source(port, matches_any, NULL)) != NULL)
        source->consumed(source);
}

static void port_destroy(struct object *object)
{
    struct port *port = CONTAINER_OF(object, struct port, object);
    struct job *job = port->job;

    object_free(job, port, sizeof(*port));
    object_release(&job->object);
}

static const struct object_ops port_ops = {
    .type = MX_OBJECT_PORT,
    .default_rights = MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ | MX_RIGHT_WRITE |
                      MX_RIGHT_WAIT | MX_RIGHT_INSPECT | MX_RIGHT_SIGNAL,
    .on_zero_handles = port_on_zero_handles,
    .destroy = port_destroy,
};

static void append_locked(struct port *port, struct port_source *source)
{
    list_add_tail(&port->queue, &source->node);
    if ((port->object.signals & MX_SIGNAL_READABLE) == 0)
        object_change_signals_locked(&port->object, 0, MX_SIGNAL_READABLE);
    if (port->waiter_count != 0) {
        spin_acquire(&sched_lock);
        wait_queue_wake_one_locked(&port->waiters, MX_OK);
        spin_release(&sched_lock);
    }
}

mx_status_t port_queue_bell(struct port *port, struct port_source *source, uint64_t addr, uint64_t value)
{
    arch_interrupt_state_t state = spin_lock(&port->object.lock);
    mx_status_t status = port->is_closed ? MX_ERR_BAD_STATE : MX_OK;
    if (status == MX_OK) {
        bool is_queued = list_contains_node(&source->node);
        source->packet.bell.count = is_queued ? source->packet.bell.count + 1 : 1;
        source->packet.bell.addr = addr;
        source->packet.bell.value = value;
        if (!is_queued)
            append_locked(port, source);
    }
    spin_unlock(&port->object.lock, state);
    return status;
}

void port_queue_source(struct port *port, struct port_source *source)
{
    arch_interrupt_state_t state = spin_lock(&port->object.lock);
    bool is_welcome = source->consumed == NULL || list_contains_node(&source->owned_node);
    if (is_welcome && !port->is_closed && !list_contains_node(&source->node))
        append_locked(port, source);
    spin_unlock(&port->object.lock, state);
}

bool port_cancel_source(struct port *port, struct port_source *source)
{
    arch_interrupt_state_t state = spin_lock(&port->object.lock);
    bool was_queued = list_contains_node(&source->node);
    list_remove(&source->node);
    if (list_is_empty(&port->queue))
        object_change_signals_locked(&port->object, MX_SIGNAL_READABLE, 0);
    spin_unlock(&port->object.lock, state);
    return was_queued;
}

mx_status_t port_own_source(struct port *port, struct port_source *source)
{
    arch_interrupt_state_t state = spin_lock(&port->object.lock);
    bool is_closed = port->is_closed;
    if (!is_closed)
        list_add_tail(&port->owned, &source->owned_node);
    spin_unlock(&port->object.lock, state);
    return is_closed ? MX_ERR_BAD_STATE : MX_OK;
}

mx_status_t port_own_and_queue_source(struct port *port, struct port_source *source)
{
    arch_interrupt_state_t state = spin_lock(&port->object.lock);
    bool is_closed = port->is_closed;
    if (!is_closed) {
        list_add_tail(&port->owned, &source->owned_node);
        append_locked(port, source);
    }
    spin_unlock(&port->object.lock, state);
    return is_closed ? MX_ERR_BAD_STATE : MX_OK;
}

struct port_source *port_disown_source(struct port *port,
                                       bool (*matches)(const struct port_source *source, const void *argument),
                                       const void *argument)
{
    struct port_source *source, *found = NULL;

    arch_interrupt_state_t state = spin_lock(&port->object.lock);
    LIST_FOR_EACH(source, &port->owned, owned_node) {
        if (matches(source, argument)) {
            found = source;
            break;
        }
    }
    if (found != NULL) {
        list_remove(&found->owned_node);
        list_remove(&found->node);
        if (list_is_empty(&port->queue))
            port->object.signals &= ~MX_SIGNAL_READABLE;
    }
    spin_unlock(&port->object.lock, state);
    return found;
}

static mx_status_t port_create(struct job *job, struct port **out)
{
    struct port *port = object_alloc(job, sizeof(*port));

    if (port == NULL)
        return MX_ERR_NO_MEMORY;
    object_init(&port->object, &port_ops);
    object_reference(&job->object);
    port->job = job;
    list_init(&port->queue);
    list_init(&port->owned);
    wait_queue_init(&port->waiters);
    *out = port;
    return MX_OK;
}

int64_t sys_port_create(uaddr_t out)
{
    struct port *port;
    mx_status_t status = port_create(process_current()->job, &port);

    return status == MX_OK ? handle_return(&port->object, port_ops.default_rights, out) : status;
}

static void user_packet_consumed(struct port_source *source)
{
    struct user_packet *packet = CONTAINER_OF(source, struct user_packet, source);
    struct job *job = packet->job;

    object_free(job, packet, sizeof(*packet));
    object_release(&job->object);
}

static struct user_packet *user_packet_create(struct job *job, const struct mx_port_packet *content)
{
    struct user_packet *packet = object_alloc(job, sizeof(*packet));

    if (packet == NULL)
        return NULL;
    port_source_init(&packet->source, MX_PACKET_USER, content->key);
    packet->source.packet.status = content->status;
    for (unsigned i = 0; i < ARRAY_COUNT(content->user); i++)
        packet->source.packet.user[i] = content->user[i];
    packet->source.consumed = user_packet_consumed;
    packet->job = job;
    object_reference(&job->object);
    return packet;
}

static mx_status_t queue_user_packet(struct port *port, const struct mx_port_packet *content)
{
    struct user_packet *packet = user_packet_create(process_current()->job, content);

    if (packet == NULL)
        return MX_ERR_NO_MEMORY;
    mx_status_t status = port_own_and_queue_source(port, &packet->source);
    if (status != MX_OK)
        user_packet_consumed(&packet->source);
    return status;
}

int64_t sys_port_queue(mx_handle_t handle, uaddr_t user_packet)
{
    struct object *object;
    struct mx_port_packet content;
    mx_status_t status = handle_get(handle, MX_OBJECT_PORT, MX_RIGHT_WRITE, &object);

    if (status != MX_OK)
        return status;
    struct port *port = CONTAINER_OF(object, struct port, object);
    status = user_read(&content, user_packet, sizeof(content));
    if (status == MX_OK) {
        if (__atomic_fetch_add(&port->user_packet_count, 1, __ATOMIC_RELAXED) >= USER_PACKET_MAX)
            status = MX_ERR_SHOULD_WAIT;
        else
            status = queue_user_packet(port, &content);
        if (status != MX_OK)
            __atomic_fetch_sub(&port->user_packet_count, 1, __ATOMIC_RELAXED);
    }
    object_release(object);
    return status;
}

// Waits for a packet to be queued. The caller holds the port's lock with `state`; it is released.
static mx_status_t wait_for_packet(struct port *port, mx_time_t deadline, arch_interrupt_state_t state)
{
    port->waiter_count++;
    spin_acquire(&sched_lock);
    spin_release(&port->object.lock);
    mx_status_t status = wait_queue_block_locked(&port->waiters, deadline, true, state);
    state = spin_lock(&port->object.lock);
    port->waiter_count--;
    spin_unlock(&port->object.lock, state);
    return status;
}

// Takes the oldest packet; waits for one.
static mx_status_t port_take(struct port *port, mx_time_t deadline, struct mx_port_packet *out)
{
    for (;;) {
        arch_interrupt_state_t state = spin_lock(&port->object.lock);
        struct port_source *source = LIST_FIRST(&port->queue, struct port_source, node);
        if (source != NULL) {
            list_remove(&source->node);
            list_remove(&source->owned_node);
            *out = source->packet;
            if (list_is_empty(&port->queue))
                port->object.signals &= ~MX_SIGNAL_READABLE;
            // A source without call-back may be gone once the lock is.
            void (*consumed)(struct port_source *) = source->consumed;
            spin_unlock(&port->object.lock, state);
            if (out->type == MX_PACKET_USER)
                __atomic_fetch_sub(&port->user_packet_count, 1, __ATOMIC_RELAXED);
            if (consumed != NULL)
                consumed(source);
            return MX_OK;
        }
        mx_status_t status = wait_for_packet(port, deadline, state);
        if (status != MX_OK)
            return status;
    }
}

int64_t sys_port_wait(mx_handle_t handle, mx_time_t deadline, uaddr_t out)
{
    struct object *object;
    struct mx_port_packet packet;
    mx_status_t status = handle_get(handle, MX_OBJECT_PORT, MX_RIGHT_READ, &object);

    if (status != MX_OK)
        return status;
    status = port_take(CONTAINER_OF(object, struct port, object), deadline, &packet);
    object_release(object);
    return status == MX_OK ? user_write(out, &packet, sizeof(packet)) : status;
}
