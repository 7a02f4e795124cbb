// The memory that a device may reach: memory objects that are kept, with the pages where they are,
// for as long as the device may use their addresses. That is longer than its driver lives, who may
// end with the device at work, and whoever started the driver may end, too. So an object of its own
// keeps the memory, and lets go of it only once the kernel has seen that the device is silent.
//
// Of a device that does not obey the object is kept, in the list `disobedient`, with all of its
// memory: until somebody who wants a new one for the same device finds it silent.
#include "kernel/object/dma.h"

#include "kernel/core/mutex.h"
#include "kernel/lib/list.h"
#include "kernel/memory/phys.h"
#include "kernel/memory/user_copy.h"
#include "kernel/memory/vmo.h"
#include "kernel/object/pci_function.h"
#include "kernel/object/process.h"
#include "kernel/object/resource.h"
#include "kernel/object/syscalls.h"

#define ATTACHMENTS_MAX 4096

struct attachment {
    struct list_node node;
    uint32_t id;
    struct vmo *vmo; // referenced and pinned
};

struct dma {
    struct object object;
    struct job *job; // referenced
    struct pci_function *function;
    struct list_node node; // in `disobedient`
    struct mutex mutex;    // protects what follows
    struct list_node attachments;
    uint32_t count, last_id;
};

static struct mutex disobedient_mutex;
static struct list_node disobedient = LIST_INIT(disobedient);

static void attachment_free(struct dma *dma, struct attachment *attachment)
{
    vmo_unpin(attachment->vmo);
    object_release(&attachment->vmo->object);
    object_free(dma->job, attachment, sizeof(*attachment));
}

static void dma_free(struct dma *dma)
{
    struct job *job = dma->job;

    while (!list_is_empty(&dma->attachments)) {
        struct attachment *attachment =
            CONTAINER_OF(dma->attachments.next, struct attachment, node);
        list_remove(&attachment->node);
        attachment_free(dma, attachment);
    }
    pci_function_give_back(dma->function);
    object_free(job, dma, sizeof(*dma));
    object_release(&job->object);
}

static void dma_destroy(struct object *object)
{
    struct dma *dma = CONTAINER_OF(object, struct dma, object);

    if (pci_function_silence(dma->function)) {
        dma_free(dma);
        return;
    }
    mutex_lock(&disobedient_mutex);
    list_add_tail(&disobedient, &dma->node);
    mutex_unlock(&disobedient_mutex);
}

// The object that was kept because the function did not obey, if it is silent by now.
static struct dma *take_silent(uint32_t requester)
{
    struct dma *dma, *found = NULL;

    mutex_lock(&disobedient_mutex);
    LIST_FOR_EACH(dma, &disobedient, node)
    {
        if (pci_function_requester(dma->function) == requester) {
            found = pci_function_silence(dma->function) ? dma : NULL;
            break;
        }
    }
    if (found != NULL)
        list_remove(&found->node);
    mutex_unlock(&disobedient_mutex);
    return found;
}

static const struct object_ops dma_ops = {
    .type = MX_OBJECT_DMA,
    .default_rights =
        MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ | MX_RIGHT_WRITE | MX_RIGHT_INSPECT,
    .destroy = dma_destroy,
};

mx_status_t dma_check(mx_handle_t handle, mx_rights_t rights)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_DMA, rights, &object);

    if (status == MX_OK)
        object_release(object);
    return status;
}

int64_t sys_dma_create(mx_handle_t resource, uint32_t requester, uaddr_t out)
{
    struct job *job = process_current()->job;
    struct pci_function *function;
    mx_status_t status = resource_check(resource, MX_RIGHT_WRITE, MX_RESOURCE_DMA, 0, 0);

    if (status != MX_OK)
        return status;
    struct dma *kept = take_silent(requester);
    if (kept != NULL)
        dma_free(kept);
    status = pci_function_take(requester, &function);
    if (status != MX_OK)
        return status;
    struct dma *dma = object_alloc(job, sizeof(*dma));
    if (dma == NULL) {
        pci_function_give_back(function);
        return MX_ERR_NO_MEMORY;
    }
    object_init(&dma->object, &dma_ops);
    dma->function = function;
    list_init(&dma->attachments);
    object_reference(&job->object);
    dma->job = job;
    return handle_return(&dma->object, dma_ops.default_rights, out);
}

static struct attachment *find_locked(struct dma *dma, uint32_t id)
{
    struct attachment *attachment;

    LIST_FOR_EACH(attachment, &dma->attachments, node)
    {
        if (attachment->id == id)
            return attachment;
    }
    return NULL;
}

// Consumes the reference to `vmo` if it succeeds.
static mx_status_t attach(struct dma *dma, struct vmo *vmo, uint32_t *id)
{
    struct attachment *attachment = object_alloc(dma->job, sizeof(*attachment));

    if (attachment == NULL)
        return MX_ERR_NO_MEMORY;
    attachment->vmo = vmo;
    mx_status_t status = vmo_pin(vmo);
    if (status == MX_OK) {
        mutex_lock(&dma->mutex);
        if (dma->count == ATTACHMENTS_MAX || dma->last_id == UINT32_MAX) {
            status = MX_ERR_NO_RESOURCES;
        } else {
            dma->count++;
            *id = attachment->id = ++dma->last_id;
            list_add_tail(&dma->attachments, &attachment->node);
        }
        mutex_unlock(&dma->mutex);
        if (status != MX_OK)
            vmo_unpin(vmo);
    }
    if (status != MX_OK)
        object_free(dma->job, attachment, sizeof(*attachment));
    return status;
}

static mx_status_t detach(struct dma *dma, uint32_t id)
{
    mutex_lock(&dma->mutex);
    struct attachment *attachment = find_locked(dma, id);
    if (attachment != NULL) {
        list_remove(&attachment->node);
        dma->count--;
    }
    mutex_unlock(&dma->mutex);
    if (attachment == NULL)
        return MX_ERR_NOT_FOUND;
    attachment_free(dma, attachment);
    return MX_OK;
}

int64_t sys_dma_attach(mx_handle_t handle, mx_handle_t vmo_handle, uaddr_t out_id)
{
    struct object *object, *vmo;
    uint32_t id;
    mx_status_t status = handle_get(handle, MX_OBJECT_DMA, MX_RIGHT_WRITE, &object);

    if (status != MX_OK)
        return status;
    struct dma *dma = CONTAINER_OF(object, struct dma, object);
    status = handle_get(vmo_handle, MX_OBJECT_VMO, MX_RIGHT_READ | MX_RIGHT_WRITE, &vmo);
    if (status == MX_OK) {
        status = attach(dma, CONTAINER_OF(vmo, struct vmo, object), &id);
        if (status != MX_OK)
            object_release(vmo);
    }
    if (status == MX_OK) {
        status = user_write(out_id, &id, sizeof(id));
        if (status != MX_OK)
            (void)!detach(dma, id);
    }
    object_release(object);
    return status;
}

int64_t sys_dma_detach(mx_handle_t handle, uint32_t id)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_DMA, MX_RIGHT_WRITE, &object);

    if (status != MX_OK)
        return status;
    status = detach(CONTAINER_OF(object, struct dma, object), id);
    object_release(object);
    return status;
}

static mx_status_t find_vmo(struct dma *dma, uint32_t id, struct vmo **out)
{
    mutex_lock(&dma->mutex);
    const struct attachment *attachment = find_locked(dma, id);
    if (attachment != NULL) {
        *out = attachment->vmo;
        object_reference(&attachment->vmo->object);
    }
    mutex_unlock(&dma->mutex);
    return attachment != NULL ? MX_OK : MX_ERR_NOT_FOUND;
}

// Addresses of an object that is detached meanwhile may not be its pages any more when they come
// back: the caller's own doing.
static mx_status_t write_addresses(struct vmo *vmo, uint64_t offset, uint32_t page_count,
                                   uaddr_t out)
{
    for (uint32_t i = 0; i < page_count; i++, offset += PAGE_SIZE) {
        uint64_t address;
        mx_status_t status = vmo_pinned_address(vmo, offset, &address);
        if (status == MX_OK)
            status = user_write(out + i * sizeof(address), &address, sizeof(address));
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

int64_t sys_dma_addresses(mx_handle_t handle, uint32_t id, uint64_t offset, uint32_t page_count,
                          uaddr_t out)
{
    struct object *object;
    struct vmo *vmo;
    mx_status_t status = handle_get(handle, MX_OBJECT_DMA, MX_RIGHT_READ, &object);

    if (status != MX_OK)
        return status;
    status = find_vmo(CONTAINER_OF(object, struct dma, object), id, &vmo);
    object_release(object);
    if (status != MX_OK)
        return status;
    if (!is_aligned(offset, PAGE_SIZE))
        status = MX_ERR_INVALID_ARGS;
    else if (page_count > MX_DMA_ADDRESSES_MAX ||
             !range_is_within(offset, (uint64_t)page_count * PAGE_SIZE, vmo->size_bytes))
        status = MX_ERR_OUT_OF_RANGE;
    else
        status = write_addresses(vmo, offset, page_count, out);
    object_release(&vmo->object);
    return status;
}
