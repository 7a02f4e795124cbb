// What every loader of a guest kernel takes and gives: files, memory map, and the first vCPU's
// state.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <machina/status.h>

#include "vmm/memory/guest_memory.h"

// A file as the loader sees it: constant bytes in this process. Its contents are not trusted.
struct boot_blob {
    const void *data;
    uint64_t size_bytes; // 0: there is no such file
};

struct boot_range {
    uint64_t start;
    uint64_t size_bytes; // 0: no such range
};

// ACPI "Address Range Types" (table 15.4), as e820 and the PVH memory map use them.
#define BOOT_E820_RAM      1
#define BOOT_E820_RESERVED 2
#define BOOT_E820_ACPI     3
#define BOOT_E820_NVS      4

struct boot_e820_entry {
    uint64_t start;
    uint64_t size_bytes;
    uint32_t type;
};

#define BOOT_E820_ENTRY_MAX 128

// The machine as the guest will find it; made by the VMM. The ranges are RAM that a loader may
// fill; what the VMM has put there itself (ACPI tables) lies outside of them.
struct boot_memory_map {
    struct boot_range tables; // below 1 MiB or so: page tables, command line, boot parameters
    struct boot_range
        low_ram; // below 4 GiB, for the kernel and its ramdisk; disjoint from `tables`
    struct boot_range high_ram; // from 4 GiB; may be absent
    const struct boot_e820_entry *e820;
    size_t e820_count;
    uint64_t rsdp; // guest-physical; 0: none
};

struct boot_request {
    const struct guest_memory *memory;
    const struct boot_memory_map *map;
    struct boot_blob kernel;
    struct boot_blob ramdisk;
    const char *command_line; // NULL: empty
    // Gets one line for the user if loading fails ("kernel: ..."); may be NULL if its size is 0.
    char *reason;
    size_t reason_bytes;
};

enum boot_mode {
    BOOT_MODE_LONG,         // paging on with cr3, 64-bit code
    BOOT_MODE_PROTECTED_32, // paging off, flat 32-bit segments
};

// The first vCPU at entry. Interrupts are off; registers not named are zero. The GDT holds the
// selectors of x86_boot_tables.h.
struct boot_state {
    enum boot_mode mode;
    uint64_t rip;
    uint64_t rsi; // Linux 64-bit boot protocol: the zero page
    uint64_t rbx; // PVH: the start info
    uint64_t cr3; // LONG only
    uint64_t gdt;
    uint16_t gdt_limit;
    uint16_t code_selector;
    uint16_t data_selector;
    // Where things were put, for messages and tests. An absent one has no size.
    struct boot_range kernel;
    struct boot_range ramdisk;
    struct boot_range command_line; // with its NUL
};

// Writes the reason for a failure as printf would and returns `status`.
mx_status_t boot_fail(const struct boot_request *request, mx_status_t status, const char *format,
                      ...) __attribute__((format(printf, 3, 4))) MX_MUST_CHECK;

// --- allocation in the `tables` range and in RAM, shared by the loaders --------------------------

// Takes memory from the `tables` range, from its start upwards.
struct boot_arena {
    const struct boot_request *request;
    uint64_t next;
    uint64_t end;
};

// INVALID_ARGS with a reason if the map is malformed (a range that wraps, too many e820 entries).
mx_status_t boot_arena_init(struct boot_arena *arena,
                            const struct boot_request *request) MX_MUST_CHECK;

// `size_bytes` of zeroed guest memory; `align_bytes` is a power of two. NO_SPACE with a reason that
// says what it was for.
mx_status_t boot_arena_take(struct boot_arena *arena, uint64_t size_bytes, uint64_t align_bytes,
                            const char *purpose, uint64_t *guest_physical) MX_MUST_CHECK;

// Puts the command line with its NUL into the arena. INVALID_ARGS if longer than `length_max`.
mx_status_t boot_place_command_line(struct boot_arena *arena, uint64_t length_max,
                                    struct boot_range *placed) MX_MUST_CHECK;

// Puts the ramdisk at the highest page of low RAM that ends at or below `limit` and begins at or
// above `floor`, or in high RAM if it does not fit and `may_be_high`. *placed is empty if there is
// no ramdisk.
mx_status_t boot_place_ramdisk(const struct boot_request *request, uint64_t floor, uint64_t limit,
                               bool may_be_high, struct boot_range *placed) MX_MUST_CHECK;

// Whether start + size_bytes lies within the range, without wrapping.
bool boot_range_contains(const struct boot_range *range, uint64_t start, uint64_t size_bytes);
