// Cache maintenance by address (Arm ARM DDI 0487J.a, D7.5.9).
#pragma once

#include <stddef.h>

// What was written there will be seen by instruction fetches of every CPU, at whatever address.
void cache_sync_instructions(const void *at, size_t size_bytes);
// What was written there is in memory, for whoever looks past the caches.
void cache_clean(const void *at, size_t size_bytes);
// The same, and the caches forget it.
void cache_clean_and_invalidate(const void *at, size_t size_bytes);
// Instruction fetches of every CPU see what was written anywhere before.
void cache_forget_instructions(void);
