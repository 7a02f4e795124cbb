// What a Multiboot loader passes to the kernel (Multiboot Specification 0.6.96, section 3.3).
#pragma once

#include <stdint.h>

#define MULTIBOOT_LOADER_MAGIC 0x2badb002

#define MULTIBOOT_HAS_CMDLINE (1u << 2)
#define MULTIBOOT_HAS_MODULES (1u << 3)
#define MULTIBOOT_HAS_MMAP    (1u << 6)

#define MULTIBOOT_MEMORY_RAM 1

struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper;
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t module_count, modules;
    uint32_t syms[4];
    uint32_t mmap_size_bytes, mmap;
};

struct multiboot_module {
    uint32_t start, end;
    uint32_t string;
    uint32_t reserved;
};

// `size` does not count itself.
struct multiboot_mmap_entry {
    uint32_t size;
    uint64_t base, size_bytes;
    uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct multiboot_mmap_entry) == 24, "Multiboot");
