// Any bytes as the items that describe a machine: whatever is accepted can be used without
// surprises. The data is the payload of one item, whose type its first byte chooses, or a whole
// container.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/zbi_items.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_memory(const struct zbi_machine *machine)
{
    size_t count = zbi_memory_count(machine);

    for (size_t i = 0; i < count; i++) {
        struct zbi_memory_range range = zbi_memory_at(machine, i);
        if (range.size_bytes != 0 && range.base + (range.size_bytes - 1) < range.base)
            abort();
    }
}

static void read_machine(const uint8_t *data, size_t size)
{
    struct format_error error = {0};
    struct zbi_machine machine;
    char text[64] = "";

    if (zbi_read_machine(data, size, &machine, &error) != MX_OK) {
        if (!error.reason || error.offset > size)
            abort();
        return;
    }
    check_memory(&machine);
    if (machine.device_tree &&
        (machine.device_tree < data ||
         machine.device_tree_bytes > size - (size_t)(machine.device_tree - data)))
        abort();
    if (machine.framebuffer.width > machine.framebuffer.stride_pixels)
        abort();
    (void)zbi_gather_cmdline(data, size, text, sizeof text);
    if (!memchr(text, '\0', sizeof text))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t types[] = {
        ZBI_TYPE_ACPI_RSDP,     ZBI_TYPE_DEBUG_UART,    ZBI_TYPE_FRAMEBUFFER,
        ZBI_TYPE_DEVICETREE,    ZBI_TYPE_PLACE,         ZBI_TYPE_PLACE,
        ZBI_TYPE_E820_TABLE,    ZBI_TYPE_CMDLINE,       ZBI_TYPE_EFI_MEMORY_MAP,
        ZBI_TYPE_KERNEL_DRIVER, ZBI_TYPE_KERNEL_DRIVER,
    };
    static const uint32_t extras[] = {
        [4] = ZBI_TYPE_CONTAINER,
        [5] = ZBI_TYPE_DEVICETREE,
        [9] = ZBI_DRIVER_I8250_PORTS,
        [10] = ZBI_DRIVER_I8250_MMIO,
    };
    size_t capacity = size + 72;

    read_machine(data, size);
    if (size == 0)
        return 0;
    size_t which = data[0] % (sizeof types / sizeof types[0]);
    uint8_t *image = malloc(capacity);
    if (!image || zbi_create(image, capacity) != MX_OK ||
        zbi_append(image, capacity, types[which], extras[which], data + 1, size - 1, false) !=
            MX_OK)
        abort();
    read_machine(image, zbi_size(image, capacity));
    free(image);
    return 0;
}
