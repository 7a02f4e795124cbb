// Address spaces: which memory object stands where. One per process, one per guest (its physical memory), and both are
// the same thing but for the page-table format.
//
// Mappings are kept in a list ordered by address and shown to the hardware when a page is first touched. The mutex
// protects the mappings; it is taken before any memory object's. Page tables have a spinlock of the architecture's.
#pragma once

#include <arch/mmu.h>

#include "kernel/core/mutex.h"
#include "kernel/memory/vmo.h"
#include "kernel/object/object.h"

enum aspace_kind {
    ASPACE_USER,
    ASPACE_GUEST,
};

struct mapping {
    struct list_node node;     // in aspace->mappings, by address
    struct list_node vmo_node; // in vmo->mappings
    struct aspace *aspace;
    struct vmo *vmo; // referenced
    uint64_t base, size_bytes;
    uint64_t vmo_offset;
    uint32_t options;         // MX_MAP_*: what is allowed now
    uint32_t allowed_options; // and at most
};

struct aspace {
    struct object object;
    enum aspace_kind kind;
    struct arch_aspace arch;
    struct job *job; // charged for page tables and mappings; referenced
    struct mutex mutex;
    struct list_node mappings;
    struct mapping *last_hit; // the mapping found last, or NULL
    uint64_t base, size_bytes;
    uint64_t mapped_bytes;
    bool is_closed;
};

extern const mx_rights_t aspace_default_rights;

MUST_CHECK mx_status_t aspace_create(enum aspace_kind kind, struct job *job, struct aspace **out);
// Removes all mappings; later maps and faults fail with BAD_STATE.
void aspace_destroy_mappings(struct aspace *aspace);

MUST_CHECK mx_status_t aspace_map(struct aspace *aspace, uint32_t options, uint32_t allowed_options,
                                  struct vmo *vmo, uint64_t vmo_offset, uint64_t size_bytes, uint64_t *addr);
MUST_CHECK mx_status_t aspace_unmap(struct aspace *aspace, uint64_t addr, uint64_t size_bytes);
MUST_CHECK mx_status_t aspace_protect(struct aspace *aspace, uint32_t options, uint64_t addr,
                                      uint64_t size_bytes);

// Allocated memory behind the mappings; what several address spaces map counts for each.
uint64_t aspace_resident_bytes(struct aspace *aspace);

// Resolves a fault at `addr`: `access` is one of MX_MAP_READ, MX_MAP_WRITE, MX_MAP_EXECUTE. NOT_FOUND: nothing is mapped
// there. ACCESS_DENIED: the mapping does not allow it. NO_MEMORY. Interrupts enabled; may sleep.
MUST_CHECK mx_status_t aspace_handle_fault(struct aspace *aspace, uint64_t addr, uint32_t access);

// Copies bytes of one page (OUT_OF_RANGE if they reach beyond it), allocating it if need be. For reading guest memory from
// the kernel. Errors as above; NOT_SUPPORTED: device memory.
MUST_CHECK mx_status_t aspace_read(struct aspace *aspace, uint64_t addr, void *buffer, size_t size_bytes);
// A pointer, through the linear map, to the bytes of `addr` up to the end of its page. They may be given back and become
// another's at any time: only who knows that they were not may touch them.
MUST_CHECK mx_status_t aspace_translate(struct aspace *aspace, uint64_t addr, uint32_t access, void **out);

// Removes the object's pages from the page tables of all that map it; they fault in again. vmo->mutex held.
void aspace_hide_vmo_range_locked(struct vmo *vmo, uint64_t offset, uint64_t size_bytes);
