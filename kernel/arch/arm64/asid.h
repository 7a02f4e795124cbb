// Address space identifiers, which keep the translations of several processes apart in the TLBs.
#pragma once

#include "kernel/lib/types.h"

// Shared by all address spaces that came when the identifiers were used up: each forgets the
// others' translations when it is loaded.
#define ASID_SHARED 1

void asid_init(bool has_16_bits);
// Never fails: ASID_SHARED if there is no other.
uint32_t asid_alloc(void);
// No translation with it is in any TLB any more.
void asid_free(uint32_t asid);
