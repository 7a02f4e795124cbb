// Memory objects; see vmo.h.

#include "kernel/memory/vmo.h"

#include <arch/mmu.h>

#include "kernel/lib/string.h"
#include "kernel/memory/aspace.h"
#include "kernel/memory/boot_memory.h"
#include "kernel/memory/phys.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/dma.h"
#include "kernel/object/process.h"
#include "kernel/object/resource.h"
#include "kernel/object/syscalls.h"

#define CHUNK_PAGES ((size_t)1 << PHYS_ORDER_LARGE)
#define CHUNK_BYTES (CHUNK_PAGES * PAGE_SIZE)
#define VMO_MAX_BYTES (UINT64_C(1) << 40)
// Objects from this size on allocate 2 MiB at a time: guest memory, in practice.
#define LARGE_FROM_BYTES (UINT64_C(16) << 20)

// A page is looked for in one ancestor after the other, on the stack.
#define COW_DEPTH_MAX 8

static void vmo_destroy(struct object *object);

static const mx_rights_t vmo_default_rights = MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ |
                                              MX_RIGHT_WRITE | MX_RIGHT_EXECUTE | MX_RIGHT_MAP |
                                              MX_RIGHT_INSPECT | MX_RIGHT_SIGNAL | MX_RIGHT_WAIT;

static const struct object_ops vmo_ops = {
    .type = MX_OBJECT_VMO,
    .default_rights = vmo_default_rights,
    .destroy = vmo_destroy,
};

// --- creation and destruction -------------------------------------------------------------------

static struct vmo *vmo_alloc(enum vmo_kind kind, struct job *job, uint64_t size_bytes)
{
    struct vmo *vmo = object_alloc(job, sizeof(*vmo));

    if (vmo == NULL)
        return NULL;
    object_init(&vmo->object, &vmo_ops);
    if (job != NULL)
        object_reference(&job->object);
    vmo->job = job;
    vmo->kind = kind;
    vmo->size_bytes = size_bytes;
    vmo->base = PADDR_NONE;
    vmo->order = UINT32_MAX;
    vmo->mutex = &vmo->own_mutex;
    list_init(&vmo->mappings);
    list_init(&vmo->cow_children);
    list_init(&vmo->cow_node);
    return vmo;
}

static mx_status_t alloc_chunks(struct vmo *vmo)
{
    size_t count = (vmo->size_bytes + CHUNK_BYTES - 1) / CHUNK_BYTES;

    if (count == 0)
        return MX_OK;
    vmo->chunks = object_alloc(vmo->job, count * sizeof(*vmo->chunks));
    if (vmo->chunks == NULL)
        return MX_ERR_NO_MEMORY;
    vmo->chunk_count = count;
    for (size_t i = 0; i < count; i++)
        vmo->chunks[i].large = PADDR_NONE;
    return MX_OK;
}

mx_status_t vmo_create(struct job *job, uint64_t size_bytes, struct vmo **out)
{
    if (size_bytes > VMO_MAX_BYTES)
        return MX_ERR_OUT_OF_RANGE;
    struct vmo *vmo = vmo_alloc(VMO_ANONYMOUS, job, align_up(size_bytes, PAGE_SIZE));
    if (vmo == NULL)
        return MX_ERR_NO_MEMORY;
    mx_status_t status = alloc_chunks(vmo);
    if (status != MX_OK)
        object_release(&vmo->object);
    else
        *out = vmo;
    return status;
}

static mx_status_t create_at(enum vmo_kind kind, struct job *job, paddr_t base, uint64_t size_bytes,
                             struct vmo **out)
{
    if (!is_aligned(base.raw | size_bytes, PAGE_SIZE) || size_bytes == 0)
        return MX_ERR_INVALID_ARGS;
    struct vmo *vmo = vmo_alloc(kind, job, size_bytes);
    if (vmo == NULL)
        return MX_ERR_NO_MEMORY;
    vmo->base = base;
    *out = vmo;
    return MX_OK;
}

mx_status_t vmo_create_physical(paddr_t base, uint64_t size_bytes, enum memory_type memory,
                                struct vmo **out)
{
    // Guests' memory reaches as far as the machine's. Beyond, a page-table entry would not hold the address.
    if (!range_is_within(base.raw, size_bytes, arch_aspace_guest_limit()))
        return MX_ERR_OUT_OF_RANGE;
    // Whoever has the authority over devices has none over memory that others have.
    if (boot_memory_touches_memory(base.raw, size_bytes))
        return MX_ERR_NOT_SUPPORTED;
    mx_status_t status = create_at(VMO_PHYSICAL, NULL, base, size_bytes, out);
    if (status == MX_OK)
        (*out)->memory = memory;
    return status;
}

mx_status_t vmo_create_reserved(paddr_t base, uint64_t size_bytes, struct vmo **out)
{
    return create_at(VMO_CONTIGUOUS, NULL, base, size_bytes, out);
}

mx_status_t vmo_create_contiguous(struct job *job, uint64_t size_bytes, struct vmo **out)
{
    unsigned order = 0;

    if (size_bytes == 0 || size_bytes > PAGE_SIZE << PHYS_ORDER_MAX)
        return MX_ERR_OUT_OF_RANGE;
    while (PAGE_SIZE << order < size_bytes)
        order++;
    if (job_charge(job, PAGE_SIZE << order) != MX_OK)
        return MX_ERR_NO_MEMORY;
    paddr_t base = phys_alloc_zeroed(order, PHYS_USE_VMO);
    mx_status_t status = paddr_is_none(base) ? MX_ERR_NO_MEMORY : MX_OK;
    if (status == MX_OK) {
        status = create_at(VMO_CONTIGUOUS, job, base, PAGE_SIZE << order, out);
        if (status == MX_OK)
            (*out)->order = order;
        else
            phys_free(base, order, PHYS_USE_VMO);
    }
    if (status != MX_OK)
        job_uncharge(job, PAGE_SIZE << order);
    return status;
}

mx_status_t vmo_create_child(struct vmo *parent, uint32_t options, uint64_t offset, uint64_t size_bytes,
                             struct job *job, struct vmo **out)
{
    bool is_cow = options == MX_VMO_CHILD_COW;

    if (!is_cow && options != MX_VMO_CHILD_SLICE)
        return MX_ERR_INVALID_ARGS;
    if (!is_aligned(offset | size_bytes, PAGE_SIZE) || size_bytes == 0)
        return MX_ERR_INVALID_ARGS;
    if (!range_is_within(offset, size_bytes, parent->size_bytes))
        return MX_ERR_OUT_OF_RANGE;
    vmo_resolve(&parent, &offset);
    if (is_cow && parent->kind == VMO_PHYSICAL)
        return MX_ERR_NOT_SUPPORTED;
    if (is_cow && parent->cow_depth == COW_DEPTH_MAX)
        return MX_ERR_NO_RESOURCES;
    struct vmo *vmo = vmo_alloc(is_cow ? VMO_ANONYMOUS : parent->kind, job, size_bytes);
    if (vmo == NULL)
        return MX_ERR_NO_MEMORY;
    object_reference(&parent->object);
    vmo->parent = parent;
    vmo->parent_offset = offset;
    vmo->is_cow = is_cow;
    vmo->cow_depth = parent->cow_depth + is_cow;
    vmo->mutex = parent->mutex;
    if (is_cow) {
        mutex_lock(vmo->mutex);
        list_add_tail(&parent->cow_children, &vmo->cow_node);
        mutex_unlock(vmo->mutex);
        if (alloc_chunks(vmo) != MX_OK) {
            object_release(&vmo->object);
            return MX_ERR_NO_MEMORY;
        }
    }
    *out = vmo;
    return MX_OK;
}

void vmo_resolve(struct vmo **vmo, uint64_t *offset)
{
    while ((*vmo)->parent != NULL && !(*vmo)->is_cow) {
        *offset += (*vmo)->parent_offset;
        *vmo = (*vmo)->parent;
    }
}

static void free_page(struct vmo *vmo, paddr_t page, unsigned order)
{
    phys_free(page, order, PHYS_USE_VMO);
    job_uncharge(vmo->job, PAGE_SIZE << order);
    vmo->committed_bytes -= PAGE_SIZE << order;
}

static void free_chunk(struct vmo *vmo, struct vmo_chunk *chunk)
{
    if (!paddr_is_none(chunk->large))
        free_page(vmo, chunk->large, PHYS_ORDER_LARGE);
    chunk->large = PADDR_NONE;
    if (chunk->pages == NULL)
        return;
    for (size_t i = 0; i < CHUNK_PAGES; i++) {
        if (!paddr_is_none(chunk->pages[i]))
            free_page(vmo, chunk->pages[i], 0);
    }
    object_free(vmo->job, chunk->pages, CHUNK_PAGES * sizeof(paddr_t));
    chunk->pages = NULL;
}

static void release_parent(struct vmo *vmo)
{
    if (vmo->parent == NULL)
        return;
    if (vmo->is_cow) {
        mutex_lock(vmo->mutex);
        list_remove(&vmo->cow_node);
        mutex_unlock(vmo->mutex);
    }
    object_release(&vmo->parent->object);
}

static void vmo_destroy(struct object *object)
{
    struct vmo *vmo = CONTAINER_OF(object, struct vmo, object);
    struct job *job = vmo->job;

    for (size_t i = 0; i < vmo->chunk_count; i++)
        free_chunk(vmo, &vmo->chunks[i]);
    object_free(job, vmo->chunks, vmo->chunk_count * sizeof(*vmo->chunks));
    if (vmo->order != UINT32_MAX) {
        phys_free(vmo->base, vmo->order, PHYS_USE_VMO);
        job_uncharge(job, PAGE_SIZE << vmo->order);
    }
    release_parent(vmo);
    object_free(job, vmo, sizeof(*vmo));
    if (job != NULL)
        object_release(&job->object);
}

// --- pages ------------------------------------------------------------------------------------------

static paddr_t alloc_charged(struct vmo *vmo, unsigned order, bool is_zeroed)
{
    if (job_charge(vmo->job, PAGE_SIZE << order) != MX_OK)
        return PADDR_NONE;
    paddr_t page = is_zeroed ? phys_alloc_zeroed(order, PHYS_USE_VMO) : phys_alloc(order, PHYS_USE_VMO);
    if (paddr_is_none(page))
        job_uncharge(vmo->job, PAGE_SIZE << order);
    else
        vmo->committed_bytes += PAGE_SIZE << order;
    return page;
}

static bool try_large(struct vmo *vmo, struct vmo_chunk *chunk, uint64_t offset)
{
    if (vmo->is_cow || vmo->size_bytes < LARGE_FROM_BYTES || chunk->pages != NULL ||
        !range_is_within(align_down(offset, CHUNK_BYTES), CHUNK_BYTES, vmo->size_bytes))
        return false;
    chunk->large = alloc_charged(vmo, PHYS_ORDER_LARGE, true);
    return !paddr_is_none(chunk->large);
}

// The place of the single page at `offset` in its chunk, whose table is made if need be. NULL: no memory.
static paddr_t *page_slot(struct vmo *vmo, struct vmo_chunk *chunk, uint64_t offset)
{
    if (chunk->pages == NULL) {
        chunk->pages = object_alloc(vmo->job, CHUNK_PAGES * sizeof(paddr_t));
        if (chunk->pages == NULL)
            return NULL;
        for (size_t i = 0; i < CHUNK_PAGES; i++)
            chunk->pages[i] = PADDR_NONE;
    }
    return &chunk->pages[offset / PAGE_SIZE % CHUNK_PAGES];
}

static struct vmo_page contiguous_page(const struct vmo *vmo, uint64_t offset)
{
    uint64_t address = vmo->base.raw + offset;
    uint64_t large = align_down(address, CHUNK_BYTES);
    bool is_large = large >= vmo->base.raw && large + CHUNK_BYTES <= vmo->base.raw + vmo->size_bytes;

    return (struct vmo_page){
        .base = PADDR(is_large ? large : address),
        .order = is_large ? PHYS_ORDER_LARGE : 0,
        .is_write_allowed = true,
        .memory = vmo->memory,
    };
}

static struct vmo_page single_page(paddr_t base, bool is_write_allowed)
{
    return (struct vmo_page){.base = base, .is_write_allowed = is_write_allowed};
}

// The bytes of the ancestor's page behind `offset`, for reading.
static mx_status_t get_parent_page(struct vmo *vmo, uint64_t offset, paddr_t *out)
{
    struct vmo_page page;
    uint64_t parent_offset = vmo->parent_offset + offset;
    mx_status_t status = vmo_get_page_locked(vmo->parent, parent_offset, false, &page);

    if (status == MX_OK)
        *out = vmo_page_address(vmo->parent, &page, parent_offset);
    return status;
}

// Whoever shows the page at `offset` through this object or a child of it must look again. As deep as children go.
static void hide_page_from_all(struct vmo *vmo, uint64_t offset)
{
    struct vmo *child;

    aspace_hide_vmo_range_locked(vmo, offset, PAGE_SIZE);
    LIST_FOR_EACH(child, &vmo->cow_children, cow_node) {
        if (offset >= child->parent_offset && offset - child->parent_offset < child->size_bytes)
            hide_page_from_all(child, offset - child->parent_offset);
    }
}

static mx_status_t get_cow_page(struct vmo *vmo, uint64_t offset, paddr_t *slot, bool is_write,
                                struct vmo_page *out)
{
    paddr_t source;
    mx_status_t status = get_parent_page(vmo, offset, &source);

    if (status != MX_OK)
        return status;
    if (!is_write) {
        *out = single_page(source, false);
        return MX_OK;
    }
    paddr_t copy = alloc_charged(vmo, 0, false);
    if (paddr_is_none(copy))
        return MX_ERR_NO_MEMORY;
    memcpy(arch_phys_to_virt(copy), arch_phys_to_virt(source), PAGE_SIZE);
    hide_page_from_all(vmo, offset);
    *slot = copy;
    *out = single_page(copy, true);
    return MX_OK;
}

mx_status_t vmo_get_page_locked(struct vmo *vmo, uint64_t offset, bool is_write, struct vmo_page *out)
{
    if (!paddr_is_none(vmo->base)) {
        *out = contiguous_page(vmo, offset);
        return MX_OK;
    }
    struct vmo_chunk *chunk = &vmo->chunks[offset / CHUNK_BYTES];
    if (!paddr_is_none(chunk->large) || try_large(vmo, chunk, offset)) {
        *out = (struct vmo_page){.base = chunk->large, .order = PHYS_ORDER_LARGE, .is_write_allowed = true};
        return MX_OK;
    }
    paddr_t *slot = page_slot(vmo, chunk, offset);
    if (slot == NULL)
        return MX_ERR_NO_MEMORY;
    if (paddr_is_none(*slot)) {
        if (vmo->is_cow)
            return get_cow_page(vmo, offset, slot, is_write, out);
        *slot = alloc_charged(vmo, 0, true);
        if (paddr_is_none(*slot))
            return MX_ERR_NO_MEMORY;
    }
    *out = single_page(*slot, true);
    return MX_OK;
}

paddr_t vmo_page_address(const struct vmo *vmo, const struct vmo_page *page, uint64_t offset)
{
    uint64_t within = paddr_is_none(vmo->base) ? offset : vmo->base.raw + offset;

    return PADDR(page->base.raw + (within & ((PAGE_SIZE << page->order) - 1)));
}

// --- reading and writing ------------------------------------------------------------------------

static mx_status_t copy_piece(struct vmo *vmo, void *buffer, uint64_t offset, size_t size_bytes, bool is_write)
{
    struct vmo_page page;
    uint64_t page_offset = align_down(offset, PAGE_SIZE);

    mutex_lock(vmo->mutex);
    mx_status_t status = vmo_get_page_locked(vmo, page_offset, is_write, &page);
    if (status == MX_OK) {
        char *bytes = arch_phys_to_virt(vmo_page_address(vmo, &page, page_offset));
        bytes += offset - page_offset;
        if (is_write)
            memcpy(bytes, buffer, size_bytes);
        else
            memcpy(buffer, bytes, size_bytes);
    }
    mutex_unlock(vmo->mutex);
    return status;
}

static mx_status_t copy_all(struct vmo *vmo, char *buffer, uint64_t offset, size_t size_bytes, bool is_write)
{
    if (!range_is_within(offset, size_bytes, vmo->size_bytes))
        return MX_ERR_OUT_OF_RANGE;
    if (vmo->kind == VMO_PHYSICAL)
        return MX_ERR_NOT_SUPPORTED;
    vmo_resolve(&vmo, &offset);
    while (size_bytes != 0) {
        size_t piece = PAGE_SIZE - offset % PAGE_SIZE;
        if (piece > size_bytes)
            piece = size_bytes;
        mx_status_t status = copy_piece(vmo, buffer, offset, piece, is_write);
        if (status != MX_OK)
            return status;
        buffer += piece;
        offset += piece;
        size_bytes -= piece;
    }
    return MX_OK;
}

mx_status_t vmo_read(struct vmo *vmo, void *buffer, uint64_t offset, size_t size_bytes)
{
    return copy_all(vmo, buffer, offset, size_bytes, false);
}

mx_status_t vmo_write(struct vmo *vmo, const void *buffer, uint64_t offset, size_t size_bytes)
{
    return copy_all(vmo, (char *)(uintptr_t)buffer, offset, size_bytes, true);
}

// --- operations on ranges -------------------------------------------------------------------------

static mx_status_t commit_locked(struct vmo *vmo, uint64_t offset)
{
    struct vmo_page page;
    return vmo_get_page_locked(vmo, offset, true, &page);
}

// Gives one page back, or the whole large block if the range covers it; zeroes it otherwise.
static uint64_t decommit_locked(struct vmo *vmo, uint64_t offset, uint64_t end)
{
    struct vmo_chunk *chunk = &vmo->chunks[offset / CHUNK_BYTES];

    if (is_aligned(offset, CHUNK_BYTES) && end - offset >= CHUNK_BYTES) {
        free_chunk(vmo, chunk);
        return CHUNK_BYTES;
    }
    if (!paddr_is_none(chunk->large)) {
        memset(arch_phys_to_virt(PADDR(chunk->large.raw + offset % CHUNK_BYTES)), 0, PAGE_SIZE);
    } else if (chunk->pages != NULL) {
        paddr_t *slot = &chunk->pages[offset / PAGE_SIZE % CHUNK_PAGES];
        if (!paddr_is_none(*slot))
            free_page(vmo, *slot, 0);
        *slot = PADDR_NONE;
    }
    return PAGE_SIZE;
}

static mx_status_t zero_locked(struct vmo *vmo, uint64_t offset)
{
    struct vmo_page page;
    mx_status_t status = vmo_get_page_locked(vmo, offset, true, &page);

    if (status == MX_OK)
        memset(arch_phys_to_virt(vmo_page_address(vmo, &page, offset)), 0, PAGE_SIZE);
    return status;
}

static mx_status_t op_range_locked(struct vmo *vmo, uint32_t op, uint64_t offset, uint64_t end)
{
    mx_status_t status = MX_OK;

    if (op == MX_VMO_OP_DECOMMIT) {
        if (vmo->is_cow || !list_is_empty(&vmo->cow_children))
            return MX_ERR_NOT_SUPPORTED;
        if (vmo->pin_count != 0)
            return MX_ERR_BAD_STATE;
        aspace_hide_vmo_range_locked(vmo, offset, end - offset);
        while (offset < end)
            offset += decommit_locked(vmo, offset, end);
        return MX_OK;
    }
    for (; offset < end && status == MX_OK; offset += PAGE_SIZE) {
        if (thread_is_killed(thread_current()))
            return MX_ERR_CANCELED;
        status = op == MX_VMO_OP_COMMIT ? commit_locked(vmo, offset) : zero_locked(vmo, offset);
    }
    return status;
}

mx_status_t vmo_op_range(struct vmo *vmo, uint32_t op, uint64_t offset, uint64_t size_bytes)
{
    if (op < MX_VMO_OP_COMMIT || op > MX_VMO_OP_ZERO || !is_aligned(offset | size_bytes, PAGE_SIZE))
        return MX_ERR_INVALID_ARGS;
    if (!range_is_within(offset, size_bytes, vmo->size_bytes))
        return MX_ERR_OUT_OF_RANGE;
    vmo_resolve(&vmo, &offset);
    if (vmo->kind != VMO_ANONYMOUS)
        return MX_ERR_NOT_SUPPORTED;
    mutex_lock(vmo->mutex);
    mx_status_t status = op_range_locked(vmo, op, offset, offset + size_bytes);
    mutex_unlock(vmo->mutex);
    return status;
}

uint64_t vmo_committed_bytes(struct vmo *vmo)
{
    uint64_t offset = 0;

    vmo_resolve(&vmo, &offset);
    return paddr_is_none(vmo->base) ? vmo->committed_bytes : vmo->size_bytes;
}

// --- pages that devices reach
// ------------------------------------------------------------------------

mx_status_t vmo_pin(struct vmo *vmo)
{
    uint64_t offset = 0;

    vmo_resolve(&vmo, &offset);
    if (vmo->kind == VMO_PHYSICAL)
        return MX_ERR_NOT_SUPPORTED;
    mutex_lock(vmo->mutex);
    vmo->pin_count++;
    mutex_unlock(vmo->mutex);
    return MX_OK;
}

void vmo_unpin(struct vmo *vmo)
{
    uint64_t offset = 0;

    vmo_resolve(&vmo, &offset);
    mutex_lock(vmo->mutex);
    vmo->pin_count--;
    mutex_unlock(vmo->mutex);
}

mx_status_t vmo_pinned_address(struct vmo *vmo, uint64_t offset, uint64_t *out)
{
    struct vmo_page page;

    if (!range_is_within(offset, PAGE_SIZE, vmo->size_bytes))
        return MX_ERR_OUT_OF_RANGE;
    vmo_resolve(&vmo, &offset);
    mutex_lock(vmo->mutex);
    mx_status_t status = vmo_get_page_locked(vmo, offset, true, &page);
    if (status == MX_OK)
        *out = vmo_page_address(vmo, &page, offset).raw;
    mutex_unlock(vmo->mutex);
    return status;
}

// --- system calls -----------------------------------------------------------------------------------

int64_t sys_vmo_create(uint64_t size_bytes, uaddr_t out)
{
    struct vmo *vmo;
    mx_status_t status = vmo_create(process_current()->job, size_bytes, &vmo);

    return status == MX_OK ? handle_return(&vmo->object, vmo_default_rights, out) : status;
}

int64_t sys_vmo_create_physical(mx_handle_t resource, uint32_t options, uint64_t paddr,
                                uint64_t size_bytes, uaddr_t out)
{
    struct vmo *vmo;
    enum memory_type memory = options & MX_VMO_PHYSICAL_COMBINED ? MEMORY_COMBINED : MEMORY_DEVICE;
    mx_status_t status =
        resource_check(resource, MX_RIGHT_WRITE, MX_RESOURCE_MMIO, paddr, size_bytes);

    if (status == MX_OK && (options & ~MX_VMO_PHYSICAL_COMBINED))
        status = MX_ERR_INVALID_ARGS;
    if (status == MX_OK)
        status = vmo_create_physical(PADDR(paddr), size_bytes, memory, &vmo);
    if (status != MX_OK)
        return status;
    return handle_return(&vmo->object, vmo_default_rights & ~MX_RIGHT_EXECUTE, out);
}

int64_t sys_vmo_create_contiguous(mx_handle_t resource, uint64_t size_bytes, uaddr_t out, uaddr_t out_paddr)
{
    struct vmo *vmo;
    mx_status_t status = resource_check(resource, MX_RIGHT_WRITE, MX_RESOURCE_MMIO, 0, 0);

    if (status == MX_ERR_WRONG_TYPE)
        status = dma_check(resource, MX_RIGHT_WRITE);
    if (status == MX_OK)
        status = vmo_create_contiguous(process_current()->job, size_bytes, &vmo);
    if (status != MX_OK)
        return status;
    status = user_write(out_paddr, &vmo->base.raw, sizeof(vmo->base.raw));
    if (status != MX_OK) {
        object_release(&vmo->object);
        return status;
    }
    return handle_return(&vmo->object, vmo_default_rights, out);
}

int64_t sys_vmo_create_child(mx_handle_t handle, uint32_t options, uint64_t offset, uint64_t size_bytes,
                             uaddr_t out)
{
    struct object *object;
    struct vmo *child;
    mx_rights_t rights;
    mx_status_t status = handle_get_with_rights(handle, MX_OBJECT_VMO, MX_RIGHT_READ | MX_RIGHT_DUPLICATE,
                                                &object, &rights);

    if (status != MX_OK)
        return status;
    status = vmo_create_child(CONTAINER_OF(object, struct vmo, object), options, offset, size_bytes,
                              process_current()->job, &child);
    object_release(object);
    if (status != MX_OK)
        return status;
    return handle_return(&child->object, options == MX_VMO_CHILD_COW ? rights | MX_RIGHT_WRITE : rights, out);
}

// Copies through a buffer on the stack: user memory may fault into the very object whose mutex is needed.
static mx_status_t copy_user(mx_handle_t handle, mx_rights_t rights, uaddr_t buffer, uint64_t offset,
                             size_t size_bytes)
{
    char piece[512];
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_VMO, rights, &object);

    if (status != MX_OK)
        return status;
    struct vmo *vmo = CONTAINER_OF(object, struct vmo, object);
    if (!range_is_within(offset, size_bytes, vmo->size_bytes))
        status = MX_ERR_OUT_OF_RANGE;
    for (size_t done = 0; done < size_bytes && status == MX_OK;) {
        if (thread_is_killed(thread_current())) {
            status = MX_ERR_CANCELED;
            break;
        }
        size_t size = size_bytes - done < sizeof(piece) ? size_bytes - done : sizeof(piece);
        if (rights & MX_RIGHT_WRITE) {
            status = user_read(piece, buffer + done, size);
            status = status == MX_OK ? vmo_write(vmo, piece, offset + done, size) : status;
        } else {
            status = vmo_read(vmo, piece, offset + done, size);
            status = status == MX_OK ? user_write(buffer + done, piece, size) : status;
        }
        done += size;
    }
    object_release(object);
    return status;
}

int64_t sys_vmo_read(mx_handle_t handle, uaddr_t buffer, uint64_t offset, size_t size_bytes)
{
    return copy_user(handle, MX_RIGHT_READ, buffer, offset, size_bytes);
}

int64_t sys_vmo_write(mx_handle_t handle, uaddr_t buffer, uint64_t offset, size_t size_bytes)
{
    return copy_user(handle, MX_RIGHT_WRITE, buffer, offset, size_bytes);
}

int64_t sys_vmo_op_range(mx_handle_t handle, uint32_t op, uint64_t offset, uint64_t size_bytes)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_VMO, MX_RIGHT_WRITE, &object);

    if (status != MX_OK)
        return status;
    status = vmo_op_range(CONTAINER_OF(object, struct vmo, object), op, offset, size_bytes);
    object_release(object);
    return status;
}
