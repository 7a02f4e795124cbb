// Guests; see guest.h.
#include "kernel/hypervisor/guest.h"

#include "kernel/hypervisor/vcpu.h"

#define GUEST_RIGHTS                                                             \
    (MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_WRITE | MX_RIGHT_SIGNAL | \
     MX_RIGHT_INSPECT | MX_RIGHT_MANAGE | MX_RIGHT_WAIT)

static const struct guest_interrupt_ops *interrupt_ops;

void guest_set_interrupt_ops(const struct guest_interrupt_ops *ops)
{
    interrupt_ops = ops;
}

const struct guest_interrupt_ops *guest_interrupt_ops(void)
{
    return interrupt_ops;
}

static void free_trap(struct guest *guest, struct trap *trap)
{
    if (trap->port) {
        port_cancel_source(trap->port, &trap->source);
        object_release(&trap->port->object);
    }
    object_free(guest->job, trap, sizeof(*trap));
}

static void free_traps(struct guest *guest, struct trap_map *map)
{
    for (uint32_t i = 0; i < map->count; i++)
        free_trap(guest, map->traps[i]);
    map->count = 0;
}

static void guest_destroy(struct object *object)
{
    struct guest *guest = guest_from_object(object);
    struct job *job = guest->job;

    free_traps(guest, &guest->memory_traps);
    free_traps(guest, &guest->io_traps);
    arch_guest_destroy(guest);
    object_release(&guest->aspace->object);
    object_free(job, guest, sizeof(*guest));
    object_release(&job->object);
}

static const struct object_ops guest_ops = {
    .type = MX_OBJECT_GUEST,
    .default_rights = GUEST_RIGHTS,
    .destroy = guest_destroy,
};

mx_status_t guest_create(struct job *job, struct guest **out)
{
    mx_status_t status;
    struct guest *guest = object_alloc(job, sizeof(*guest));

    if (!guest)
        return MX_ERR_NO_MEMORY;
    guest->job = job;
    status = aspace_create(ASPACE_GUEST, job, &guest->aspace);
    if (status != MX_OK)
        goto out_free;
    status = arch_guest_init(guest);
    if (status != MX_OK)
        goto out_aspace;
    object_init(&guest->object, &guest_ops);
    object_reference(&job->object);
    *out = guest;
    return MX_OK;

out_aspace:
    object_release(&guest->aspace->object);
out_free:
    object_free(job, guest, sizeof(*guest));
    return status;
}

// --- traps --------------------------------------------------------------------------------------

static struct trap_map *map_of_kind(struct guest *guest, uint32_t kind)
{
    return kind == MX_TRAP_IO || kind == MX_TRAP_IO_BELL ? &guest->io_traps : &guest->memory_traps;
}

static bool kind_is_bell(uint32_t kind)
{
    return kind == MX_TRAP_BELL || kind == MX_TRAP_IO_BELL;
}

static mx_status_t check_trap(const struct mx_trap *trap, const struct port *port)
{
    uint64_t limit;

    if (trap->kind > MX_TRAP_IO_BELL || kind_is_bell(trap->kind) != (port != NULL))
        return MX_ERR_INVALID_ARGS;
    limit = arch_guest_trap_limit(trap->kind);
    if (limit == 0)
        return MX_ERR_NOT_SUPPORTED;
    if (trap->size_bytes == 0 || !range_is_within(trap->addr, trap->size_bytes, limit))
        return MX_ERR_OUT_OF_RANGE;
    return MX_OK;
}

mx_status_t guest_set_trap(struct guest *guest, const struct mx_trap *description,
                           struct port *port)
{
    mx_status_t status = check_trap(description, port);
    arch_interrupt_state_t state;
    struct trap *trap;

    if (status != MX_OK)
        return status;
    trap = object_alloc(guest->job, sizeof(*trap));
    if (!trap)
        return MX_ERR_NO_MEMORY;
    trap->kind = (enum mx_trap_kind)description->kind;
    trap->base = description->addr;
    trap->size_bytes = description->size_bytes;
    trap->key = description->key;
    port_source_init(&trap->source, MX_PACKET_GUEST_BELL, description->key);
    if (port) {
        object_reference(&port->object);
        trap->port = port;
    }
    state = spin_lock(&guest->trap_lock);
    status = trap_map_insert(map_of_kind(guest, trap->kind), trap);
    spin_unlock(&guest->trap_lock, state);
    if (status != MX_OK)
        free_trap(guest, trap);
    return status;
}

mx_status_t guest_clear_trap(struct guest *guest, uint32_t kind, uint64_t addr)
{
    arch_interrupt_state_t state;
    struct trap *trap;

    if (kind > MX_TRAP_IO_BELL)
        return MX_ERR_INVALID_ARGS;
    state = spin_lock(&guest->trap_lock);
    trap = trap_map_remove(map_of_kind(guest, kind), (enum mx_trap_kind)kind, addr);
    spin_unlock(&guest->trap_lock, state);
    if (!trap)
        return MX_ERR_NOT_FOUND;
    free_trap(guest, trap);
    return MX_OK;
}

static void fill_hit(const struct trap *trap, struct guest_trap_hit *hit)
{
    hit->kind = trap->kind;
    hit->key = trap->key;
}

bool guest_find_trap(struct guest *guest, struct trap_map *map, uint64_t addr,
                     struct guest_trap_hit *hit)
{
    arch_interrupt_state_t state = spin_lock(&guest->trap_lock);
    const struct trap *trap = trap_map_find(map, addr);

    if (trap)
        fill_hit(trap, hit);
    spin_unlock(&guest->trap_lock, state);
    return trap != NULL;
}

mx_status_t guest_write_trap(struct guest *guest, struct trap_map *map, uint64_t addr,
                             uint64_t value, struct guest_trap_hit *hit)
{
    mx_status_t status = MX_ERR_NOT_FOUND;
    arch_interrupt_state_t state = spin_lock(&guest->trap_lock);
    struct trap *trap = trap_map_find(map, addr);

    if (trap && trap->port) {
        status = port_queue_bell(trap->port, &trap->source, addr, value);
    } else if (trap) {
        fill_hit(trap, hit);
        status = MX_ERR_SHOULD_WAIT;
    }
    spin_unlock(&guest->trap_lock, state);
    return status;
}

mx_status_t guest_ring_bell(struct guest *guest, struct trap_map *map, uint64_t addr,
                            uint64_t value)
{
    struct guest_trap_hit hit;
    mx_status_t status = guest_write_trap(guest, map, addr, value, &hit);

    // A bell that was taken away meanwhile was a write to nothing.
    return status == MX_ERR_BAD_STATE ? status : MX_OK;
}

// --- information and memory ---------------------------------------------------------------------

uint32_t guest_get_vcpu_info(struct guest *guest, struct mx_info_vcpu *records, uint32_t capacity)
{
    uint32_t count = 0;
    arch_interrupt_state_t state = spin_lock(&guest->vcpus_lock);

    for (uint32_t id = 0; id < MX_GUEST_MAX_VCPUS; id++) {
        if (!guest->vcpus[id])
            continue;
        if (count < capacity)
            vcpu_get_info(guest->vcpus[id], &records[count]);
        count++;
    }
    spin_unlock(&guest->vcpus_lock, state);
    return count;
}

// The memory object behind `addr` if the whole range lies in one writable mapping, referenced; NULL
// otherwise.
static struct vmo *find_memory(struct aspace *aspace, uint64_t addr, size_t size_bytes,
                               uint64_t *offset)
{
    struct vmo *found = NULL;
    struct mapping *mapping;

    mutex_lock(&aspace->mutex);
    LIST_FOR_EACH(mapping, &aspace->mappings, node)
    {
        if (addr < mapping->base ||
            !range_is_within(addr - mapping->base, size_bytes, mapping->size_bytes))
            continue;
        if (!(mapping->options & MX_MAP_WRITE))
            break;
        found = mapping->vmo;
        object_reference(&found->object);
        *offset = mapping->vmo_offset + (addr - mapping->base);
        break;
    }
    mutex_unlock(&aspace->mutex);
    return found;
}

bool guest_write_memory(struct guest *guest, uint64_t addr, const void *data, size_t size_bytes)
{
    uint64_t offset;
    mx_status_t status;
    struct vmo *vmo = find_memory(guest->aspace, addr, size_bytes, &offset);

    if (!vmo)
        return false;
    // Through the memory object, whose mutex keeps the page from being given back during the write.
    status = vmo_write(vmo, data, offset, size_bytes);
    object_release(&vmo->object);
    return status == MX_OK;
}
