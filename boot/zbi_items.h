// The items that tell a kernel about its machine: their payloads, and a reader that checks them all
// before anything of them is used.
//
// Whoever starts a kernel (boot loader, VMM, or the kernel's own first steps after a direct start)
// appends them to the data container. The reader is portable, keeps no state, and takes every
// payload for hostile: lengths, alignments and ranges are checked, text ends, numbers do not wrap.
//
// Formats: Zircon boot image, as of December 2018; UEFI Specification 2.10, section 7.2.3
// "EFI_BOOT_ SERVICES.GetMemoryMap()"; ACPI Specification 6.5, section 15.1 "INT 15H, E820H". PLACE
// is Machina's own.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#include "boot/format_error.h"
#include "boot/zbi.h"

// E820_TABLE: any number of these, packed.
struct zbi_e820_entry {
    uint64_t base, size_bytes;
    uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct zbi_e820_entry) == 20, "E820");

#define ZBI_E820_RAM          1
#define ZBI_E820_RESERVED     2
#define ZBI_E820_ACPI_RECLAIM 3
#define ZBI_E820_ACPI_NVS     4
#define ZBI_E820_UNUSABLE     5

// EFI_MEMORY_MAP: a u64, the size of a descriptor, then descriptors of that size that begin so.
struct zbi_efi_memory {
    uint32_t type;
    uint32_t reserved;
    uint64_t base, virtual_base;
    uint64_t page_count; // of 4 KiB
    uint64_t attributes;
};
_Static_assert(sizeof(struct zbi_efi_memory) == 40, "EFI_MEMORY_DESCRIPTOR");

#define ZBI_EFI_LOADER_CODE          1
#define ZBI_EFI_LOADER_DATA          2
#define ZBI_EFI_BOOT_SERVICES_CODE   3
#define ZBI_EFI_BOOT_SERVICES_DATA   4
#define ZBI_EFI_RUNTIME_CODE         5
#define ZBI_EFI_RUNTIME_DATA         6
#define ZBI_EFI_CONVENTIONAL         7
#define ZBI_EFI_MEMORY_MAPPED_IO     11
#define ZBI_EFI_MEMORY_MAPPED_PORTS  12
#define ZBI_EFI_ATTRIBUTE_WRITE_BACK UINT64_C(0x8)
#define ZBI_EFI_ATTRIBUTE_RUNTIME    (UINT64_C(1) << 63)

// DEBUG_UART: a 16550.
struct zbi_debug_uart {
    uint64_t base;
    uint32_t type; // ZBI_UART_*
    uint32_t irq;
};
_Static_assert(sizeof(struct zbi_debug_uart) == 16, "DEBUG_UART");

#define ZBI_UART_NONE 0
#define ZBI_UART_PORT 1 // x86 I/O ports
#define ZBI_UART_MMIO 2 // registers 4 bytes apart
// Of struct zbi_machine only: registers side by side.
#define ZBI_UART_MMIO8 3

// FRAMEBUFFER.
struct zbi_framebuffer {
    uint64_t base;
    uint32_t width, height, stride_pixels;
    uint32_t format; // ZBI_PIXELS_*
};
_Static_assert(sizeof(struct zbi_framebuffer) == 24, "FRAMEBUFFER");

// Pixels of 4 bytes, the most significant first.
#define ZBI_PIXELS_XRGB UINT32_C(0x00040005)
#define ZBI_PIXELS_XBGR UINT32_C(0x0004000a)

// The largest screen that is believed.
#define ZBI_FRAMEBUFFER_SIDE_MAX 16384

// CPU_CONFIG: `cluster_count` clusters follow.
struct zbi_cpu_config {
    uint32_t cluster_count;
    uint32_t reserved[3];
};

struct zbi_cpu_cluster {
    uint32_t cpu_count;
    uint32_t type, flags, reserved;
};
_Static_assert(sizeof(struct zbi_cpu_config) == 16 && sizeof(struct zbi_cpu_cluster) == 16,
               "CPU_CONFIG");

// MEM_CONFIG: any number of these.
struct zbi_memory_config {
    uint64_t base, size_bytes;
    uint32_t type; // ZBI_MEMORY_CONFIG_*
    uint32_t reserved;
};
_Static_assert(sizeof(struct zbi_memory_config) == 24, "MEM_CONFIG");

#define ZBI_MEMORY_CONFIG_RAM        1
#define ZBI_MEMORY_CONFIG_PERIPHERAL 2
#define ZBI_MEMORY_CONFIG_RESERVED   3

// PLATFORM_ID.
struct zbi_platform_id {
    uint32_t vendor, product;
    char board[32];
};
_Static_assert(sizeof(struct zbi_platform_id) == 40, "PLATFORM_ID");

#define ZBI_VENDOR_GOOGLE   3
#define ZBI_PRODUCT_MACHINA 2

// KERNEL_DRIVER: `extra` says which driver.
#define ZBI_DRIVER_I8250_PORTS UINT32_C(0x30353238) // 8250
#define ZBI_DRIVER_I8250_MMIO  UINT32_C(0x4d353238) // 825M: registers 4 bytes apart
#define ZBI_DRIVER_I8250_MMIO8 UINT32_C(0x42353238) // 825B: registers side by side
#define ZBI_DRIVER_PL011       UINT32_C(0x55304c50) // PL0U
#define ZBI_DRIVER_GICV2       UINT32_C(0x32434947) // GIC2
#define ZBI_DRIVER_GICV3       UINT32_C(0x33434947) // GIC3
#define ZBI_DRIVER_PSCI        UINT32_C(0x49435350) // PSCI
#define ZBI_DRIVER_TIMER       UINT32_C(0x4d495441) // ATIM

// KERNEL_DRIVER of an 8250 on I/O ports, which later kernels look for instead of a DEBUG_UART.
struct zbi_driver_ports {
    uint16_t base;
    uint16_t reserved;
    uint32_t irq;
};
_Static_assert(sizeof(struct zbi_driver_ports) == 8, "8250");

// KERNEL_DRIVER of an 8250 in memory.
struct zbi_driver_mmio {
    uint64_t base;
    uint32_t irq;
    uint32_t flags;
};
_Static_assert(sizeof(struct zbi_driver_mmio) == 16, "825M, 825B");

// PLACE: what would be an item's payload, or another container, but lies elsewhere in memory.
// `extra` is the type of the item: CONTAINER or DEVICETREE.
struct zbi_place {
    uint64_t base, size_bytes;
};
_Static_assert(sizeof(struct zbi_place) == 16, "PLACE");

// What a container's items say. Pointers lead into the container.
struct zbi_machine {
    uint64_t acpi_rsdp;                 // physical address; 0: none
    uint64_t efi_system_table;          // the same
    uint64_t smbios;                    // the same
    struct zbi_debug_uart uart;         // DEBUG_UART or KERNEL_DRIVER; ZBI_UART_NONE: none
    struct zbi_framebuffer framebuffer; // width 0: none
    const uint8_t *device_tree;         // NULL: none in the container
    size_t device_tree_bytes;
    struct zbi_place device_tree_place; // size 0: none elsewhere
    struct zbi_place container_place;   // of another container, with the files; size 0: none
    struct zbi_item memory_map;         // EFI_MEMORY_MAP, or E820_TABLE; type 0: none
};

// Checks the items' headers and lengths (not their CRCs: zbi_check does that for the whole) and
// then every payload that is listed in struct zbi_machine; of several items of a type the last
// counts, since whoever starts a kernel appends to what the image has. IO_DATA_INTEGRITY with
// *error filled.
MX_MUST_CHECK mx_status_t zbi_read_machine(const void *data, size_t size_bytes,
                                           struct zbi_machine *machine, struct format_error *error);

enum zbi_memory_kind {
    ZBI_MEMORY_RAM,      // free once the kernel runs
    ZBI_MEMORY_RESERVED, // to be left alone
    // Code and data of EFI's run-time services: theirs, and mapped to call them.
    ZBI_MEMORY_RUNTIME,
    ZBI_MEMORY_RUNTIME_DEVICE, // registers that they use
};

struct zbi_memory_range {
    uint64_t base, size_bytes; // does not wrap
    enum zbi_memory_kind kind;
};

// How many ranges the memory map has; 0 without one.
size_t zbi_memory_count(const struct zbi_machine *machine);
// Range `index` of the memory map, in the map's order; ranges may overlap.
struct zbi_memory_range zbi_memory_at(const struct zbi_machine *machine, size_t index);

// Appends the container's command lines, in order and separated by blanks, to the text in `out`,
// which ends in NUL before and after. False if some did not fit and were left out.
bool zbi_gather_cmdline(const void *data, size_t size_bytes, char *out, size_t capacity_bytes);
