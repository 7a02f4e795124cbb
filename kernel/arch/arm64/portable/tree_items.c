// A device tree's /chosen as items; see tree_items.h.
#include "kernel/arch/arm64/portable/tree_items.h"

#include <string.h>

#include "boot/zbi_items.h"

static mx_status_t add_place(void *buffer, size_t capacity_bytes, uint32_t type, uint64_t base,
                             uint64_t size_bytes)
{
    struct zbi_place place = {base, size_bytes};

    return zbi_append(buffer, capacity_bytes, ZBI_TYPE_PLACE, type, &place, sizeof(place), false);
}

static mx_status_t add_ramdisk(const struct fdt *fdt, const struct fdt_cursor *chosen, void *buffer,
                               size_t capacity_bytes, const char **reason)
{
    uint64_t start, end;

    if (!fdt_get_number(fdt, chosen, "linux,initrd-start", &start) ||
        !fdt_get_number(fdt, chosen, "linux,initrd-end", &end) || start == end)
        return MX_OK;
    if (end < start) {
        *reason = "the device tree's ramdisk ends before it begins";
        return MX_ERR_IO_DATA_INTEGRITY;
    }
    return add_place(buffer, capacity_bytes, ZBI_TYPE_CONTAINER, start, end - start);
}

static mx_status_t add_cmdline(const struct fdt *fdt, const struct fdt_cursor *chosen, void *buffer,
                               size_t capacity_bytes)
{
    const char *cmdline = fdt_get_text(fdt, chosen, "bootargs");

    return cmdline ? zbi_append(buffer, capacity_bytes, ZBI_TYPE_CMDLINE, 0, cmdline,
                                strlen(cmdline) + 1, false)
                   : MX_OK;
}

mx_status_t tree_describe(const struct fdt *fdt, uint64_t address, void *buffer,
                          size_t capacity_bytes, const char **reason)
{
    struct fdt_cursor chosen;
    mx_status_t status = zbi_create(buffer, capacity_bytes);

    *reason = "the device tree's command line is too long";
    if (status == MX_OK)
        status = add_place(buffer, capacity_bytes, ZBI_TYPE_DEVICETREE, address, fdt->size_bytes);
    if (status != MX_OK || !fdt_find(fdt, "/chosen", &chosen))
        return status;
    status = add_ramdisk(fdt, &chosen, buffer, capacity_bytes, reason);
    return status == MX_OK ? add_cmdline(fdt, &chosen, buffer, capacity_bytes) : status;
}
