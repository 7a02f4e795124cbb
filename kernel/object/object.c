// What all objects have in common; see object.h.

#include "kernel/object/object.h"

#include "kernel/core/log.h"
#include "kernel/memory/heap.h"
#include "kernel/object/process.h"

static uint64_t next_koid = 1;
static uint64_t living_count;

void object_init(struct object *object, const struct object_ops *ops)
{
    object->ops = ops;
    object->reference_count = 1;
    object->handle_count = 0;
    object->koid = __atomic_fetch_add(&next_koid, 1, __ATOMIC_RELAXED);
    object->signals = 0;
    list_init(&object->observers);
    __atomic_fetch_add(&living_count, 1, __ATOMIC_RELAXED);
}

bool object_try_reference(struct object *object)
{
    uint32_t count = __atomic_load_n(&object->reference_count, __ATOMIC_RELAXED);

    while (count != 0) {
        if (__atomic_compare_exchange_n(&object->reference_count, &count, count + 1, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

// Sees to the object now, or after what the thread is in the middle of seeing to.
static void let_go(struct object *object)
{
    struct thread *self = thread_current();

    object->let_go_next = self->let_go_list;
    self->let_go_list = object;
    if (self->is_letting_go)
        return;
    self->is_letting_go = true;
    while ((object = self->let_go_list) != NULL) {
        self->let_go_list = object->let_go_next;
        if (__atomic_exchange_n(&object->is_let_go, 0, __ATOMIC_ACQ_REL) != 0) {
            object->ops->on_zero_handles(object);
            object_release(object);
        } else {
            __atomic_fetch_sub(&living_count, 1, __ATOMIC_RELAXED);
            object->ops->destroy(object);
        }
    }
    self->is_letting_go = false;
}

void object_release(struct object *object)
{
    // Acquire and release: whoever destroys the object sees all that others did to it.
    uint32_t before = __atomic_fetch_sub(&object->reference_count, 1, __ATOMIC_ACQ_REL);

    ASSERT(before != 0);
    if (before == 1)
        let_go(object);
}

void object_handle_closed(struct object *object)
{
    bool was_last = __atomic_fetch_sub(&object->handle_count, 1, __ATOMIC_ACQ_REL) == 1;

    // A handle may come and go again while another thread is about to tell the object: once is enough, and its link is
    // in that thread's list.
    if (was_last && object->ops->on_zero_handles != NULL &&
        __atomic_exchange_n(&object->is_let_go, 1, __ATOMIC_ACQ_REL) == 0)
        let_go(object);
    else
        object_release(object);
}

void object_change_signals_locked(struct object *object, mx_signals_t clear, mx_signals_t set)
{
    mx_signals_t before = object->signals;
    struct observer *observer, *following;

    object->signals = (before & ~clear) | set;
    if ((object->signals & ~before) == 0)
        return;
    LIST_FOR_EACH_SAFE(observer, following, &object->observers, node) {
        if (observer->signals & object->signals) {
            list_remove(&observer->node);
            observer->notify(observer, object->signals);
        }
    }
}

void object_change_signals(struct object *object, mx_signals_t clear, mx_signals_t set)
{
    arch_interrupt_state_t state = spin_lock(&object->lock);
    object_change_signals_locked(object, clear, set);
    spin_unlock(&object->lock, state);
}

mx_signals_t object_add_observer(struct object *object, struct observer *observer)
{
    arch_interrupt_state_t state = spin_lock(&object->lock);
    mx_signals_t signals = object->signals;
    list_init(&observer->node);
    if ((signals & observer->signals) == 0)
        list_add_tail(&object->observers, &observer->node);
    spin_unlock(&object->lock, state);
    return signals;
}

void object_remove_observer(struct object *object, struct observer *observer)
{
    arch_interrupt_state_t state = spin_lock(&object->lock);
    list_remove(&observer->node);
    spin_unlock(&object->lock, state);
}

void *object_alloc(struct job *job, size_t size_bytes)
{
    if (job_charge(job, heap_block_bytes(size_bytes)) != MX_OK)
        return NULL;
    void *block = heap_alloc(size_bytes);
    if (block == NULL)
        job_uncharge(job, heap_block_bytes(size_bytes));
    return block;
}

void object_free(struct job *job, void *block, size_t size_bytes)
{
    if (block == NULL)
        return;
    heap_free(block, size_bytes);
    job_uncharge(job, heap_block_bytes(size_bytes));
}

uint64_t object_living_count(void)
{
    return __atomic_load_n(&living_count, __ATOMIC_RELAXED);
}
