// Handle tables; see handle.h.
//
// A handle value is the entry's index plus one in the low half and its generation in the high half.

#include "kernel/object/handle.h"

#include "kernel/lib/string.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/process.h"
#include "kernel/object/syscalls.h"

#define CAPACITY_FIRST 32
#define CAPACITY_MAX   16384
#define NO_ENTRY       0xffff

static uint64_t living_count;

static mx_handle_t value_of(const struct handle_table *table, uint32_t index)
{
    return (mx_handle_t)table->entries[index].generation << 16 | (index + 1);
}

static struct handle_entry *find_entry(const struct handle_table *table, mx_handle_t handle)
{
    uint32_t index = (handle & 0xffff) - 1;

    if (index >= table->capacity)
        return NULL;
    struct handle_entry *entry = &table->entries[index];
    return entry->object != NULL && entry->generation == handle >> 16 ? entry : NULL;
}

void handle_table_init(struct handle_table *table, struct job *job)
{
    *table = (struct handle_table){.job = job, .first_free = NO_ENTRY};
}

static mx_status_t grow(struct handle_table *table)
{
    uint32_t capacity = table->capacity == 0 ? CAPACITY_FIRST : table->capacity * 2;

    if (capacity > CAPACITY_MAX)
        return MX_ERR_NO_RESOURCES;
    struct handle_entry *entries = object_alloc(table->job, capacity * sizeof(*entries));
    if (entries == NULL)
        return MX_ERR_NO_MEMORY;
    if (table->capacity != 0)
        memcpy(entries, table->entries, table->capacity * sizeof(*entries));
    for (uint32_t i = capacity; i-- > table->capacity;) {
        entries[i].next_free = (uint16_t)table->first_free;
        table->first_free = i;
    }
    object_free(table->job, table->entries, table->capacity * sizeof(*entries));
    table->entries = entries;
    table->capacity = capacity;
    return MX_OK;
}

static mx_status_t insert_locked(struct handle_table *table, struct transfer transfer, mx_handle_t *out)
{
    if (table->is_closed)
        return MX_ERR_BAD_STATE;
    if (table->first_free == NO_ENTRY) {
        mx_status_t status = grow(table);
        if (status != MX_OK)
            return status;
    }
    uint32_t index = table->first_free;
    struct handle_entry *entry = &table->entries[index];
    table->first_free = entry->next_free;
    table->used_count++;
    entry->object = transfer.object;
    entry->rights = transfer.rights;
    *out = value_of(table, index);
    return MX_OK;
}

static struct transfer remove_locked(struct handle_table *table, struct handle_entry *entry)
{
    struct transfer transfer = {entry->object, entry->rights};

    entry->object = NULL;
    entry->generation++;
    entry->next_free = (uint16_t)table->first_free;
    table->first_free = (uint32_t)(entry - table->entries);
    table->used_count--;
    return transfer;
}

struct transfer transfer_create(struct object *object, mx_rights_t rights)
{
    object_reference(object);
    __atomic_fetch_add(&object->handle_count, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&living_count, 1, __ATOMIC_RELAXED);
    return (struct transfer){object, rights};
}

void transfer_drop(struct transfer transfer)
{
    __atomic_fetch_sub(&living_count, 1, __ATOMIC_RELAXED);
    object_handle_closed(transfer.object);
}

void handle_table_close(struct handle_table *table)
{
    arch_interrupt_state_t state = spin_lock(&table->lock);
    table->is_closed = true;
    for (uint32_t i = 0; i < table->capacity; i++) {
        if (table->entries[i].object == NULL)
            continue;
        struct transfer transfer = remove_locked(table, &table->entries[i]);
        spin_unlock(&table->lock, state);
        transfer_drop(transfer);
        state = spin_lock(&table->lock);
    }
    struct handle_entry *entries = table->entries;
    uint32_t capacity = table->capacity;
    table->entries = NULL;
    table->capacity = 0;
    spin_unlock(&table->lock, state);
    object_free(table->job, entries, capacity * sizeof(*entries));
}

mx_status_t handle_add_transfer(struct handle_table *table, struct transfer transfer, mx_handle_t *out)
{
    arch_interrupt_state_t state = spin_lock(&table->lock);
    mx_status_t status = insert_locked(table, transfer, out);
    spin_unlock(&table->lock, state);
    if (status != MX_OK)
        transfer_drop(transfer);
    return status;
}

mx_status_t handle_add(struct handle_table *table, struct object *object, mx_rights_t rights,
                       mx_handle_t *out)
{
    return handle_add_transfer(table, transfer_create(object, rights), out);
}

mx_status_t handle_take(struct handle_table *table, mx_handle_t handle, mx_rights_t rights,
                        struct transfer *out)
{
    arch_interrupt_state_t state = spin_lock(&table->lock);
    struct handle_entry *entry = find_entry(table, handle);
    mx_status_t status = MX_OK;
    if (entry == NULL)
        status = MX_ERR_BAD_HANDLE;
    else if ((entry->rights & rights) != rights)
        status = MX_ERR_ACCESS_DENIED;
    else
        *out = remove_locked(table, entry);
    spin_unlock(&table->lock, state);
    return status;
}

mx_status_t handle_close(struct handle_table *table, mx_handle_t handle)
{
    struct transfer transfer;
    mx_status_t status = handle_take(table, handle, 0, &transfer);

    if (status == MX_OK)
        transfer_drop(transfer);
    return status;
}

mx_status_t handle_get_with_rights(mx_handle_t handle, enum mx_object_type type, mx_rights_t rights,
                                   struct object **out, mx_rights_t *out_rights)
{
    struct handle_table *table = &process_current()->handles;
    mx_status_t status = MX_OK;

    arch_interrupt_state_t state = spin_lock(&table->lock);
    struct handle_entry *entry = find_entry(table, handle);
    if (entry == NULL) {
        status = MX_ERR_BAD_HANDLE;
    } else if (type != MX_OBJECT_NONE && entry->object->ops->type != type) {
        status = MX_ERR_WRONG_TYPE;
    } else if ((entry->rights & rights) != rights) {
        status = MX_ERR_ACCESS_DENIED;
    } else {
        object_reference(entry->object);
        *out = entry->object;
        *out_rights = entry->rights;
    }
    spin_unlock(&table->lock, state);
    return status;
}

mx_status_t handle_get(mx_handle_t handle, enum mx_object_type type, mx_rights_t rights,
                       struct object **out)
{
    mx_rights_t ignored;
    return handle_get_with_rights(handle, type, rights, out, &ignored);
}

mx_status_t handle_return(struct object *object, mx_rights_t rights, uaddr_t out)
{
    struct handle_table *table = &process_current()->handles;
    mx_handle_t handle;
    mx_status_t status = handle_add(table, object, rights, &handle);

    object_release(object);
    if (status != MX_OK)
        return status;
    status = user_write(out, &handle, sizeof(handle));
    if (status != MX_OK)
        (void)!handle_close(table, handle);
    return status;
}

mx_status_t handle_return_two(struct object *object0, mx_rights_t rights0, uaddr_t out0,
                              struct object *object1, mx_rights_t rights1, uaddr_t out1)
{
    struct handle_table *table = &process_current()->handles;
    mx_handle_t handle0, handle1;
    mx_status_t status = handle_add(table, object0, rights0, &handle0);

    if (status != MX_OK)
        goto out_release;
    status = handle_add(table, object1, rights1, &handle1);
    if (status != MX_OK)
        goto out_close0;
    status = user_write(out0, &handle0, sizeof(handle0));
    if (status == MX_OK)
        status = user_write(out1, &handle1, sizeof(handle1));
    if (status == MX_OK)
        goto out_release;
    (void)!handle_close(table, handle1);
out_close0:
    (void)!handle_close(table, handle0);
out_release:
    object_release(object0);
    object_release(object1);
    return status;
}

uint64_t handle_living_count(void)
{
    return __atomic_load_n(&living_count, __ATOMIC_RELAXED);
}

int64_t sys_handle_close(mx_handle_t handle)
{
    return handle_close(&process_current()->handles, handle);
}

static mx_status_t choose_rights(mx_rights_t wanted, mx_rights_t present, mx_rights_t *out)
{
    if (wanted == MX_RIGHT_SAME)
        wanted = present;
    if (wanted & ~present)
        return MX_ERR_INVALID_ARGS;
    *out = wanted;
    return MX_OK;
}

int64_t sys_handle_duplicate(mx_handle_t handle, mx_rights_t wanted, uaddr_t out)
{
    struct object *object;
    mx_rights_t present, rights;
    mx_status_t status =
        handle_get_with_rights(handle, MX_OBJECT_NONE, MX_RIGHT_DUPLICATE, &object, &present);

    if (status != MX_OK)
        return status;
    status = choose_rights(wanted, present, &rights);
    if (status != MX_OK) {
        object_release(object);
        return status;
    }
    return handle_return(object, rights, out);
}

// The entry gets its new value in place, so that no other thread's close comes in between.
static mx_status_t replace_locked(struct handle_table *table, mx_handle_t handle, mx_rights_t wanted,
                                  mx_handle_t *out)
{
    struct handle_entry *entry = find_entry(table, handle);

    if (entry == NULL)
        return MX_ERR_BAD_HANDLE;
    mx_status_t status = choose_rights(wanted, entry->rights, &entry->rights);
    if (status != MX_OK)
        return status;
    entry->generation++;
    *out = value_of(table, (uint32_t)(entry - table->entries));
    return MX_OK;
}

int64_t sys_handle_replace(mx_handle_t handle, mx_rights_t rights, uaddr_t out)
{
    struct handle_table *table = &process_current()->handles;
    mx_handle_t replaced = MX_HANDLE_INVALID;
    // There is no way back once it is done, so first whether the result has a place.
    mx_status_t status = user_write(out, &replaced, sizeof(replaced));

    if (status != MX_OK)
        return status;
    arch_interrupt_state_t state = spin_lock(&table->lock);
    status = replace_locked(table, handle, rights, &replaced);
    spin_unlock(&table->lock, state);
    return status == MX_OK ? user_write(out, &replaced, sizeof(replaced)) : status;
}
