// The ZBI container: how a boot image carries kernel, command line, file archive and machine facts.
//
// A container is a 32-byte header followed by items; an item is a header of the same shape and a
// payload, padded to 8 bytes. Everything is little-endian. The loader, the kernel, the VMM (for
// Zircon guests) and the host tool share this code, so it allocates nothing, prints nothing and
// keeps no state. The data may be unaligned and hostile: every access is bounded by the size the
// caller gives, checked or not.
//
// Format: Zircon boot image, container version 1 (header flag 0x00010000).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#include "boot/format_error.h"

enum {
    ZBI_ALIGNMENT_BYTES = 8,
    ZBI_HEADER_BYTES = 32,
};

// Header fields.
#define ZBI_CONTAINER_MAGIC UINT32_C(0x868cf7e6) // the container's `extra`
#define ZBI_ITEM_MAGIC      UINT32_C(0xb5781729)
#define ZBI_NO_CRC32        UINT32_C(0x4a87e8d6) // `crc32` when ZBI_FLAG_CRC32 is clear
#define ZBI_FLAG_VERSION    UINT32_C(0x00010000)
#define ZBI_FLAG_CRC32      UINT32_C(0x00020000)
#define ZBI_FLAG_COMPRESSED UINT32_C(0x00000001) // storage items; `extra` is the size unpacked

// Item types, four characters each, first character in the low byte. The payloads that describe a
// machine are in zbi_items.h.
#define ZBI_TYPE_CONTAINER        UINT32_C(0x544f4f42) // BOOT
#define ZBI_TYPE_DISCARD          UINT32_C(0x50494b53) // SKIP: padding, ignored
#define ZBI_TYPE_KERNEL_X64       UINT32_C(0x4c4e524b) // KRNL
#define ZBI_TYPE_KERNEL_ARM64     UINT32_C(0x384e524b) // KRN8
#define ZBI_TYPE_CMDLINE          UINT32_C(0x4c444d43) // CMDL: text ending in NUL; may repeat
#define ZBI_TYPE_BOOTFS           UINT32_C(0x42534642) // BFSB: file archive, see bootfs.h
#define ZBI_TYPE_RAMDISK          UINT32_C(0x4b534452) // RDSK
#define ZBI_TYPE_E820_TABLE       UINT32_C(0x30323845) // E820: packed {u64 base, u64 size, u32 type}
#define ZBI_TYPE_EFI_MEMORY_MAP   UINT32_C(0x4d494645) // EFIM
#define ZBI_TYPE_EFI_SYSTEM_TABLE UINT32_C(0x53494645) // EFIS
#define ZBI_TYPE_ACPI_RSDP        UINT32_C(0x50445352) // RSDP: u64 physical address
#define ZBI_TYPE_DEBUG_UART       UINT32_C(0x54524155) // UART: u64 base, u32 type, u32 irq
#define ZBI_TYPE_SMBIOS           UINT32_C(0x49424d53) // SMBI
#define ZBI_TYPE_FRAMEBUFFER      UINT32_C(0x42465753) // SWFB
#define ZBI_TYPE_CPU_CONFIG       UINT32_C(0x43555043) // CPUC
#define ZBI_TYPE_MEM_CONFIG       UINT32_C(0x434d454d) // MEMC
#define ZBI_TYPE_KERNEL_DRIVER    UINT32_C(0x5652444b) // KDRV
#define ZBI_TYPE_PLATFORM_ID      UINT32_C(0x44494c50) // PLID
#define ZBI_TYPE_DEVICETREE       UINT32_C(0xd00dfeed) // a flattened device tree
#define ZBI_TYPE_PLACE            UINT32_C(0x43414c50) // PLAC: where an item's data lies elsewhere

// A header as it lies in the image, container and item alike.
struct zbi_header {
    uint32_t type;
    uint32_t length; // of the payload in bytes, without padding; a container's is a multiple of 8
    uint32_t extra;
    uint32_t flags;
    uint32_t reserved0;
    uint32_t reserved1;
    uint32_t magic;
    uint32_t crc32; // over the header with this field zero, then the payload
};
_Static_assert(sizeof(struct zbi_header) == ZBI_HEADER_BYTES, "the ZBI header is 32 bytes");

// What a kernel item's payload starts with.
struct zbi_kernel {
    uint64_t entry;                // x64: physical address; arm64: offset from the container header
    uint64_t reserve_memory_bytes; // to be left free behind the payload
};
_Static_assert(sizeof(struct zbi_kernel) == 16, "the kernel item's head is 16 bytes");

// One item, with its place in the image it was found in.
struct zbi_item {
    uint32_t type;
    uint32_t extra;
    uint32_t flags;
    uint32_t size_bytes;    // of the payload
    size_t offset;          // of the payload from the container header
    const uint8_t *payload; // not aligned to more than the image is
};

struct zbi_iterator {
    const uint8_t *image;
    size_t next;
    size_t end;
};

// Checks a whole container in `size_bytes` of data: headers, lengths, magics and every CRC that is
// present. Bytes behind the container are allowed (a boot loader may round up). Nested containers
// are refused. IO_DATA_INTEGRITY with *error filled when something is wrong.
MX_MUST_CHECK mx_status_t zbi_check(const void *data, size_t size_bytes,
                                    struct format_error *error);

// The same without the CRCs, for data that moved since its CRC was checked or that never had one:
// costs nothing per byte.
MX_MUST_CHECK mx_status_t zbi_check_layout(const void *data, size_t size_bytes,
                                           struct format_error *error);

// Size of the container in bytes including its header, as its header says; 0 when the data does not
// begin with a container that fits in size_bytes.
size_t zbi_size(const void *data, size_t size_bytes);

// Starts at the first item. Safe on unchecked data: iteration ends at the first malformed item.
struct zbi_iterator zbi_iterate(const void *data, size_t size_bytes);

// Takes the next item; false at the end.
bool zbi_next(struct zbi_iterator *iterator, struct zbi_item *item);

// Takes the next item of that type; false when there is none left.
bool zbi_next_of_type(struct zbi_iterator *iterator, uint32_t type, struct zbi_item *item);

// The first item of that type in the container.
bool zbi_find(const void *data, size_t size_bytes, uint32_t type, struct zbi_item *item);

// Writes an empty container into the buffer. BUFFER_TOO_SMALL when capacity is below one header.
MX_MUST_CHECK mx_status_t zbi_create(void *buffer, size_t capacity_bytes);

// Appends an item of `size_bytes` zero bytes and returns its payload, for the caller to fill in
// place. IO_DATA_INTEGRITY when the buffer does not begin with a container, BUFFER_TOO_SMALL when
// the item does not fit behind it (the container is then unchanged). The item carries no CRC.
MX_MUST_CHECK mx_status_t zbi_append_space(void *buffer, size_t capacity_bytes, uint32_t type,
                                           uint32_t extra, size_t size_bytes, void **payload);

// Appends a copy of the payload, with its CRC when with_crc. Errors as zbi_append_space.
MX_MUST_CHECK mx_status_t zbi_append(void *buffer, size_t capacity_bytes, uint32_t type,
                                     uint32_t extra, const void *payload, size_t size_bytes,
                                     bool with_crc);

// Appends `size_bytes` of whole items as they lie in another container that zbi_check found right,
// their padding included. INVALID_ARGS when that is no multiple of 8; otherwise as
// zbi_append_space.
MX_MUST_CHECK mx_status_t zbi_append_items(void *buffer, size_t capacity_bytes, const void *items,
                                           size_t size_bytes);

// Appends a DISCARD item so that the payload of the item appended next lies at a multiple of
// `alignment_bytes` (a power of two of at least 64) from the container header. Errors as
// zbi_append_space.
MX_MUST_CHECK mx_status_t zbi_append_padding(void *buffer, size_t capacity_bytes,
                                             size_t alignment_bytes);

// CRC-32 of IEEE 802.3, as in zlib; start with crc = 0 and chain.
uint32_t zbi_crc32(uint32_t crc, const void *data, size_t size_bytes);

// The type's name ("CMDLINE") or NULL for one that is not listed above.
const char *zbi_type_name(uint32_t type);
