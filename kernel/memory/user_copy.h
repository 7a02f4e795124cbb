// Copies between kernel memory and the current process's user memory.
#pragma once

#include <arch/user_copy.h>

#include "kernel/lib/types.h"

// INVALID_ARGS if any byte is not user memory that allows the access. Interrupts enabled; may sleep on faults.
MUST_CHECK static inline mx_status_t user_read(void *to, uaddr_t from, size_t size_bytes)
{
    return arch_copy_from_user(to, from, size_bytes) ? MX_OK : MX_ERR_INVALID_ARGS;
}

MUST_CHECK static inline mx_status_t user_write(uaddr_t to, const void *from, size_t size_bytes)
{
    return arch_copy_to_user(to, from, size_bytes) ? MX_OK : MX_ERR_INVALID_ARGS;
}
