// Zircon boot images; the contract is in the header.
#include "vmm/loader/zircon_image.h"

#include <string.h>

#define FOUR_GIB   (UINT64_C(1) << 32)
#define PAGE_BYTES UINT64_C(4096)

// --- the file -----------------------------------------------------------------------------------

bool zircon_image_matches(const struct boot_blob *kernel)
{
    const uint32_t type = ZBI_TYPE_CONTAINER;

    return kernel->size_bytes >= sizeof(type) && memcmp(kernel->data, &type, sizeof(type)) == 0;
}

static const char *other_architecture(uint32_t kernel_type)
{
    switch (kernel_type) {
    case ZBI_TYPE_KERNEL_X64:
        return "x64";
    case ZBI_TYPE_KERNEL_ARM64:
        return "arm64";
    default:
        return NULL;
    }
}

// The first item is no kernel for this machine: says what it is instead.
static mx_status_t refuse_first_item(const struct boot_request *request, uint32_t type,
                                     const char *architecture)
{
    const char *other = other_architecture(type), *name = zbi_type_name(type);

    if (other)
        return boot_fail(request, MX_ERR_NOT_SUPPORTED,
                         "kernel: a Zircon boot image for %s; this host runs guests for %s", other,
                         architecture);
    return boot_fail(request, MX_ERR_NOT_SUPPORTED,
                     "kernel: a Zircon boot image that begins with an item of type %s (0x%08x), "
                     "not with a kernel: is it data without one?",
                     name ? name : "unknown", type);
}

static mx_status_t take_kernel(const struct boot_request *request, uint32_t kernel_type,
                               const char *architecture, struct zircon_image *image)
{
    struct zbi_iterator items = zbi_iterate(image->file, image->container_bytes);
    struct zbi_item first;

    if (!zbi_next(&items, &first))
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: a Zircon boot image with nothing in it");
    if (first.type != kernel_type)
        return refuse_first_item(request, first.type, architecture);
    if (first.size_bytes < sizeof(image->kernel))
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: Zircon boot image: offset 0x%zx: the kernel is shorter than its "
                         "16-byte head",
                         first.offset);
    image->kernel_bytes = first.size_bytes;
    memcpy(&image->kernel, first.payload, sizeof(image->kernel));
    return MX_OK;
}

mx_status_t zircon_image_open(const struct boot_request *request, uint32_t kernel_type,
                              const char *architecture, struct zircon_image *image)
{
    const struct boot_blob *file = &request->kernel;
    struct format_error error;

    *image = (struct zircon_image){.file = file->data};
    if (request->ramdisk.size_bytes > 0)
        return boot_fail(request, MX_ERR_INVALID_ARGS,
                         "ramdisk: a Zircon boot image brings its files itself; leave the ramdisk "
                         "out");
    if (zbi_check(file->data, file->size_bytes, &error) != MX_OK)
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: Zircon boot image: offset 0x%zx: %s", error.offset, error.reason);
    image->container_bytes = zbi_size(file->data, file->size_bytes);
    return take_kernel(request, kernel_type, architecture, image);
}

// --- the kernel ---------------------------------------------------------------------------------

mx_status_t zircon_image_place_kernel(const struct boot_request *request,
                                      const struct zircon_image *image, uint64_t start,
                                      struct boot_range *placed)
{
    const struct boot_range *ram = &request->low_ram;
    const uint64_t copied_bytes = ZIRCON_KERNEL_HEADERS_BYTES + image->kernel_bytes;
    const uint64_t reserved_bytes = image->kernel.reserve_memory_bytes;

    *placed = (struct boot_range){0};
    if (reserved_bytes > FOUR_GIB ||
        !boot_range_contains(ram, start, copied_bytes + reserved_bytes))
        return boot_fail(
            request, MX_ERR_NO_MEMORY,
            "kernel: needs %llu bytes and %llu more behind them at 0x%llx, the guest has RAM from "
            "0x%llx to 0x%llx there; give the guest more memory",
            (unsigned long long)copied_bytes, (unsigned long long)reserved_bytes,
            (unsigned long long)start, (unsigned long long)ram->start,
            (unsigned long long)(ram->start + ram->size_bytes));
    if (!guest_memory_contains(request->memory, start, copied_bytes + reserved_bytes) ||
        guest_memory_write(request->memory, start, image->file, copied_bytes) != MX_OK)
        return boot_fail(request, MX_ERR_OUT_OF_RANGE,
                         "kernel: guest memory at 0x%llx does not exist",
                         (unsigned long long)start);
    *placed = (struct boot_range){start, copied_bytes + reserved_bytes};
    return MX_OK;
}

mx_status_t zircon_image_check_entry(const struct boot_request *request,
                                     const struct zircon_image *image, uint64_t offset)
{
    const struct boot_range code = {ZIRCON_KERNEL_HEADERS_BYTES + sizeof(image->kernel),
                                    image->kernel_bytes - sizeof(image->kernel)};

    if (!boot_range_contains(&code, offset, 1))
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: Zircon boot image: offset 0x%llx: the entry 0x%llx is not in the "
                         "kernel",
                         (unsigned long long)ZIRCON_KERNEL_HEADERS_BYTES,
                         (unsigned long long)image->kernel.entry);
    return MX_OK;
}

// --- the data ZBI -------------------------------------------------------------------------------

static mx_status_t fail_room(const struct zircon_data *data, uint64_t needed_bytes)
{
    return boot_fail(data->request, MX_ERR_NO_MEMORY,
                     "kernel: Zircon boot image: %llu bytes of items do not fit into guest memory "
                     "above the kernel, from 0x%llx to 0x%llx; give the guest more memory",
                     (unsigned long long)needed_bytes, (unsigned long long)data->start,
                     (unsigned long long)(data->start + data->capacity_bytes));
}

static mx_status_t find_room(const struct boot_request *request, uint64_t floor,
                             struct zircon_data *data)
{
    const uint64_t ram_end = request->low_ram.start + request->low_ram.size_bytes;
    const uint64_t end = ram_end < FOUR_GIB ? ram_end : FOUR_GIB;

    *data = (struct zircon_data){.request = request,
                                 .start = (floor + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1)};
    if (data->start >= end)
        return fail_room(data, PAGE_BYTES);
    data->capacity_bytes = end - data->start;
    data->memory = guest_memory_map(request->memory, data->start, data->capacity_bytes);
    if (!data->memory)
        return boot_fail(request, MX_ERR_OUT_OF_RANGE,
                         "memory map: guest memory from 0x%llx to 0x%llx does not exist",
                         (unsigned long long)data->start, (unsigned long long)end);
    if (zbi_create(data->memory, data->capacity_bytes) != MX_OK)
        return fail_room(data, PAGE_BYTES);
    return MX_OK;
}

// All items but the kernel, each at the offset within a page that it had in the file.
static mx_status_t copy_items(struct zircon_data *data, const struct zircon_image *image)
{
    const uint64_t first =
        ZIRCON_KERNEL_HEADERS_BYTES +
        ((image->kernel_bytes + ZBI_ALIGNMENT_BYTES - 1) & ~(uint64_t)(ZBI_ALIGNMENT_BYTES - 1));
    const uint64_t size_bytes = image->container_bytes - first;
    uint64_t gap_bytes = (first - ZBI_HEADER_BYTES) % PAGE_BYTES;
    mx_status_t status = MX_OK;
    void *gap;

    if (gap_bytes > 0 && gap_bytes < ZBI_HEADER_BYTES)
        gap_bytes += PAGE_BYTES;
    if (size_bytes > 0 && gap_bytes > 0)
        status = zbi_append_space(data->memory, data->capacity_bytes, ZBI_TYPE_DISCARD, 0,
                                  gap_bytes - ZBI_HEADER_BYTES, &gap);
    if (status == MX_OK)
        status =
            zbi_append_items(data->memory, data->capacity_bytes, image->file + first, size_bytes);
    return status == MX_OK ? status : fail_room(data, size_bytes);
}

mx_status_t zircon_data_begin(const struct boot_request *request, const struct zircon_image *image,
                              uint64_t floor, struct zircon_data *data)
{
    const char *text = request->command_line ? request->command_line : "";

    mx_status_t status = find_room(request, floor, data);
    if (status == MX_OK)
        status = copy_items(data, image);
    if (status == MX_OK && text[0] != '\0')
        status = zircon_data_append(data, ZBI_TYPE_CMDLINE, 0, text, strlen(text) + 1);
    return status;
}

mx_status_t zircon_data_append_space(struct zircon_data *data, uint32_t type, uint32_t extra,
                                     size_t size_bytes, void **payload)
{
    const mx_status_t status =
        zbi_append_space(data->memory, data->capacity_bytes, type, extra, size_bytes, payload);

    return status == MX_OK ? status : fail_room(data, size_bytes);
}

mx_status_t zircon_data_append(struct zircon_data *data, uint32_t type, uint32_t extra,
                               const void *payload, size_t size_bytes)
{
    void *space;
    const mx_status_t status = zircon_data_append_space(data, type, extra, size_bytes, &space);

    if (status == MX_OK)
        memcpy(space, payload, size_bytes);
    return status;
}

struct boot_range zircon_data_range(const struct zircon_data *data)
{
    return (struct boot_range){data->start, zbi_size(data->memory, data->capacity_bytes)};
}
