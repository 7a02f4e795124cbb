// Resources: authority over parts of the hardware and the machine.
#pragma once

#include <machina/objects.h>

#include "kernel/object/handle.h"

MUST_CHECK mx_status_t resource_create(struct job *job, enum mx_resource_kind kind, uint64_t base, uint64_t size,
                                       struct object **out);
// Whether `handle` is a resource of `kind` for all of [base, base + size), with `rights`. BAD_HANDLE, WRONG_TYPE;
// ACCESS_DENIED: of another kind, it does not reach that far, or lacks a right. Kinds without ranges take 0, 0.
MUST_CHECK mx_status_t resource_check(mx_handle_t handle, mx_rights_t rights, enum mx_resource_kind kind,
                                      uint64_t base, uint64_t size);
extern const mx_rights_t resource_default_rights;
