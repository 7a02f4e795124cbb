// Waiting for signals: one object, several, or by a packet on a port.

#include "kernel/core/thread.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/port.h"
#include "kernel/object/process.h"
#include "kernel/object/syscalls.h"

// One blocked thread with the objects it looks at. `is_woken` is under sched_lock.
struct waiter {
    struct wait_queue queue;
    bool is_woken;
};

struct wait_entry {
    struct observer observer;
    struct waiter *waiter;
    struct object *object; // referenced
};

static void wake_waiter(struct observer *observer, mx_signals_t observed)
{
    struct waiter *waiter = CONTAINER_OF(observer, struct wait_entry, observer)->waiter;

    (void)observed;
    spin_acquire(&sched_lock);
    waiter->is_woken = true;
    wait_queue_wake_one_locked(&waiter->queue, MX_OK);
    spin_release(&sched_lock);
}

static mx_status_t block_waiter(struct waiter *waiter, mx_time_t deadline)
{
    arch_interrupt_state_t state = spin_lock(&sched_lock);

    if (waiter->is_woken) {
        spin_unlock(&sched_lock, state);
        return MX_OK;
    }
    return wait_queue_block_locked(&waiter->queue, deadline, true, state);
}

// Waits for any entry; on return no entry is observed and *pending of each has its signals.
static mx_status_t wait_for_entries(struct wait_entry *entries, mx_signals_t *pending, uint32_t count,
                                    mx_time_t deadline)
{
    struct waiter waiter = {.is_woken = false};
    mx_status_t status = MX_OK;
    bool is_ready = false;

    wait_queue_init(&waiter.queue);
    for (uint32_t i = 0; i < count; i++) {
        entries[i].waiter = &waiter;
        entries[i].observer.notify = wake_waiter;
        mx_signals_t now = object_add_observer(entries[i].object, &entries[i].observer);
        is_ready = is_ready || (now & entries[i].observer.signals) != 0;
    }
    if (!is_ready)
        status = block_waiter(&waiter, deadline);
    for (uint32_t i = 0; i < count; i++) {
        object_remove_observer(entries[i].object, &entries[i].observer);
        pending[i] = entries[i].object->signals;
    }
    return status;
}

int64_t sys_object_wait_one(mx_handle_t handle, mx_signals_t signals, mx_time_t deadline, uaddr_t out_pending)
{
    struct wait_entry entry = {.observer = {.signals = signals}};
    mx_signals_t pending;
    mx_status_t status = handle_get(handle, MX_OBJECT_NONE, MX_RIGHT_WAIT, &entry.object);

    if (status != MX_OK)
        return status;
    status = wait_for_entries(&entry, &pending, 1, deadline);
    object_release(entry.object);
    if (out_pending != 0 && (status == MX_OK || status == MX_ERR_TIMED_OUT)) {
        mx_status_t copy_status = user_write(out_pending, &pending, sizeof(pending));
        return copy_status != MX_OK ? copy_status : status;
    }
    return status;
}

int64_t sys_object_wait_many(uaddr_t user_items, uint32_t count, mx_time_t deadline)
{
    struct mx_wait_item items[16];
    struct wait_entry entries[ARRAY_COUNT(items)];
    mx_signals_t pending[ARRAY_COUNT(items)];
    uint32_t referenced = 0;

    if (count > ARRAY_COUNT(items))
        return MX_ERR_OUT_OF_RANGE;
    mx_status_t status = user_read(items, user_items, count * sizeof(items[0]));
    while (status == MX_OK && referenced < count) {
        entries[referenced] = (struct wait_entry){.observer = {.signals = items[referenced].waitfor}};
        status = handle_get(items[referenced].handle, MX_OBJECT_NONE, MX_RIGHT_WAIT,
                            &entries[referenced].object);
        if (status == MX_OK)
            referenced++;
    }
    if (status == MX_OK) {
        status = wait_for_entries(entries, pending, count, deadline);
        for (uint32_t i = 0; i < count; i++)
            items[i].pending = pending[i];
        if (status == MX_OK || status == MX_ERR_TIMED_OUT) {
            mx_status_t copy_status = user_write(user_items, items, count * sizeof(items[0]));
            status = copy_status != MX_OK ? copy_status : status;
        }
    }
    while (referenced > 0)
        object_release(entries[--referenced].object);
    return status;
}

// --- asynchronous waits -------------------------------------------------------------------------

struct async_wait {
    struct port_source source;
    struct observer observer;
    struct object *object; // referenced
    struct port *port;     // lives longer: it owns this
    struct job *job;       // referenced
};

// A signal tells all that wait for it, and a cancel looks through all of a port, with interrupts disabled.
#define ASYNC_WAIT_OBJECT_MAX 1024
#define ASYNC_WAIT_PORT_MAX   8192

static bool count_up(uint32_t *count, uint32_t limit)
{
    if (__atomic_fetch_add(count, 1, __ATOMIC_RELAXED) < limit)
        return true;
    __atomic_fetch_sub(count, 1, __ATOMIC_RELAXED);
    return false;
}

static bool count_async_wait(struct object *object, struct port *port)
{
    if (!count_up(&object->async_wait_count, ASYNC_WAIT_OBJECT_MAX))
        return false;
    if (count_up(&port->async_wait_count, ASYNC_WAIT_PORT_MAX))
        return true;
    __atomic_fetch_sub(&object->async_wait_count, 1, __ATOMIC_RELAXED);
    return false;
}

static void uncount_async_wait(struct object *object, struct port *port)
{
    __atomic_fetch_sub(&object->async_wait_count, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&port->async_wait_count, 1, __ATOMIC_RELAXED);
}

static void async_wait_consumed(struct port_source *source)
{
    struct async_wait *wait = CONTAINER_OF(source, struct async_wait, source);
    struct job *job = wait->job;

    object_remove_observer(wait->object, &wait->observer);
    uncount_async_wait(wait->object, wait->port);
    object_release(wait->object);
    object_free(job, wait, sizeof(*wait));
    object_release(&job->object);
}

static void async_wait_notify(struct observer *observer, mx_signals_t observed)
{
    struct async_wait *wait = CONTAINER_OF(observer, struct async_wait, observer);

    wait->source.packet.signal.observed = observed;
    port_queue_source(wait->port, &wait->source);
}

// Consumes the reference to `object`.
static mx_status_t async_wait_start(struct object *object, struct port *port, uint64_t key,
                                    mx_signals_t signals)
{
    struct job *job = process_current()->job;

    if (!count_async_wait(object, port)) {
        object_release(object);
        return MX_ERR_NO_RESOURCES;
    }
    struct async_wait *wait = object_alloc(job, sizeof(*wait));
    if (wait == NULL) {
        uncount_async_wait(object, port);
        object_release(object);
        return MX_ERR_NO_MEMORY;
    }
    port_source_init(&wait->source, MX_PACKET_SIGNAL, key);
    wait->source.packet.signal.trigger = signals;
    wait->source.consumed = async_wait_consumed;
    wait->observer = (struct observer){.signals = signals, .notify = async_wait_notify};
    list_init(&wait->observer.node);
    wait->object = object;
    wait->port = port;
    wait->job = job;
    object_reference(&job->object);
    // Once the port owns it, another thread may take it back and free it; that needs the object's lock, too.
    arch_interrupt_state_t state = spin_lock(&object->lock);
    mx_status_t status = port_own_source(port, &wait->source);
    if (status == MX_OK && (object->signals & signals))
        async_wait_notify(&wait->observer, object->signals);
    else if (status == MX_OK)
        list_add_tail(&object->observers, &wait->observer.node);
    spin_unlock(&object->lock, state);
    if (status != MX_OK)
        async_wait_consumed(&wait->source);
    return status;
}

int64_t sys_object_wait_async(mx_handle_t handle, mx_handle_t port_handle, uint64_t key, mx_signals_t signals,
                              uint32_t options)
{
    struct object *object, *port;
    mx_status_t status = handle_get(handle, MX_OBJECT_NONE, MX_RIGHT_WAIT, &object);

    if (status != MX_OK)
        return status;
    status = handle_get(port_handle, MX_OBJECT_PORT, MX_RIGHT_WRITE, &port);
    if (status != MX_OK) {
        object_release(object);
        return status;
    }
    if (options != 0)
        status = MX_ERR_INVALID_ARGS;
    else if (object->ops->type == MX_OBJECT_PORT) // its lock may be the other port's: no order between them
        status = MX_ERR_NOT_SUPPORTED;
    if (status != MX_OK)
        object_release(object);
    else
        status = async_wait_start(object, CONTAINER_OF(port, struct port, object), key, signals);
    object_release(port);
    return status;
}

struct cancel_key {
    const struct object *object;
    uint64_t key;
};

static bool matches_cancel_key(const struct port_source *source, const void *argument)
{
    const struct cancel_key *wanted = argument;

    return source->consumed == async_wait_consumed && source->packet.key == wanted->key &&
           CONTAINER_OF(source, struct async_wait, source)->object == wanted->object;
}

int64_t sys_port_cancel(mx_handle_t port_handle, mx_handle_t handle, uint64_t key)
{
    struct object *port, *object;
    struct port_source *source;
    mx_status_t status = handle_get(port_handle, MX_OBJECT_PORT, MX_RIGHT_WRITE, &port);

    if (status != MX_OK)
        return status;
    status = handle_get(handle, MX_OBJECT_NONE, 0, &object);
    if (status == MX_OK) {
        struct cancel_key wanted = {object, key};
        status = MX_ERR_NOT_FOUND;
        while ((source = port_disown_source(CONTAINER_OF(port, struct port, object), matches_cancel_key,
                                            &wanted)) != NULL) {
            source->consumed(source);
            status = MX_OK;
        }
        object_release(object);
    }
    object_release(port);
    return status;
}

int64_t sys_object_signal(mx_handle_t handle, mx_signals_t clear, mx_signals_t set)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_NONE, MX_RIGHT_SIGNAL, &object);

    if (status != MX_OK)
        return status;
    if ((clear | set) & ~(MX_SIGNAL_USER_MASK | object->ops->user_settable))
        status = MX_ERR_INVALID_ARGS;
    else
        object_change_signals(object, clear, set);
    object_release(object);
    return status;
}
