// Cache maintenance by address (Arm ARM DDI 0487J.a, D7.5.9).
#pragma once

#include <stddef.h>

// What was written there will be seen by instruction fetches of every CPU, at whatever address.
void cache_sync_instructions(const void *at, size_t size_bytes);
// What was written there is in memory, for whoever looks past the caches.
void cache_clean(const void *at, size_t size_bytes);
