// Scalar types that every part of the kernel shares.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/types.h>

// Addresses of different spaces are different types, so that mixing them does not compile. Kernel virtual
// addresses are pointers; user virtual addresses are plain numbers (uaddr_t), which cannot be dereferenced.
typedef struct {
    uint64_t raw;
} paddr_t; // host-physical

typedef struct {
    uint64_t raw;
} gpaddr_t; // guest-physical

typedef uint64_t uaddr_t; // user-virtual, or in an address space whose kind does not matter

#define PADDR(value)  ((paddr_t){value})
#define GPADDR(value) ((gpaddr_t){value})
#define PADDR_NONE    PADDR(UINT64_MAX)

static inline bool paddr_is_none(paddr_t address)
{
    return address.raw == UINT64_MAX;
}

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))
#define MUST_CHECK MX_MUST_CHECK
// For the rare half of a function whose usual half should have a small frame.
#define NOINLINE __attribute__((noinline))

static inline uint64_t align_down(uint64_t value, uint64_t alignment)
{
    return value & ~(alignment - 1);
}

// The caller has checked that value + alignment does not wrap.
static inline uint64_t align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

static inline bool is_aligned(uint64_t value, uint64_t alignment)
{
    return (value & (alignment - 1)) == 0;
}

// True if [offset, offset + size) lies in [0, limit); cannot overflow.
static inline bool range_is_within(uint64_t offset, uint64_t size, uint64_t limit)
{
    return offset <= limit && size <= limit - offset;
}
