// Linux/arm64 Images; the contract is in the header.
#include "vmm/loader/arm64/linux_image.h"

#include <string.h>

#include "vmm/loader/gzip.h"

#define IMAGE_MAGIC        "ARM\x64"
#define IMAGE_MAGIC_OFFSET 0x38
#define FLAG_BIG_ENDIAN    UINT64_C(1)
#define IMAGE_ALIGN        (UINT64_C(2) << 20)

// "Decompressed kernel image": little-endian.
struct image_header {
    uint32_t code0, code1;
    uint64_t text_offset;
    uint64_t image_size; // with what the kernel clears by itself
    uint64_t flags;
    uint64_t reserved[3];
    char magic[4];
    uint32_t pe_header_offset;
};
_Static_assert(sizeof(struct image_header) == 64, "Image header");
_Static_assert(offsetof(struct image_header, magic) == IMAGE_MAGIC_OFFSET, "Image header");

static bool has_image_magic(const void *bytes, uint64_t size_bytes)
{
    return size_bytes >= sizeof(struct image_header) &&
           memcmp((const uint8_t *)bytes + IMAGE_MAGIC_OFFSET, IMAGE_MAGIC, 4) == 0;
}

bool linux_image_matches(const struct boot_blob *kernel)
{
    return has_image_magic(kernel->data, kernel->size_bytes) ||
           gzip_matches(kernel->data, kernel->size_bytes);
}

// Copies the header, decompressing no more than that.
static mx_status_t read_header(const struct boot_request *request, struct image_header *header)
{
    const struct boot_blob *kernel = &request->kernel;
    size_t header_bytes = sizeof(*header);
    const char *problem;

    if (!gzip_matches(kernel->data, kernel->size_bytes)) {
        memcpy(header, kernel->data, sizeof(*header));
        return MX_OK;
    }
    if (gzip_peek(kernel->data, kernel->size_bytes, header, sizeof(*header), &header_bytes,
                  &problem) != MX_OK)
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY, "kernel: compressed file: %s", problem);
    if (!has_image_magic(header, header_bytes))
        return boot_fail(
            request, MX_ERR_NOT_SUPPORTED,
            "kernel: a gzip file that has no arm64 Image in it (no \"ARM\\x64\" at 0x38)");
    return MX_OK;
}

static mx_status_t check_header(const struct boot_request *request,
                                const struct image_header *header)
{
    if (header->flags & FLAG_BIG_ENDIAN)
        return boot_fail(request, MX_ERR_NOT_SUPPORTED,
                         "kernel: Image header: a big-endian kernel");
    if (header->image_size == 0)
        return boot_fail(request, MX_ERR_NOT_SUPPORTED,
                         "kernel: Image header: image_size is 0: from before Linux 3.17");
    if (header->text_offset >= IMAGE_ALIGN)
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: Image header: text_offset 0x%llx is not below 2 MiB",
                         (unsigned long long)header->text_offset);
    return MX_OK;
}

// The kernel's memory: what the header asks for, which may be less than an unusual file has.
static mx_status_t choose_place(const struct boot_request *request,
                                const struct image_header *header, struct boot_range *place)
{
    const struct boot_range *ram = &request->low_ram;
    const uint64_t base = (ram->start + IMAGE_ALIGN - 1) & ~(IMAGE_ALIGN - 1);

    *place = (struct boot_range){base + header->text_offset, header->image_size};
    if (!boot_range_contains(ram, place->start, place->size_bytes))
        return boot_fail(
            request, MX_ERR_NO_MEMORY,
            "kernel: needs %llu bytes of memory at 0x%llx, the guest has RAM from 0x%llx "
            "to 0x%llx there; give the guest more memory",
            (unsigned long long)place->size_bytes, (unsigned long long)place->start,
            (unsigned long long)ram->start, (unsigned long long)(ram->start + ram->size_bytes));
    if (!guest_memory_contains(request->memory, place->start, place->size_bytes))
        return boot_fail(request, MX_ERR_OUT_OF_RANGE,
                         "kernel: guest memory at 0x%llx does not exist",
                         (unsigned long long)place->start);
    return MX_OK;
}

static mx_status_t decompress(const struct boot_request *request, const struct boot_range *place)
{
    const struct boot_blob *kernel = &request->kernel;
    size_t kernel_bytes;
    const char *problem;
    void *memory = guest_memory_map(request->memory, place->start, place->size_bytes);

    if (!memory)
        return MX_ERR_OUT_OF_RANGE;
    const mx_status_t status = gzip_decompress(kernel->data, kernel->size_bytes, memory,
                                               place->size_bytes, &kernel_bytes, &problem);
    if (status == MX_ERR_BUFFER_TOO_SMALL)
        problem = "it holds more than the image_size of its Image header";
    return status == MX_OK ? status
                           : boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                                       "kernel: compressed file: %s", problem);
}

static mx_status_t copy(const struct boot_request *request, const struct boot_range *place)
{
    const struct boot_blob *kernel = &request->kernel;

    if (kernel->size_bytes > place->size_bytes)
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: Image header: image_size %llu is less than the file's %llu bytes",
                         (unsigned long long)place->size_bytes,
                         (unsigned long long)kernel->size_bytes);
    return guest_memory_write(request->memory, place->start, kernel->data, kernel->size_bytes);
}

mx_status_t linux_image_load(const struct boot_request *request, struct boot_range *placed)
{
    struct image_header header;
    struct boot_range place;

    *placed = (struct boot_range){0};
    if (!linux_image_matches(&request->kernel))
        return boot_refuse_kernel(
            request, "neither an arm64 Image (no \"ARM\\x64\" at 0x38) nor a gzip file with one");
    mx_status_t status = read_header(request, &header);
    if (status == MX_OK)
        status = check_header(request, &header);
    if (status == MX_OK)
        status = choose_place(request, &header, &place);
    if (status != MX_OK)
        return status;
    status = gzip_matches(request->kernel.data, request->kernel.size_bytes)
                 ? decompress(request, &place)
                 : copy(request, &place);
    if (status == MX_OK)
        *placed = place;
    return status;
}
