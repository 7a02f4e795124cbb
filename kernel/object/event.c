// Events: objects that are nothing but signals.

#include "kernel/object/process.h"
#include "kernel/object/syscalls.h"

struct event {
    struct object object;
    struct job *job; // referenced
};

static void event_destroy(struct object *object)
{
    struct event *event = CONTAINER_OF(object, struct event, object);
    struct job *job = event->job;

    object_free(job, event, sizeof(*event));
    object_release(&job->object);
}

static const struct object_ops event_ops = {
    .type = MX_OBJECT_EVENT,
    .default_rights = MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ | MX_RIGHT_WRITE |
                      MX_RIGHT_WAIT | MX_RIGHT_INSPECT | MX_RIGHT_SIGNAL,
    .user_settable = MX_SIGNAL_SIGNALED,
    .destroy = event_destroy,
};

int64_t sys_event_create(uaddr_t out)
{
    struct job *job = process_current()->job;
    struct event *event = object_alloc(job, sizeof(*event));

    if (event == NULL)
        return MX_ERR_NO_MEMORY;
    object_init(&event->object, &event_ops);
    object_reference(&job->object);
    event->job = job;
    return handle_return(&event->object, event_ops.default_rights, out);
}
