// Memory objects: pages that can be mapped into address spaces, read and written.
//
// Anonymous objects allocate a page when it is first touched; large objects (16 MiB and more) take 2 MiB at a
// time while memory and limit allow, so that second-stage tables can use large pages. Pages are zero when first seen. The
// object's mutex (children use the one of their oldest ancestor) protects its pages and the list of its mappings;
// mappings that show a page are removed before the page is given back. A slice has no pages of its own: mappings of it
// are mappings of its parent.
#pragma once

#include <arch/memory_type.h>

#include "kernel/core/mutex.h"
#include "kernel/object/object.h"

struct job;
struct aspace;

enum vmo_kind {
    VMO_ANONYMOUS,
    VMO_PHYSICAL,   // device memory; not RAM
    VMO_CONTIGUOUS, // one block of RAM, also the boot image
};

// 512 pages: one large block, or single pages in a table.
struct vmo_chunk {
    paddr_t large;        // PADDR_NONE if not a large block
    paddr_t *pages;       // 512 entries, PADDR_NONE where there is none; NULL if none at all
};

struct vmo {
    struct object object;
    enum vmo_kind kind;
    enum memory_type memory; // physical: how it is mapped
    bool is_cow;             // copies of the parent's pages are made on the first write
    uint32_t cow_depth;      // copy-on-write objects from here to the oldest ancestor
    uint64_t size_bytes;     // whole pages
    paddr_t base;            // physical, contiguous
    unsigned order;          // contiguous: of the block to free; UINT_MAX: not ours to free
    struct vmo *parent;      // slice or copy-on-write child: the object that holds the pages, referenced
    uint64_t parent_offset;
    struct job *job;         // charged for pages; referenced
    struct mutex own_mutex;
    struct mutex *mutex; // the oldest ancestor's
    struct list_node cow_children, cow_node; // under *mutex
    struct vmo_chunk *chunks;
    size_t chunk_count;
    uint64_t committed_bytes;
    uint32_t pin_count; // under *mutex: not zero while devices reach the pages, which then stay
    struct list_node mappings; // struct mapping.vmo_node, of this object itself
};

// Every creator returns an object with one reference. `job` is charged for the pages.
MUST_CHECK mx_status_t vmo_create(struct job *job, uint64_t size_bytes, struct vmo **out);
// NOT_SUPPORTED: some of it is RAM, or memory that firmware still uses.
MUST_CHECK mx_status_t vmo_create_physical(paddr_t base, uint64_t size_bytes,
                                           enum memory_type memory, struct vmo **out);
MUST_CHECK mx_status_t vmo_create_contiguous(struct job *job, uint64_t size_bytes, struct vmo **out);
// RAM that start-up set aside, such as the boot image; never freed.
MUST_CHECK mx_status_t vmo_create_reserved(paddr_t base, uint64_t size_bytes, struct vmo **out);
MUST_CHECK mx_status_t vmo_create_child(struct vmo *parent, uint32_t options, uint64_t offset,
                                        uint64_t size_bytes, struct job *job, struct vmo **out);

// What backs one page of the object.
struct vmo_page {
    paddr_t base;          // of the whole naturally aligned block that contains the page
    unsigned order;        // of the block: 0, PHYS_ORDER_LARGE ...; the block lies within the object
    bool is_write_allowed; // false: shown read-only until a write makes a copy
    enum memory_type memory;
};

// Finds, and allocates if need be, the page at `offset` (page-aligned, within the size). `is_write`: it must be
// writable afterwards. NO_MEMORY. The caller holds vmo->mutex until it has used the answer.
MUST_CHECK mx_status_t vmo_get_page_locked(struct vmo *vmo, uint64_t offset, bool is_write, struct vmo_page *out);

// The physical address of the page at `offset` within a block that vmo_get_page_locked answered for it.
paddr_t vmo_page_address(const struct vmo *vmo, const struct vmo_page *page, uint64_t offset);
// Replaces a slice by the object that has the pages, and the offset by the one there.
void vmo_resolve(struct vmo **vmo, uint64_t *offset);

// To and from kernel memory; may sleep. OUT_OF_RANGE, NOT_SUPPORTED, NO_MEMORY.
MUST_CHECK mx_status_t vmo_read(struct vmo *vmo, void *buffer, uint64_t offset, size_t size_bytes);
MUST_CHECK mx_status_t vmo_write(struct vmo *vmo, const void *buffer, uint64_t offset, size_t size_bytes);
MUST_CHECK mx_status_t vmo_op_range(struct vmo *vmo, uint32_t op, uint64_t offset, uint64_t size_bytes);
uint64_t vmo_committed_bytes(struct vmo *vmo);
// Keeps the pages that there are, and those to come, until the last unpin. NOT_SUPPORTED: device
// memory.
MUST_CHECK mx_status_t vmo_pin(struct vmo *vmo);
void vmo_unpin(struct vmo *vmo);
// The physical address of a pinned object's page at `offset`, allocated if need be. OUT_OF_RANGE,
// NO_MEMORY.
MUST_CHECK mx_status_t vmo_pinned_address(struct vmo *vmo, uint64_t offset, uint64_t *out);
