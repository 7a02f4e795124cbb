// Contract: copies between the kernel and the user memory of the running process.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// False if a byte of the user range is not user memory with the access; how much was copied is then unspecified. Faults
// are resolved on the way (aspace_handle_fault). Interrupts enabled, no spinlock held.
bool arch_copy_from_user(void *to, uint64_t from, size_t size_bytes);
bool arch_copy_to_user(uint64_t to, const void *from, size_t size_bytes);
// One aligned 32-bit word, read in one access, for futexes.
bool arch_load_user_u32(uint64_t from, uint32_t *value);
