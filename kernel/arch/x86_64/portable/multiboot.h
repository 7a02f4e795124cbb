// What a Multiboot loader passes to the kernel (Multiboot Specification 0.6.96, section 3.3),
// turned into the items that a kernel started by the ZBI protocol gets. Portable, and tested on the
// host.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#define MULTIBOOT_LOADER_MAGIC 0x2badb002

#define MULTIBOOT_HAS_CMDLINE     (1u << 2)
#define MULTIBOOT_HAS_MODULES     (1u << 3)
#define MULTIBOOT_HAS_MMAP        (1u << 6)
#define MULTIBOOT_HAS_FRAMEBUFFER (1u << 12)

#define MULTIBOOT_FRAMEBUFFER_RGB 1

struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper;
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t module_count, modules;
    uint32_t syms[4];
    uint32_t mmap_size_bytes, mmap;
    uint32_t drives[2], config_table, boot_loader_name, apm_table;
    uint32_t vbe[4];
    uint64_t framebuffer;
    uint32_t framebuffer_pitch, framebuffer_width, framebuffer_height;
    uint8_t framebuffer_bits, framebuffer_type;
    // Not in the specification's table, but in its header file, whose union is aligned, and so in
    // GRUB.
    uint8_t padding[2];
    uint8_t red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits;
} __attribute__((packed));
_Static_assert(offsetof(struct multiboot_info, red_shift) == 112, "Multiboot");
_Static_assert(sizeof(struct multiboot_info) == 118, "Multiboot");

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

// A pointer to `size_bytes` at a physical address, or NULL if they cannot be reached.
typedef const void *(*multiboot_map_function)(uint64_t address, uint64_t size_bytes);

// Makes a container in the buffer with E820_TABLE, CMDLINE, PLACE (of the first module) and
// FRAMEBUFFER, each if there is one. IO_DATA_INTEGRITY, BUFFER_TOO_SMALL with *reason.
MX_MUST_CHECK mx_status_t multiboot_describe(multiboot_map_function map, uint32_t info_address,
                                             void *buffer, size_t capacity_bytes,
                                             const char **reason);
