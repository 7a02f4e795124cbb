// Resources; see resource.h.

#include "kernel/object/resource.h"

#include <arch/interrupts.h>

#include "kernel/core/log.h"
#include "kernel/core/power.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/process.h"
#include "kernel/object/syscalls.h"

struct resource {
    struct object object;
    enum mx_resource_kind kind;
    uint64_t base, size;
    struct job *job; // referenced
};

static void resource_destroy(struct object *object)
{
    struct resource *resource = CONTAINER_OF(object, struct resource, object);
    struct job *job = resource->job;

    object_free(job, resource, sizeof(*resource));
    object_release(&job->object);
}

const mx_rights_t resource_default_rights = MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ |
                                            MX_RIGHT_WRITE | MX_RIGHT_INSPECT | MX_RIGHT_MANAGE;

static const struct object_ops resource_ops = {
    .type = MX_OBJECT_RESOURCE,
    .destroy = resource_destroy,
};

mx_status_t resource_create(struct job *job, enum mx_resource_kind kind, uint64_t base, uint64_t size,
                            struct object **out)
{
    struct resource *resource = object_alloc(job, sizeof(*resource));

    if (resource == NULL)
        return MX_ERR_NO_MEMORY;
    object_init(&resource->object, &resource_ops);
    resource->kind = kind;
    resource->base = base;
    resource->size = size;
    object_reference(&job->object);
    resource->job = job;
    *out = &resource->object;
    return MX_OK;
}

static bool covers(const struct resource *resource, enum mx_resource_kind kind, uint64_t base, uint64_t size)
{
    return resource->kind == kind && base >= resource->base &&
           range_is_within(base - resource->base, size, resource->size);
}

mx_status_t resource_check(mx_handle_t handle, mx_rights_t rights, enum mx_resource_kind kind, uint64_t base,
                           uint64_t size)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_RESOURCE, rights, &object);

    if (status != MX_OK)
        return status;
    if (!covers(CONTAINER_OF(object, struct resource, object), kind, base, size))
        status = MX_ERR_ACCESS_DENIED;
    object_release(object);
    return status;
}

int64_t sys_resource_create(mx_handle_t parent_handle, uint32_t kind, uint64_t base, uint64_t size, uaddr_t out)
{
    struct object *object, *created;
    mx_status_t status = handle_get(parent_handle, MX_OBJECT_RESOURCE, MX_RIGHT_MANAGE, &object);

    if (status != MX_OK)
        return status;
    const struct resource *parent = CONTAINER_OF(object, struct resource, object);
    if (kind > MX_RESOURCE_DMA || !range_is_within(base, size, UINT64_MAX))
        status = MX_ERR_INVALID_ARGS;
    else if (parent->kind != MX_RESOURCE_ROOT && !covers(parent, (enum mx_resource_kind)kind, base, size))
        status = MX_ERR_OUT_OF_RANGE;
    else
        status = resource_create(process_current()->job, (enum mx_resource_kind)kind, base, size, &created);
    object_release(object);
    return status == MX_OK ? handle_return(created, resource_default_rights, out) : status;
}

static mx_status_t check_port(mx_handle_t resource, uint32_t port, uint32_t width_bytes)
{
    if (width_bytes != 1 && width_bytes != 2 && width_bytes != 4)
        return MX_ERR_INVALID_ARGS;
    return resource_check(resource, MX_RIGHT_WRITE, MX_RESOURCE_IOPORT, port, width_bytes);
}

int64_t sys_ioport_read(mx_handle_t resource, uint32_t port, uint32_t width_bytes, uaddr_t out)
{
    uint32_t value;
    mx_status_t status = check_port(resource, port, width_bytes);

    if (status == MX_OK)
        status = arch_port_read(port, width_bytes, &value);
    return status == MX_OK ? user_write(out, &value, sizeof(value)) : status;
}

int64_t sys_ioport_write(mx_handle_t resource, uint32_t port, uint32_t width_bytes, uint32_t value)
{
    mx_status_t status = check_port(resource, port, width_bytes);

    return status == MX_OK ? arch_port_write(port, width_bytes, value) : status;
}

int64_t sys_system_power(mx_handle_t resource, uint32_t action)
{
    mx_status_t status = resource_check(resource, MX_RIGHT_MANAGE, MX_RESOURCE_SYSTEM, 0, 0);

    if (status != MX_OK)
        return status;
    if (action == MX_POWER_OFF)
        power_off();
    else if (action == MX_POWER_REBOOT)
        power_reboot();
    else
        return MX_ERR_INVALID_ARGS;
    return MX_ERR_NOT_SUPPORTED;
}
