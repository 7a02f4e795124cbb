// The memory that a device may reach, as an object; see mx_dma_create.
#pragma once

#include "kernel/object/handle.h"

// Whether `handle` is such an object, with `rights`. BAD_HANDLE, WRONG_TYPE, ACCESS_DENIED.
MUST_CHECK mx_status_t dma_check(mx_handle_t handle, mx_rights_t rights);
