// Zircon boot images (ZBIs) as guest kernels: what is the same on every architecture.
//
// A complete boot image is a container whose first item is the kernel. In the guest it becomes two:
// the container's header with the kernel's item at the architecture's place, followed by the memory
// that the kernel asks for, and behind that, on a page, the data ZBI: a container of all other
// items and of those that describe the machine. The kernel is entered with the data ZBI's address.
//
// Padding in front of the image's items keeps each at its offset within a page, since kernels map
// the files of a BOOTFS item where they lie.
//
// Zircon, system/public/zircon/boot/image.h; boot/zbi.h judges containers and items.
#pragma once

#include <stdbool.h>

#include "boot/zbi.h"
#include "vmm/loader/boot.h"

// The kernel's item with the header of the container before it, as it lies at its place.
#define ZIRCON_KERNEL_HEADERS_BYTES (2 * (uint64_t)ZBI_HEADER_BYTES)

struct zircon_image {
    const uint8_t *file;
    uint64_t container_bytes; // with its header; what follows in the file is ignored
    uint32_t kernel_bytes;    // of the kernel item's payload
    struct zbi_kernel kernel; // the payload's head
};

// The data ZBI while it is made in guest memory.
struct zircon_data {
    const struct boot_request *request;
    uint64_t start;
    uint8_t *memory;
    uint64_t capacity_bytes;
};

// Whether the file begins like a ZBI.
bool zircon_image_matches(const struct boot_blob *kernel);

// Checks the whole container of the request's kernel file and finds its kernel, which must be a
// `kernel_type`, known to users as one for `architecture`. Also refuses a ramdisk, which such a
// kernel cannot be given. IO_DATA_INTEGRITY (with offset), NOT_SUPPORTED, INVALID_ARGS; always with
// a reason.
MX_MUST_CHECK mx_status_t zircon_image_open(const struct boot_request *request,
                                            uint32_t kernel_type, const char *architecture,
                                            struct zircon_image *image);

// Copies headers and kernel to `start`. *placed is all that is the kernel's, with the memory that
// it asks for. NO_MEMORY, OUT_OF_RANGE with a reason.
MX_MUST_CHECK mx_status_t zircon_image_place_kernel(const struct boot_request *request,
                                                    const struct zircon_image *image,
                                                    uint64_t start, struct boot_range *placed);

// Checks an entry, as an offset from the container's header. IO_DATA_INTEGRITY with a reason unless
// it lies in the kernel's code.
MX_MUST_CHECK mx_status_t zircon_image_check_entry(const struct boot_request *request,
                                                   const struct zircon_image *image,
                                                   uint64_t offset);

// Begins the data ZBI on the first page of low RAM at or above `floor`, with the image's items and
// the request's command line. It ends below 4 GiB. NO_MEMORY, OUT_OF_RANGE with a reason.
MX_MUST_CHECK mx_status_t zircon_data_begin(const struct boot_request *request,
                                            const struct zircon_image *image, uint64_t floor,
                                            struct zircon_data *data);

// Appends an item. NO_MEMORY with a reason.
MX_MUST_CHECK mx_status_t zircon_data_append(struct zircon_data *data, uint32_t type,
                                             uint32_t extra, const void *payload,
                                             size_t size_bytes);
// The same for an item of zeros, whose payload the caller fills.
MX_MUST_CHECK mx_status_t zircon_data_append_space(struct zircon_data *data, uint32_t type,
                                                   uint32_t extra, size_t size_bytes,
                                                   void **payload);

// Where the data ZBI is.
struct boot_range zircon_data_range(const struct zircon_data *data);
