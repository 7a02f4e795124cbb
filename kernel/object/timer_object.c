// Timers that user programs wait for.

#include "kernel/core/mutex.h"
#include "kernel/core/timer.h"
#include "kernel/object/process.h"
#include "kernel/object/syscalls.h"

struct timer_object {
    struct object object;
    struct timer timer;
    struct mutex mutex; // one setter at a time
    struct job *job;    // referenced
};

static void timer_object_expire(struct timer *timer)
{
    object_change_signals(&CONTAINER_OF(timer, struct timer_object, timer)->object, 0, MX_SIGNAL_SIGNALED);
}

static void timer_object_destroy(struct object *object)
{
    struct timer_object *timer = CONTAINER_OF(object, struct timer_object, object);
    struct job *job = timer->job;

    timer_cancel(&timer->timer);
    object_free(job, timer, sizeof(*timer));
    object_release(&job->object);
}

static const struct object_ops timer_ops = {
    .type = MX_OBJECT_TIMER,
    .default_rights = MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ | MX_RIGHT_WRITE |
                      MX_RIGHT_WAIT | MX_RIGHT_INSPECT | MX_RIGHT_SIGNAL,
    .destroy = timer_object_destroy,
};

int64_t sys_timer_create(uaddr_t out)
{
    struct job *job = process_current()->job;
    struct timer_object *timer = object_alloc(job, sizeof(*timer));

    if (timer == NULL)
        return MX_ERR_NO_MEMORY;
    object_init(&timer->object, &timer_ops);
    timer_init(&timer->timer, timer_object_expire);
    object_reference(&job->object);
    timer->job = job;
    return handle_return(&timer->object, timer_ops.default_rights, out);
}

// Stops the timer, then sets it again unless `deadline` is MX_TIME_INFINITE.
static mx_status_t timer_object_set(mx_handle_t handle, mx_time_t deadline)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_TIMER, MX_RIGHT_WRITE, &object);

    if (status != MX_OK)
        return status;
    struct timer_object *timer = CONTAINER_OF(object, struct timer_object, object);
    mutex_lock(&timer->mutex);
    timer_cancel(&timer->timer);
    object_change_signals(object, MX_SIGNAL_SIGNALED, 0);
    if (deadline != MX_TIME_INFINITE)
        timer_set(&timer->timer, deadline);
    mutex_unlock(&timer->mutex);
    object_release(object);
    return MX_OK;
}

int64_t sys_timer_set(mx_handle_t handle, mx_time_t deadline)
{
    return timer_object_set(handle, deadline);
}

int64_t sys_timer_cancel(mx_handle_t handle)
{
    return timer_object_set(handle, MX_TIME_INFINITE);
}
