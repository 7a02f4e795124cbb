// Handles onto the kernel's log; see log_object.h.

#include "kernel/object/log_object.h"

#include "kernel/core/log.h"
#include "kernel/core/mutex.h"
#include "kernel/lib/string.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/process.h"
#include "kernel/object/resource.h"
#include "kernel/object/syscalls.h"

struct log_object {
    struct object object;
    struct list_node node; // in all, under all_lock
    uint64_t position;
    struct mutex mutex; // one reader at a time
    struct job *job;    // referenced
};

static struct spinlock all_lock = SPINLOCK_INIT;
static struct list_node all = LIST_INIT(all);

void log_object_notify_all(void)
{
    struct log_object *log;

    arch_interrupt_state_t state = spin_lock(&all_lock);
    LIST_FOR_EACH(log, &all, node)
        object_change_signals(&log->object, 0, MX_SIGNAL_READABLE);
    spin_unlock(&all_lock, state);
}

static void log_object_destroy(struct object *object)
{
    struct log_object *log = CONTAINER_OF(object, struct log_object, object);
    struct job *job = log->job;

    arch_interrupt_state_t state = spin_lock(&all_lock);
    list_remove(&log->node);
    spin_unlock(&all_lock, state);
    object_free(job, log, sizeof(*log));
    object_release(&job->object);
}

const mx_rights_t log_object_default_rights = MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ |
                                              MX_RIGHT_WRITE | MX_RIGHT_WAIT | MX_RIGHT_INSPECT;

static const struct object_ops log_ops = {
    .type = MX_OBJECT_LOG,
    .destroy = log_object_destroy,
};

mx_status_t log_object_create(struct job *job, struct object **out)
{
    struct log_object *log = object_alloc(job, sizeof(*log));

    if (log == NULL)
        return MX_ERR_NO_MEMORY;
    object_init(&log->object, &log_ops);
    log->object.signals = MX_SIGNAL_READABLE;
    object_reference(&job->object);
    log->job = job;
    arch_interrupt_state_t state = spin_lock(&all_lock);
    list_add_tail(&all, &log->node);
    spin_unlock(&all_lock, state);
    *out = &log->object;
    return MX_OK;
}

int64_t sys_log_create(mx_handle_t resource, uaddr_t out)
{
    struct object *log;
    mx_status_t status = resource_check(resource, MX_RIGHT_MANAGE, MX_RESOURCE_SYSTEM, 0, 0);

    if (status == MX_OK)
        status = log_object_create(process_current()->job, &log);
    return status == MX_OK ? handle_return(log, log_object_default_rights, out) : status;
}

int64_t sys_log_write(mx_handle_t handle, uaddr_t text, size_t size_bytes)
{
    char buffer[MX_LOG_LINE_SIZE];
    struct object *object;

    if (size_bytes > sizeof(buffer))
        return MX_ERR_OUT_OF_RANGE;
    mx_status_t status = handle_get(handle, MX_OBJECT_LOG, MX_RIGHT_WRITE, &object);
    if (status != MX_OK)
        return status;
    status = user_read(buffer, text, size_bytes);
    if (status == MX_OK)
        log_write(process_current()->object.koid, buffer, size_bytes);
    object_release(object);
    return status;
}

// The signal goes down before the last look, so that a record that comes meanwhile raises it again.
static mx_status_t log_object_take(struct log_object *log, struct mx_log_record *record)
{
    if (log_read(&log->position, record))
        return MX_OK;
    object_change_signals(&log->object, MX_SIGNAL_READABLE, 0);
    if (!log_read(&log->position, record))
        return MX_ERR_SHOULD_WAIT;
    object_change_signals(&log->object, 0, MX_SIGNAL_READABLE);
    return MX_OK;
}

int64_t sys_log_read(mx_handle_t handle, uaddr_t out)
{
    struct object *object;
    struct mx_log_record record;
    mx_status_t status = handle_get(handle, MX_OBJECT_LOG, MX_RIGHT_READ, &object);

    if (status != MX_OK)
        return status;
    struct log_object *log = CONTAINER_OF(object, struct log_object, object);
    log_release_console();
    mutex_lock(&log->mutex);
    status = log_object_take(log, &record);
    mutex_unlock(&log->mutex);
    object_release(object);
    return status == MX_OK ? user_write(out, &record, sizeof(record)) : status;
}
