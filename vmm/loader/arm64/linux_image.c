// Linux/arm64 Images; the contract is in the header.
#include "vmm/loader/arm64/linux_image.h"

#include <string.h>

#include "vmm/loader/gzip.h"

#define IMAGE_MAGIC        "ARM\x64"
#define IMAGE_MAGIC_OFFSET 0x38
#define PE_MAGIC           "MZ"
#define PE_SIGNATURE       "PE\0\0"
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

// Microsoft, "PE Format": what the kernel is for EFI at the same time.
struct pe_header {
    char signature[4];
    uint16_t machine;
    uint16_t section_count;
    uint32_t unused[3];
    uint16_t optional_header_bytes;
    uint16_t characteristics;
};
_Static_assert(sizeof(struct pe_header) == 24, "PE header");

struct pe_section {
    char name[8];
    uint32_t memory_bytes;
    uint32_t address;
    uint32_t file_bytes;
    uint32_t file_offset;
    uint32_t unused[4];
};
_Static_assert(sizeof(struct pe_section) == 40, "PE section");

// How long the file of a kernel that is a PE program too is by its header, as far as that can be
// read; 0: it is none. An Image by itself does not say.
static uint64_t find_file_bytes(const struct boot_blob *kernel, const struct image_header *header)
{
    const uint8_t *file = kernel->data;
    const struct boot_range whole = {0, kernel->size_bytes};
    uint64_t at = header->pe_header_offset, needed = at + sizeof(struct pe_header);
    struct pe_header pe;

    if (memcmp(&header->code0, PE_MAGIC, 2) != 0)
        return 0;
    if (!boot_range_contains(&whole, at, sizeof(pe)))
        return needed;
    memcpy(&pe, file + at, sizeof(pe));
    if (memcmp(pe.signature, PE_SIGNATURE, sizeof(pe.signature)) != 0)
        return 0;
    at += sizeof(pe) + pe.optional_header_bytes;
    needed = at + (uint64_t)pe.section_count * sizeof(struct pe_section);
    if (needed > kernel->size_bytes)
        return needed;
    for (unsigned i = 0; i < pe.section_count; i++) {
        struct pe_section section;
        memcpy(&section, file + at + i * sizeof(section), sizeof(section));
        const uint64_t end = (uint64_t)section.file_offset + section.file_bytes;
        needed = end > needed ? end : needed;
    }
    return needed;
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

static mx_status_t copy(const struct boot_request *request, const struct image_header *header,
                        const struct boot_range *place)
{
    const struct boot_blob *kernel = &request->kernel;
    const uint64_t file_bytes = find_file_bytes(kernel, header);

    if (file_bytes > kernel->size_bytes)
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: truncated: %llu bytes, its PE header describes %llu",
                         (unsigned long long)kernel->size_bytes, (unsigned long long)file_bytes);

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
            request, "neither an arm64 Image (no \"ARM\\x64\" at 0x38) nor a gzip file with one "
                     "nor a Zircon boot image");
    mx_status_t status = read_header(request, &header);
    if (status == MX_OK)
        status = check_header(request, &header);
    if (status == MX_OK)
        status = choose_place(request, &header, &place);
    if (status != MX_OK)
        return status;
    status = gzip_matches(request->kernel.data, request->kernel.size_bytes)
                 ? decompress(request, &place)
                 : copy(request, &header, &place);
    if (status == MX_OK)
        *placed = place;
    return status;
}
