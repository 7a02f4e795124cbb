// The page tables and the GDT of the first vCPU; the contract is in the header.
#include "vmm/loader/x86_64/x86_boot_tables.h"

#define PAGE_BYTES       UINT64_C(4096)
#define LARGE_PAGE_BYTES (UINT64_C(2) << 20)
#define TABLE_ENTRIES    512

#define PTE_PRESENT UINT64_C(0x01)
#define PTE_WRITE   UINT64_C(0x02)
#define PTE_LARGE   UINT64_C(0x80)

#define DIRECTORY_COUNT ((unsigned)(X86_BOOT_IDENTITY_BYTES / (LARGE_PAGE_BYTES * TABLE_ENTRIES)))

// Segment descriptors with base 0 and limit 4 GiB (AMD64 Architecture Programmer's Manual volume 2,
// "Legacy Segment Descriptors", "Long-Mode Segment Descriptors"); the TSS is 64-bit, busy and
// empty.
static const uint64_t GDT[] = {
    0,
    [X86_BOOT_CODE_32_SELECTOR / 8] = UINT64_C(0x00cf9b000000ffff),
    [X86_BOOT_CODE_64_SELECTOR / 8] = UINT64_C(0x00af9b000000ffff),
    [X86_BOOT_DATA_SELECTOR / 8] = UINT64_C(0x00cf93000000ffff),
    [X86_BOOT_TSS_SELECTOR / 8] = UINT64_C(0x00008b0000000067),
    0, // the upper half of the TSS descriptor
};

static mx_status_t write_entry(const struct x86_boot_arena *arena, uint64_t table, unsigned index,
                               uint64_t entry)
{
    return guest_memory_write(arena->request->memory, table + index * sizeof(entry), &entry,
                              sizeof(entry));
}

static mx_status_t fill_directory(const struct x86_boot_arena *arena, uint64_t directory,
                                  uint64_t start)
{
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        uint64_t entry = (start + i * LARGE_PAGE_BYTES) | PTE_LARGE | PTE_WRITE | PTE_PRESENT;
        mx_status_t status = write_entry(arena, directory, i, entry);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

mx_status_t x86_boot_build_page_tables(struct x86_boot_arena *arena, uint64_t *cr3)
{
    uint64_t root;
    mx_status_t status = x86_boot_arena_take(arena, (2 + DIRECTORY_COUNT) * PAGE_BYTES, PAGE_BYTES,
                                             "page tables", &root);
    if (status != MX_OK)
        return status;
    uint64_t pointers = root + PAGE_BYTES;
    status = write_entry(arena, root, 0, pointers | PTE_WRITE | PTE_PRESENT);
    for (unsigned i = 0; i < DIRECTORY_COUNT && status == MX_OK; i++) {
        uint64_t directory = pointers + (1 + i) * PAGE_BYTES;
        status = write_entry(arena, pointers, i, directory | PTE_WRITE | PTE_PRESENT);
        if (status == MX_OK)
            status = fill_directory(arena, directory, i * TABLE_ENTRIES * LARGE_PAGE_BYTES);
    }
    *cr3 = root;
    return status;
}

mx_status_t x86_boot_build_gdt(struct x86_boot_arena *arena, struct x86_boot_state *state)
{
    mx_status_t status =
        x86_boot_arena_take(arena, sizeof(GDT), 16, "descriptor table", &state->gdt);
    if (status != MX_OK)
        return status;
    state->gdt_limit = sizeof(GDT) - 1;
    return guest_memory_write(arena->request->memory, state->gdt, GDT, sizeof(GDT));
}
