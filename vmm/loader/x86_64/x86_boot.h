// What the x86-64 loaders of guest kernels take beside the request, and give: the first vCPU's
// state.
#pragma once

#include "vmm/loader/boot.h"

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

// The serial port that is the guest's terminal.
struct x86_boot_uart {
    uint16_t port; // 0: none
    uint8_t irq;
};

// The PC as the guest will find it. What the VMM has put into RAM itself (ACPI tables) lies outside
// of `tables` and of the request's RAM.
struct x86_boot_map {
    struct boot_range tables; // below 1 MiB or so: page tables, command line, boot parameters
    const struct boot_e820_entry *e820;
    size_t e820_count;
    uint64_t rsdp; // guest-physical; 0: none
    struct x86_boot_uart uart;
};

enum x86_boot_mode {
    X86_BOOT_MODE_LONG,         // paging on with cr3, 64-bit code
    X86_BOOT_MODE_PROTECTED_32, // paging off, flat 32-bit segments
};

// The first vCPU at entry. Interrupts are off; registers not named are zero. The GDT holds the
// selectors of x86_boot_tables.h.
struct x86_boot_state {
    enum x86_boot_mode mode;
    uint64_t rip;
    uint64_t rsi; // Linux 64-bit boot protocol: the zero page; Zircon: the data ZBI
    uint64_t rbx; // PVH: the start info
    uint64_t cr3; // LONG only
    uint64_t gdt;
    uint16_t gdt_limit;
    uint16_t code_selector;
    uint16_t data_selector;
    // Where things were put, for messages and tests. An absent one has no size.
    struct boot_range kernel;
    struct boot_range ramdisk;
    struct boot_range command_line; // with its NUL; Zircon: it is in the data ZBI
    struct boot_range data;         // Zircon: the data ZBI
};

// --- allocation in the `tables` range, from its start upwards
// -------------------------------------

struct x86_boot_arena {
    const struct boot_request *request;
    const struct x86_boot_map *map;
    uint64_t next;
    uint64_t end;
};

// INVALID_ARGS with a reason if the map is malformed (a range that wraps, too many e820 entries).
mx_status_t x86_boot_arena_init(struct x86_boot_arena *arena, const struct boot_request *request,
                                const struct x86_boot_map *map) MX_MUST_CHECK;

// `size_bytes` of zeroed guest memory; `align_bytes` is a power of two. NO_SPACE with a reason that
// says what it was for.
mx_status_t x86_boot_arena_take(struct x86_boot_arena *arena, uint64_t size_bytes,
                                uint64_t align_bytes, const char *purpose,
                                uint64_t *guest_physical) MX_MUST_CHECK;

// Puts the command line with its NUL into the arena. INVALID_ARGS if longer than `length_max`.
mx_status_t x86_boot_place_command_line(struct x86_boot_arena *arena, uint64_t length_max,
                                        struct boot_range *placed) MX_MUST_CHECK;
