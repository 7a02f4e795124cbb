// Copies from and to user memory; see <arch/user_copy.h>. The copying itself is in entry.S, with
// its exception table.
#include <arch/user_copy.h>

#include "kernel/arch/arm64/regs/paging.h"
#include "kernel/lib/types.h"

bool arm64_copy_from_user(void *to, uint64_t from, size_t size_bytes);
bool arm64_copy_to_user(uint64_t to, const void *from, size_t size_bytes);
bool arm64_load_user_u32(uint32_t *value, uint64_t from);

static bool is_user_range(uint64_t addr, size_t size_bytes)
{
    return range_is_within(addr, size_bytes, USER_LIMIT);
}

bool arch_copy_from_user(void *to, uint64_t from, size_t size_bytes)
{
    return is_user_range(from, size_bytes) && arm64_copy_from_user(to, from, size_bytes);
}

bool arch_copy_to_user(uint64_t to, const void *from, size_t size_bytes)
{
    return is_user_range(to, size_bytes) && arm64_copy_to_user(to, from, size_bytes);
}

bool arch_load_user_u32(uint64_t from, uint32_t *value)
{
    return is_aligned(from, sizeof(*value)) && is_user_range(from, sizeof(*value)) &&
           arm64_load_user_u32(value, from);
}
