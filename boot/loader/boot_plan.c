// Where the parts of a boot image go; see boot_plan.h.
#include "boot/loader/boot_plan.h"

#include <string.h>

static mx_status_t refuse(struct format_error *error, size_t offset, const char *reason,
                          mx_status_t status)
{
    error->offset = offset;
    error->reason = reason;
    return status;
}

static mx_status_t wrong_kernel(const struct zbi_item *item, struct format_error *error)
{
    const char *reason = "its first item is not a kernel";

    if (item->type == ZBI_TYPE_KERNEL_ARM64)
        reason = "its kernel is for arm64, not for this machine";
    else if (item->type == ZBI_TYPE_KERNEL_X64)
        reason = "its kernel is for x64, not for this machine";
    return refuse(error, ZBI_HEADER_BYTES, reason, MX_ERR_NOT_SUPPORTED);
}

mx_status_t boot_plan_make(const void *image, size_t size_bytes, uint32_t kernel_type,
                           struct boot_plan *plan, struct format_error *error)
{
    struct zbi_iterator iterator;
    struct zbi_kernel kernel;
    struct zbi_item item;

    mx_status_t status = zbi_check(image, size_bytes, error);
    if (status != MX_OK)
        return status;
    iterator = zbi_iterate(image, size_bytes);
    if (!zbi_next(&iterator, &item))
        return refuse(error, ZBI_HEADER_BYTES, "it is empty", MX_ERR_IO_DATA_INTEGRITY);
    if (item.type != kernel_type)
        return wrong_kernel(&item, error);
    if (item.size_bytes < sizeof kernel)
        return refuse(error, item.offset, "the kernel has less than 16 bytes",
                      MX_ERR_IO_DATA_INTEGRITY);
    memcpy(&kernel, item.payload, sizeof kernel);

    uint64_t base = kernel_type == ZBI_TYPE_KERNEL_X64 ? BOOT_PLAN_KERNEL_BASE : 0;
    size_t end = item.offset + item.size_bytes;
    if (kernel.entry < base + item.offset || kernel.entry >= base + end)
        return refuse(error, item.offset, "the kernel's entry is not within the kernel",
                      MX_ERR_IO_DATA_INTEGRITY);
    if (kernel.reserve_memory_bytes > BOOT_PLAN_RESERVE_MAX)
        return refuse(error, item.offset + 8, "the kernel wants more than 1 GiB behind it",
                      MX_ERR_IO_DATA_INTEGRITY);
    *plan = (struct boot_plan){
        .kernel_bytes = end,
        .reserve_bytes = kernel.reserve_memory_bytes,
        .entry_offset = kernel.entry - base,
        .data_offset = iterator.next - ZBI_HEADER_BYTES,
        .data_bytes = iterator.end - iterator.next,
    };
    return MX_OK;
}

bool boot_plan_place_touches(uint64_t end, uint64_t start, uint64_t size_bytes)
{
    return size_bytes != 0 && start < end &&
           (start >= BOOT_PLAN_KERNEL_BASE || size_bytes > BOOT_PLAN_KERNEL_BASE - start);
}

void *boot_plan_make_data(void *image, const struct boot_plan *plan)
{
    size_t at = (plan->data_offset + BOOT_PLAN_PAGE_BYTES - 1) / BOOT_PLAN_PAGE_BYTES *
                BOOT_PLAN_PAGE_BYTES;
    struct zbi_header header = {
        .type = ZBI_TYPE_CONTAINER,
        .length = (uint32_t)plan->data_bytes,
        .extra = ZBI_CONTAINER_MAGIC,
        .flags = ZBI_FLAG_VERSION,
        .magic = ZBI_ITEM_MAGIC,
        .crc32 = ZBI_NO_CRC32,
    };
    uint8_t *bytes = image;

    // Images of mkzbi have their pages right already.
    if (at != plan->data_offset)
        memmove(bytes + at + ZBI_HEADER_BYTES, bytes + plan->data_offset + ZBI_HEADER_BYTES,
                plan->data_bytes);
    memcpy(bytes + at, &header, sizeof header);
    return bytes + at;
}
