// Handle tables: what a process's handle values mean.
//
// Look-ups take a reference, so an object stays while a system call uses it even if the handle is closed meanwhile.
#pragma once

#include "kernel/object/object.h"

struct handle_entry {
    struct object *object; // NULL: free
    mx_rights_t rights;
    uint16_t generation; // part of the value, so that a stale value finds nothing
    uint16_t next_free;
};

struct handle_table {
    struct spinlock lock;
    struct handle_entry *entries;
    uint32_t capacity;
    uint32_t used_count;
    uint32_t first_free;
    bool is_closed; // the process is gone: nothing can be added
    struct job *job;
};

// An object and rights in flight: out of one table, not yet in another. Holds a reference and a handle count.
struct transfer {
    struct object *object;
    mx_rights_t rights;
};

void handle_table_init(struct handle_table *table, struct job *job);
// Closes all and refuses more.
void handle_table_close(struct handle_table *table);

// A new handle; takes its own reference.
MUST_CHECK mx_status_t handle_add(struct handle_table *table, struct object *object, mx_rights_t rights,
                                  mx_handle_t *out);
// The same, consuming the transfer whether it succeeds or not.
MUST_CHECK mx_status_t handle_add_transfer(struct handle_table *table, struct transfer transfer,
                                           mx_handle_t *out);
MUST_CHECK mx_status_t handle_close(struct handle_table *table, mx_handle_t handle);
// Takes the handle out of the table. ACCESS_DENIED (and the handle stays) if it lacks `rights`.
MUST_CHECK mx_status_t handle_take(struct handle_table *table, mx_handle_t handle, mx_rights_t rights,
                                   struct transfer *out);
// A new handle in flight; takes its own reference.
struct transfer transfer_create(struct object *object, mx_rights_t rights);
void transfer_drop(struct transfer transfer);

// The object of a handle of the current process, referenced: release it. `type` MX_OBJECT_NONE takes any.
// BAD_HANDLE, WRONG_TYPE, ACCESS_DENIED, in this order.
MUST_CHECK mx_status_t handle_get(mx_handle_t handle, enum mx_object_type type, mx_rights_t rights,
                                  struct object **out);
MUST_CHECK mx_status_t handle_get_with_rights(mx_handle_t handle, enum mx_object_type type,
                                              mx_rights_t rights, struct object **out,
                                              mx_rights_t *out_rights);
// A new handle in the current process, written to user memory at `out`; consumes the caller's reference to
// the object whether it succeeds or not. If the write fails, the handle is closed again.
MUST_CHECK mx_status_t handle_return(struct object *object, mx_rights_t rights, uaddr_t out);

// The same for two objects; if anything fails, neither handle is left.
MUST_CHECK mx_status_t handle_return_two(struct object *object0, mx_rights_t rights0, uaddr_t out0,
                                         struct object *object1, mx_rights_t rights1, uaddr_t out1);

uint64_t handle_living_count(void);
