// Split virtqueue, device side: see virtqueue.h.

#include "vmm/virtio/virtqueue.h"

#include <string.h>

// The rings' layout, virtio 1.2, 2.7.5 to 2.7.8.
#define DESCRIPTOR_BYTES       16u
#define DESCRIPTOR_NEXT        1u
#define DESCRIPTOR_WRITE       2u
#define DESCRIPTOR_INDIRECT    4u
#define AVAILABLE_FLAGS        0u
#define AVAILABLE_INDEX        2u
#define AVAILABLE_RING         4u
#define AVAILABLE_NO_INTERRUPT 1u
#define USED_FLAGS             0u
#define USED_INDEX             2u
#define USED_RING              4u
#define USED_ENTRY_BYTES       8u
#define USED_NO_NOTIFY         1u

struct descriptor {
    uint64_t address;
    uint32_t size_bytes;
    uint16_t flags;
    uint16_t next;
};
_Static_assert(sizeof(struct descriptor) == DESCRIPTOR_BYTES, "as the driver lays it out");

// A table of descriptors: the queue's own, or one that an indirect descriptor names.
struct table {
    const uint8_t *bytes;
    uint32_t entry_count;
};

static uint16_t load_u16(const uint8_t *where)
{
    return __atomic_load_n((const uint16_t *)(const void *)where, __ATOMIC_RELAXED);
}

static void store_u16(uint8_t *where, uint16_t value)
{
    __atomic_store_n((uint16_t *)(void *)where, value, __ATOMIC_RELAXED);
}

static mx_status_t break_queue(struct virtqueue *queue)
{
    queue->is_broken = true;
    return MX_ERR_IO_DATA_INTEGRITY;
}

// --- life
// -------------------------------------------------------------------------------------------

// A host mapping of a ring part, aligned in the guest and here.
static void *map_ring(const struct guest_memory *memory, uint64_t address, uint64_t size_bytes,
                      unsigned alignment)
{
    void *host = guest_memory_map(memory, address, size_bytes);
    if ((address & (alignment - 1)) != 0 || ((uintptr_t)host & (alignment - 1)) != 0)
        return NULL;
    return host;
}

mx_status_t virtqueue_start(struct virtqueue *queue, const struct guest_memory *memory,
                            const struct virtqueue_layout *layout)
{
    const uint32_t size = layout->size;

    memset(queue, 0, sizeof(*queue));
    if (size == 0 || size > VIRTQUEUE_SIZE_MAX || (size & (size - 1)) != 0)
        return MX_ERR_OUT_OF_RANGE;
    // Each ring is followed by the event index, which a driver without that feature need not
    // allocate but which always fits: 2.7 gives the rings' sizes with it.
    queue->descriptors = map_ring(memory, layout->descriptors, size * DESCRIPTOR_BYTES, 16);
    queue->available = map_ring(memory, layout->available, AVAILABLE_RING + 2 * size + 2, 2);
    queue->used = map_ring(memory, layout->used, USED_RING + USED_ENTRY_BYTES * size + 2, 4);
    if (!queue->descriptors || !queue->available || !queue->used) {
        virtqueue_stop(queue);
        return MX_ERR_INVALID_ARGS;
    }
    queue->memory = memory;
    queue->size = layout->size;
    queue->wants_doorbell = true;
    return MX_OK;
}

void virtqueue_set_features(struct virtqueue *queue, bool uses_indirect, bool uses_event_index)
{
    queue->uses_indirect = uses_indirect;
    queue->uses_event_index = uses_event_index;
}

void virtqueue_stop(struct virtqueue *queue)
{
    memset(queue, 0, sizeof(*queue));
}

bool virtqueue_is_running(const struct virtqueue *queue)
{
    return queue->size != 0 && !queue->is_broken;
}

// --- popping
// ----------------------------------------------------------------------------------------

// Copies one descriptor. The barrier forbids the compiler to read guest memory again where the copy
// is meant, after it was checked.
static struct descriptor load_descriptor(const struct table *table, uint32_t index)
{
    struct descriptor descriptor;
    memcpy(&descriptor, table->bytes + (size_t)index * DESCRIPTOR_BYTES, sizeof(descriptor));
    __asm__ volatile("" : "+m"(descriptor) : : "memory");
    return descriptor;
}

// Adds one buffer to the chain. False: it lies outside RAM, is readable after a writable one, or
// there are too many buffers or bytes. A buffer of no bytes adds nothing.
static bool chain_append(const struct virtqueue *queue, struct virtqueue_chain *chain,
                         const struct descriptor *descriptor)
{
    const bool is_writable = (descriptor->flags & DESCRIPTOR_WRITE) != 0;
    const unsigned count = chain->readable_count + chain->writable_count;
    const uint64_t total_bytes =
        (uint64_t)chain->readable_bytes + chain->writable_bytes + descriptor->size_bytes;

    if (descriptor->size_bytes == 0)
        return true;
    if ((!is_writable && chain->writable_count != 0) || count >= VIRTQUEUE_SEGMENTS_MAX ||
        total_bytes > UINT32_MAX)
        return false;
    uint8_t *data = guest_memory_map(queue->memory, descriptor->address, descriptor->size_bytes);
    if (!data)
        return false;
    chain->buffers[count] = (struct virtqueue_buffer){data, descriptor->size_bytes};
    if (is_writable) {
        chain->writable_count++;
        chain->writable_bytes += descriptor->size_bytes;
    } else {
        chain->readable_count++;
        chain->readable_bytes += descriptor->size_bytes;
    }
    return true;
}

// Enters the table that an indirect descriptor names (2.7.5.3). False: not negotiated, inside
// another, with a next descriptor, or not a whole number of entries in RAM.
static bool enter_indirect(const struct virtqueue *queue, const struct descriptor *descriptor,
                           bool is_indirect, struct table *table)
{
    const uint32_t entry_count = descriptor->size_bytes / DESCRIPTOR_BYTES;

    if (!queue->uses_indirect || is_indirect || (descriptor->flags & DESCRIPTOR_NEXT) ||
        descriptor->size_bytes % DESCRIPTOR_BYTES != 0 || entry_count == 0 ||
        entry_count > VIRTQUEUE_INDIRECT_ENTRIES_MAX)
        return false;
    table->bytes = guest_memory_map(queue->memory, descriptor->address, descriptor->size_bytes);
    table->entry_count = entry_count;
    return table->bytes != NULL;
}

// Follows a chain from its head. Each table allows as many steps as it has entries, so a loop ends.
static bool walk_chain(const struct virtqueue *queue, struct virtqueue_chain *chain)
{
    struct table table = {queue->descriptors, queue->size};
    uint32_t index = chain->head, step_count = 0;
    bool is_indirect = false;

    for (;;) {
        if (index >= table.entry_count || step_count++ >= table.entry_count)
            return false;
        const struct descriptor descriptor = load_descriptor(&table, index);
        if (descriptor.flags & DESCRIPTOR_INDIRECT) {
            if (!enter_indirect(queue, &descriptor, is_indirect, &table))
                return false;
            is_indirect = true;
            index = step_count = 0;
            continue;
        }
        if (!chain_append(queue, chain, &descriptor))
            return false;
        if (!(descriptor.flags & DESCRIPTOR_NEXT))
            return true;
        index = descriptor.next;
    }
}

static uint16_t available_count(const struct virtqueue *queue)
{
    return (uint16_t)(load_u16(queue->available + AVAILABLE_INDEX) - queue->next_available);
}

mx_status_t virtqueue_pop(struct virtqueue *queue, struct virtqueue_chain *chain)
{
    if (queue->is_broken)
        return MX_ERR_IO_DATA_INTEGRITY;
    if (queue->size == 0)
        return MX_ERR_SHOULD_WAIT;
    const uint16_t count = available_count(queue);
    if (count == 0)
        return MX_ERR_SHOULD_WAIT;
    if (count > queue->size)
        return break_queue(queue);
    // Pairs with the driver's barrier between filling the ring and moving the index (2.7.13.3).
    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    const uint32_t slot = queue->next_available & (queue->size - 1u);
    chain->head = load_u16(queue->available + AVAILABLE_RING + 2 * slot);
    chain->readable_count = chain->writable_count = 0;
    chain->readable_bytes = chain->writable_bytes = 0;
    if (!walk_chain(queue, chain))
        return break_queue(queue);
    queue->next_available++;
    return MX_OK;
}

void virtqueue_unpop(struct virtqueue *queue)
{
    queue->next_available--;
}

// --- pushing
// ----------------------------------------------------------------------------------------

void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written_bytes)
{
    if (!virtqueue_is_running(queue))
        return;
    const uint32_t slot = queue->next_used & (queue->size - 1u);
    const uint32_t entry[2] = {head, written_bytes};
    memcpy(queue->used + USED_RING + USED_ENTRY_BYTES * slot, entry, sizeof(entry));
    queue->next_used++;
}

bool virtqueue_need_event(uint16_t event, uint16_t new_index, uint16_t old_index)
{
    return (uint16_t)(new_index - event - 1) < (uint16_t)(new_index - old_index);
}

bool virtqueue_publish(struct virtqueue *queue)
{
    const uint16_t old_index = queue->published_used, new_index = queue->next_used;

    if (!virtqueue_is_running(queue) || old_index == new_index)
        return false;
    // Pairs with the driver's barrier between reading the used index and the entries (2.7.14); it
    // also orders everything the device wrote into the buffers.
    __atomic_thread_fence(__ATOMIC_RELEASE);
    store_u16(queue->used + USED_INDEX, new_index);
    queue->published_used = new_index;
    // Pairs with the driver's between asking for an interrupt and looking at the used index again:
    // either it sees the new index or its request is seen here.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!queue->uses_event_index)
        return !(load_u16(queue->available + AVAILABLE_FLAGS) & AVAILABLE_NO_INTERRUPT);
    const uint16_t event = load_u16(queue->available + AVAILABLE_RING + 2u * queue->size);
    return virtqueue_need_event(event, new_index, old_index);
}

// --- doorbell suppression
// ---------------------------------------------------------------------------

static void set_available_event(struct virtqueue *queue, uint16_t event)
{
    store_u16(queue->used + USED_RING + (size_t)USED_ENTRY_BYTES * queue->size, event);
}

// With the event index the flags stay zero (2.7.10.2): an index that was passed already says the
// same.
void virtqueue_disable_doorbell(struct virtqueue *queue)
{
    if (!virtqueue_is_running(queue) || !queue->wants_doorbell)
        return;
    queue->wants_doorbell = false;
    if (!queue->uses_event_index)
        store_u16(queue->used + USED_FLAGS, USED_NO_NOTIFY);
}

bool virtqueue_enable_doorbell(struct virtqueue *queue)
{
    if (!virtqueue_is_running(queue))
        return false;
    queue->wants_doorbell = true;
    if (queue->uses_event_index)
        set_available_event(queue, queue->next_available);
    else
        store_u16(queue->used + USED_FLAGS, 0);
    // Pairs with the driver's barrier between moving the available index and reading the flags or
    // the event: either the driver sees the request or its chain is seen here.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return available_count(queue) != 0;
}

// --- buffers
// ----------------------------------------------------------------------------------------

// Copies between `bytes` and consecutive buffers, from `offset` on.
static size_t copy_buffers(const struct virtqueue_buffer *buffers, unsigned count, uint32_t offset,
                           uint8_t *bytes, size_t size_bytes, bool is_write)
{
    size_t done = 0;

    for (unsigned i = 0; i < count && done < size_bytes; i++) {
        if (offset >= buffers[i].size_bytes) {
            offset -= buffers[i].size_bytes;
            continue;
        }
        size_t part = buffers[i].size_bytes - offset;
        if (part > size_bytes - done)
            part = size_bytes - done;
        if (is_write)
            memcpy(buffers[i].data + offset, bytes + done, part);
        else
            memcpy(bytes + done, buffers[i].data + offset, part);
        done += part;
        offset = 0;
    }
    return done;
}

size_t virtqueue_chain_read(const struct virtqueue_chain *chain, uint32_t offset, void *bytes,
                            size_t size_bytes)
{
    return copy_buffers(chain->buffers, chain->readable_count, offset, bytes, size_bytes, false);
}

size_t virtqueue_chain_write(const struct virtqueue_chain *chain, uint32_t offset,
                             const void *bytes, size_t size_bytes)
{
    // Only read from, as is_write says.
    return copy_buffers(chain->buffers + chain->readable_count, chain->writable_count, offset,
                        (uint8_t *)(uintptr_t)bytes, size_bytes, true);
}
