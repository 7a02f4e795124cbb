// Address spaces; see aspace.h.

#include "kernel/memory/aspace.h"

#include "kernel/lib/string.h"
#include "kernel/memory/phys.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/process.h"
#include "kernel/object/syscalls.h"

// Where the kernel starts looking when the caller leaves the place to it.
#define CHOOSE_FROM UINT64_C(0x100000000)

#define ACCESS_OPTIONS (MX_MAP_READ | MX_MAP_WRITE | MX_MAP_EXECUTE)
#define SHOWN_OPTIONS  (ACCESS_OPTIONS | MX_MAP_COHERENT) // what the tables say

static void aspace_destroy(struct object *object)
{
    struct aspace *aspace = CONTAINER_OF(object, struct aspace, object);
    struct job *job = aspace->job;

    aspace_destroy_mappings(aspace);
    arch_aspace_destroy(&aspace->arch);
    object_free(job, aspace, sizeof(*aspace));
    object_release(&job->object);
}

const mx_rights_t aspace_default_rights = MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ |
                                          MX_RIGHT_WRITE | MX_RIGHT_INSPECT;

static const struct object_ops aspace_ops = {
    .type = MX_OBJECT_ASPACE,
    .destroy = aspace_destroy,
};

mx_status_t aspace_create(enum aspace_kind kind, struct job *job, struct aspace **out)
{
    struct aspace *aspace = object_alloc(job, sizeof(*aspace));

    if (aspace == NULL)
        return MX_ERR_NO_MEMORY;
    mx_status_t status = arch_aspace_init(&aspace->arch, kind == ASPACE_GUEST, job);
    if (status != MX_OK) {
        object_free(job, aspace, sizeof(*aspace));
        return status;
    }
    object_init(&aspace->object, &aspace_ops);
    object_reference(&job->object);
    aspace->job = job;
    aspace->kind = kind;
    aspace->base = kind == ASPACE_GUEST ? 0 : ARCH_USER_BASE;
    aspace->size_bytes =
        (kind == ASPACE_GUEST ? arch_aspace_guest_limit() : arch_aspace_user_limit()) - aspace->base;
    list_init(&aspace->mappings);
    *out = aspace;
    return MX_OK;
}

// --- the list of mappings; aspace->mutex held -----------------------------------------------------

static uint64_t mapping_end(const struct mapping *mapping)
{
    return mapping->base + mapping->size_bytes;
}

static struct mapping *find_mapping(struct aspace *aspace, uint64_t addr)
{
    struct mapping *mapping = aspace->last_hit;

    if (mapping != NULL && addr >= mapping->base && addr < mapping_end(mapping))
        return mapping;
    LIST_FOR_EACH(mapping, &aspace->mappings, node) {
        if (addr < mapping->base)
            return NULL;
        if (addr < mapping_end(mapping)) {
            aspace->last_hit = mapping;
            return mapping;
        }
    }
    return NULL;
}

// The first mapping that ends after `addr`: where a new one at `addr` goes before, and the first that it could overlap.
static struct list_node *find_after(struct aspace *aspace, uint64_t addr)
{
    struct list_node *at = aspace->mappings.next;

    while (at != &aspace->mappings && mapping_end(CONTAINER_OF(at, struct mapping, node)) <= addr)
        at = at->next;
    return at;
}

static bool is_range_free(struct aspace *aspace, uint64_t addr, uint64_t size_bytes)
{
    struct list_node *at = find_after(aspace, addr);

    return at == &aspace->mappings || CONTAINER_OF(at, struct mapping, node)->base >= addr + size_bytes;
}

static mx_status_t choose_address(struct aspace *aspace, uint64_t size_bytes, uint64_t *out)
{
    // Large things are placed so that large pages fit.
    uint64_t alignment = size_bytes >= PAGE_SIZE << PHYS_ORDER_LARGE ? PAGE_SIZE << PHYS_ORDER_LARGE : PAGE_SIZE;
    uint64_t addr = CHOOSE_FROM;
    struct mapping *mapping;

    LIST_FOR_EACH(mapping, &aspace->mappings, node) {
        if (mapping_end(mapping) <= addr)
            continue;
        if (mapping->base >= addr && mapping->base - addr >= size_bytes)
            break;
        addr = align_up(mapping_end(mapping), alignment);
    }
    *out = addr;
    return addr >= aspace->base && range_is_within(addr - aspace->base, size_bytes, aspace->size_bytes)
               ? MX_OK
               : MX_ERR_NO_RESOURCES;
}

static struct mapping *mapping_create(struct aspace *aspace, struct vmo *vmo, uint64_t vmo_offset, uint64_t base,
                                      uint64_t size_bytes)
{
    struct mapping *mapping = object_alloc(aspace->job, sizeof(*mapping));

    if (mapping == NULL)
        return NULL;
    object_reference(&vmo->object);
    mapping->aspace = aspace;
    mapping->vmo = vmo;
    mapping->vmo_offset = vmo_offset;
    mapping->base = base;
    mapping->size_bytes = size_bytes;
    list_insert_before(find_after(aspace, base), &mapping->node);
    mutex_lock(vmo->mutex);
    list_add_tail(&vmo->mappings, &mapping->vmo_node);
    mutex_unlock(vmo->mutex);
    aspace->mapped_bytes += size_bytes;
    return mapping;
}

// Takes the mapping out of the address space and puts it into `gone`, for mappings_free once the mutex is released: the
// last reference to a memory object may be one to a job, whose mutex comes before.
static void mapping_remove(struct mapping *mapping, struct list_node *gone)
{
    struct aspace *aspace = mapping->aspace;
    struct vmo *vmo = mapping->vmo;

    mutex_lock(vmo->mutex);
    list_remove(&mapping->vmo_node);
    arch_aspace_unmap(&aspace->arch, mapping->base, mapping->size_bytes);
    mutex_unlock(vmo->mutex);
    list_remove(&mapping->node);
    list_add_tail(gone, &mapping->node);
    aspace->last_hit = NULL;
    aspace->mapped_bytes -= mapping->size_bytes;
}

static void mappings_free(struct aspace *aspace, struct list_node *gone)
{
    struct mapping *mapping;

    while ((mapping = LIST_FIRST(gone, struct mapping, node)) != NULL) {
        struct vmo *vmo = mapping->vmo;
        list_remove(&mapping->node);
        object_free(aspace->job, mapping, sizeof(*mapping));
        object_release(&vmo->object);
    }
}

// --- faults -------------------------------------------------------------------------------------------

// The largest block, as an order of pages, that the page's block, the mapping and the alignment of both allow.
static unsigned choose_order(const struct mapping *mapping, uint64_t addr, paddr_t page_address,
                             const struct vmo_page *page)
{
    uint64_t large = PAGE_SIZE << PHYS_ORDER_LARGE;
    uint64_t base = align_down(addr, large);

    if (page->order < PHYS_ORDER_LARGE || base < mapping->base || base + large > mapping_end(mapping) ||
        (page_address.raw & (large - 1)) != (addr & (large - 1)))
        return 0;
    return PHYS_ORDER_LARGE;
}

static mx_status_t show_page(struct aspace *aspace, const struct mapping *mapping, uint64_t addr, uint32_t access)
{
    struct vmo *vmo = mapping->vmo;
    uint64_t offset = mapping->vmo_offset + (addr - mapping->base);
    struct vmo_page page;

    mutex_lock(vmo->mutex);
    mx_status_t status = vmo_get_page_locked(vmo, offset, access == MX_MAP_WRITE, &page);
    if (status == MX_OK) {
        uint32_t options = mapping->options;
        if (!page.is_write_allowed)
            options &= ~MX_MAP_WRITE;
        paddr_t page_address = vmo_page_address(vmo, &page, offset);
        unsigned order = choose_order(mapping, addr, page_address, &page);
        uint64_t block_mask = (PAGE_SIZE << order) - 1;
        status =
            arch_aspace_map(&aspace->arch, addr & ~block_mask,
                            PADDR(page_address.raw & ~block_mask), order, options, page.memory);
    }
    mutex_unlock(vmo->mutex);
    return status;
}

static mx_status_t handle_fault_locked(struct aspace *aspace, uint64_t addr, uint32_t access)
{
    struct mapping *mapping = find_mapping(aspace, addr);

    if (mapping == NULL)
        return MX_ERR_NOT_FOUND;
    if ((mapping->options & access) == 0)
        return MX_ERR_ACCESS_DENIED;
    return show_page(aspace, mapping, align_down(addr, PAGE_SIZE), access);
}

mx_status_t aspace_handle_fault(struct aspace *aspace, uint64_t addr, uint32_t access)
{
    mutex_lock(&aspace->mutex);
    mx_status_t status = handle_fault_locked(aspace, addr, access);
    mutex_unlock(&aspace->mutex);
    return status;
}

// Finds the bytes of `addr`, up to the end of its page; copies `copy_bytes` of them while they cannot go away.
static mx_status_t find_bytes(struct aspace *aspace, uint64_t addr, uint32_t access, void **out, void *copy,
                              size_t copy_bytes)
{
    mutex_lock(&aspace->mutex);
    struct mapping *mapping = find_mapping(aspace, addr);
    mx_status_t status = mapping == NULL                      ? MX_ERR_NOT_FOUND
                         : (mapping->options & access) == 0   ? MX_ERR_ACCESS_DENIED
                         : mapping->vmo->kind == VMO_PHYSICAL ? MX_ERR_NOT_SUPPORTED
                                                              : MX_OK;
    if (status == MX_OK) {
        struct vmo *vmo = mapping->vmo;
        uint64_t offset = mapping->vmo_offset + (align_down(addr, PAGE_SIZE) - mapping->base);
        struct vmo_page page;
        mutex_lock(vmo->mutex);
        status = vmo_get_page_locked(vmo, offset, access == MX_MAP_WRITE, &page);
        if (status == MX_OK) {
            *out = (char *)arch_phys_to_virt(vmo_page_address(vmo, &page, offset)) + addr % PAGE_SIZE;
            if (copy_bytes != 0)
                memcpy(copy, *out, copy_bytes);
        }
        mutex_unlock(vmo->mutex);
    }
    mutex_unlock(&aspace->mutex);
    return status;
}

mx_status_t aspace_translate(struct aspace *aspace, uint64_t addr, uint32_t access, void **out)
{
    return find_bytes(aspace, addr, access, out, NULL, 0);
}

mx_status_t aspace_read(struct aspace *aspace, uint64_t addr, void *buffer, size_t size_bytes)
{
    void *bytes;

    if (size_bytes > PAGE_SIZE - addr % PAGE_SIZE)
        return MX_ERR_OUT_OF_RANGE;
    return find_bytes(aspace, addr, MX_MAP_READ, &bytes, buffer, size_bytes);
}

void aspace_hide_vmo_range_locked(struct vmo *vmo, uint64_t offset, uint64_t size_bytes)
{
    struct mapping *mapping;

    LIST_FOR_EACH(mapping, &vmo->mappings, vmo_node) {
        uint64_t start = mapping->vmo_offset > offset ? mapping->vmo_offset : offset;
        uint64_t end = offset + size_bytes;
        uint64_t mapped_end = mapping->vmo_offset + mapping->size_bytes;
        if (end > mapped_end)
            end = mapped_end;
        if (start < end)
            arch_aspace_unmap(&mapping->aspace->arch, mapping->base + (start - mapping->vmo_offset), end - start);
    }
}

// --- mapping, unmapping, protecting ---------------------------------------------------------------

static mx_status_t populate(struct aspace *aspace, const struct mapping *mapping)
{
    uint32_t access = mapping->options & MX_MAP_WRITE ? MX_MAP_WRITE : MX_MAP_READ;

    for (uint64_t addr = mapping->base; addr < mapping_end(mapping); addr += PAGE_SIZE) {
        mx_status_t status =
            thread_is_killed(thread_current()) ? MX_ERR_CANCELED : show_page(aspace, mapping, addr, access);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

static mx_status_t check_options(const struct aspace *aspace, uint32_t options)
{
    uint32_t access = options & ACCESS_OPTIONS;
    bool is_write_execute = (access & MX_MAP_WRITE) && (access & MX_MAP_EXECUTE);

    if ((options & ~(ACCESS_OPTIONS | MX_MAP_SPECIFIC | MX_MAP_POPULATE | MX_MAP_COHERENT)) ||
        !(access & MX_MAP_READ))
        return MX_ERR_INVALID_ARGS;
    return is_write_execute && aspace->kind != ASPACE_GUEST ? MX_ERR_INVALID_ARGS : MX_OK;
}

static mx_status_t map_locked(struct aspace *aspace, uint32_t options, uint32_t allowed_options, struct vmo *vmo,
                              uint64_t vmo_offset, uint64_t size_bytes, uint64_t *addr,
                              struct list_node *gone)
{
    if (aspace->is_closed)
        return MX_ERR_BAD_STATE;
    if (options & MX_MAP_SPECIFIC) {
        if (!is_aligned(*addr, PAGE_SIZE))
            return MX_ERR_INVALID_ARGS;
        if (*addr < aspace->base || !range_is_within(*addr - aspace->base, size_bytes, aspace->size_bytes))
            return MX_ERR_OUT_OF_RANGE;
        if (!is_range_free(aspace, *addr, size_bytes))
            return MX_ERR_ALREADY_EXISTS;
    } else {
        mx_status_t status = choose_address(aspace, size_bytes, addr);
        if (status != MX_OK)
            return status;
    }
    struct mapping *mapping = mapping_create(aspace, vmo, vmo_offset, *addr, size_bytes);
    if (mapping == NULL)
        return MX_ERR_NO_MEMORY;
    mapping->options = options & SHOWN_OPTIONS;
    mapping->allowed_options = allowed_options & ACCESS_OPTIONS;
    mx_status_t status = options & MX_MAP_POPULATE ? populate(aspace, mapping) : MX_OK;
    if (status != MX_OK)
        mapping_remove(mapping, gone);
    return status;
}

mx_status_t aspace_map(struct aspace *aspace, uint32_t options, uint32_t allowed_options, struct vmo *vmo,
                       uint64_t vmo_offset, uint64_t size_bytes, uint64_t *addr)
{
    mx_status_t status = check_options(aspace, options);

    if (status != MX_OK)
        return status;
    if (!is_aligned(vmo_offset | size_bytes, PAGE_SIZE) || size_bytes == 0)
        return MX_ERR_INVALID_ARGS;
    if (!range_is_within(vmo_offset, size_bytes, vmo->size_bytes))
        return MX_ERR_OUT_OF_RANGE;
    vmo_resolve(&vmo, &vmo_offset);
    struct list_node gone = LIST_INIT(gone);
    mutex_lock(&aspace->mutex);
    status = map_locked(aspace, options, allowed_options, vmo, vmo_offset, size_bytes, addr, &gone);
    mutex_unlock(&aspace->mutex);
    mappings_free(aspace, &gone);
    return status;
}

// Cuts the mapping in two at `addr`, if it lies inside.
static mx_status_t split_at(struct aspace *aspace, uint64_t addr)
{
    struct mapping *mapping = find_mapping(aspace, addr);

    if (mapping == NULL || mapping->base == addr)
        return MX_OK;
    uint64_t first_bytes = addr - mapping->base, whole_bytes = mapping->size_bytes;
    // The second exists before the first shrinks: at no time is a shown page in no mapping of its object.
    struct mapping *second = mapping_create(aspace, mapping->vmo, mapping->vmo_offset + first_bytes, addr,
                                            whole_bytes - first_bytes);
    if (second == NULL)
        return MX_ERR_NO_MEMORY;
    list_remove(&second->node);
    list_insert_before(mapping->node.next, &second->node);
    mapping->size_bytes = first_bytes;
    aspace->last_hit = NULL;
    aspace->mapped_bytes -= whole_bytes - first_bytes; // mapping_create counted it once more
    second->options = mapping->options;
    second->allowed_options = mapping->allowed_options;
    return MX_OK;
}

static mx_status_t unmap_locked(struct aspace *aspace, uint64_t addr, uint64_t end, struct list_node *gone)
{
    bool found = false;

    if (is_range_free(aspace, addr, end - addr))
        return MX_ERR_NOT_FOUND;
    mx_status_t status = split_at(aspace, addr);
    if (status == MX_OK)
        status = split_at(aspace, end);
    if (status != MX_OK)
        return status;
    for (;;) {
        struct list_node *at = find_after(aspace, addr);
        if (at == &aspace->mappings || CONTAINER_OF(at, struct mapping, node)->base >= end)
            return found ? MX_OK : MX_ERR_NOT_FOUND;
        mapping_remove(CONTAINER_OF(at, struct mapping, node), gone);
        found = true;
    }
}

mx_status_t aspace_unmap(struct aspace *aspace, uint64_t addr, uint64_t size_bytes)
{
    if (!is_aligned(addr | size_bytes, PAGE_SIZE) || size_bytes == 0)
        return MX_ERR_INVALID_ARGS;
    if (addr < aspace->base || !range_is_within(addr - aspace->base, size_bytes, aspace->size_bytes))
        return MX_ERR_OUT_OF_RANGE;
    struct list_node gone = LIST_INIT(gone);
    mutex_lock(&aspace->mutex);
    mx_status_t status = unmap_locked(aspace, addr, addr + size_bytes, &gone);
    mutex_unlock(&aspace->mutex);
    mappings_free(aspace, &gone);
    return status;
}

mx_status_t aspace_protect(struct aspace *aspace, uint32_t options, uint64_t addr, uint64_t size_bytes)
{
    mx_status_t status = options & ~ACCESS_OPTIONS ? MX_ERR_INVALID_ARGS : check_options(aspace, options);

    if (status != MX_OK)
        return status;
    mutex_lock(&aspace->mutex);
    struct mapping *mapping = find_mapping(aspace, addr);
    if (mapping == NULL || mapping->base != addr || mapping->size_bytes != size_bytes) {
        status = MX_ERR_NOT_FOUND;
    } else if (options & ~mapping->allowed_options) {
        status = MX_ERR_ACCESS_DENIED;
    } else {
        mutex_lock(mapping->vmo->mutex);
        mapping->options = options | (mapping->options & MX_MAP_COHERENT);
        arch_aspace_unmap(&aspace->arch, addr, size_bytes); // faults in again with the new permissions
        mutex_unlock(mapping->vmo->mutex);
    }
    mutex_unlock(&aspace->mutex);
    return status;
}

void aspace_destroy_mappings(struct aspace *aspace)
{
    struct list_node gone = LIST_INIT(gone);
    struct mapping *mapping;

    mutex_lock(&aspace->mutex);
    aspace->is_closed = true;
    while ((mapping = LIST_FIRST(&aspace->mappings, struct mapping, node)) != NULL)
        mapping_remove(mapping, &gone);
    mutex_unlock(&aspace->mutex);
    mappings_free(aspace, &gone);
}

uint64_t aspace_resident_bytes(struct aspace *aspace)
{
    const struct mapping *mapping;
    uint64_t bytes = 0;

    mutex_lock(&aspace->mutex);
    LIST_FOR_EACH(mapping, &aspace->mappings, node) {
        uint64_t committed = __atomic_load_n(&mapping->vmo->committed_bytes, __ATOMIC_RELAXED);
        bytes += committed < mapping->size_bytes ? committed : mapping->size_bytes;
    }
    mutex_unlock(&aspace->mutex);
    return bytes;
}

// --- system calls -----------------------------------------------------------------------------------

// What a handle with `rights` allows to map.
static uint32_t options_of_rights(mx_rights_t rights)
{
    return (rights & MX_RIGHT_READ ? MX_MAP_READ : 0) | (rights & MX_RIGHT_WRITE ? MX_MAP_WRITE : 0) |
           (rights & MX_RIGHT_EXECUTE ? MX_MAP_EXECUTE : 0);
}

static mx_status_t get_aspace(mx_handle_t handle, struct aspace **out)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_ASPACE, MX_RIGHT_WRITE, &object);

    if (status == MX_OK)
        *out = CONTAINER_OF(object, struct aspace, object);
    return status;
}

int64_t sys_aspace_map(mx_handle_t aspace_handle, uint32_t options, mx_handle_t vmo_handle, uint64_t vmo_offset,
                       uint64_t size_bytes, uaddr_t user_addr)
{
    struct aspace *aspace;
    struct object *vmo;
    mx_rights_t rights;
    uint64_t addr;
    mx_status_t status = get_aspace(aspace_handle, &aspace);

    if (status != MX_OK)
        return status;
    status = handle_get_with_rights(vmo_handle, MX_OBJECT_VMO, MX_RIGHT_MAP, &vmo, &rights);
    if (status != MX_OK)
        goto out_release_aspace;
    uint32_t allowed = options_of_rights(rights);
    status = user_read(&addr, user_addr, sizeof(addr));
    if (status == MX_OK && (options & ACCESS_OPTIONS & ~allowed))
        status = MX_ERR_ACCESS_DENIED;
    if (status == MX_OK)
        status = aspace_map(aspace, options, allowed, CONTAINER_OF(vmo, struct vmo, object), vmo_offset,
                            size_bytes, &addr);
    if (status == MX_OK) {
        status = user_write(user_addr, &addr, sizeof(addr));
        if (status != MX_OK)
            (void)!aspace_unmap(aspace, addr, size_bytes);
    }
    object_release(vmo);
out_release_aspace:
    object_release(&aspace->object);
    return status;
}

int64_t sys_aspace_unmap(mx_handle_t handle, uint64_t addr, uint64_t size_bytes)
{
    struct aspace *aspace;
    mx_status_t status = get_aspace(handle, &aspace);

    if (status != MX_OK)
        return status;
    status = aspace_unmap(aspace, addr, size_bytes);
    object_release(&aspace->object);
    return status;
}

int64_t sys_aspace_protect(mx_handle_t handle, uint32_t options, uint64_t addr, uint64_t size_bytes)
{
    struct aspace *aspace;
    mx_status_t status = get_aspace(handle, &aspace);

    if (status != MX_OK)
        return status;
    status = aspace_protect(aspace, options, addr, size_bytes);
    object_release(&aspace->object);
    return status;
}
