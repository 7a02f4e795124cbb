// The machine's items at start-up; see boot_items.h.

#include "kernel/core/boot_items.h"

#include <arch/mmu.h>

#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/memory/boot_memory.h"
#include "kernel/memory/phys.h"

uint64_t boot_items_size(const void *header)
{
    struct zbi_header head;

    memcpy(&head, header, sizeof(head));
    bool is_container = head.type == ZBI_TYPE_CONTAINER && head.extra == ZBI_CONTAINER_MAGIC &&
                        head.magic == ZBI_ITEM_MAGIC;
    uint64_t size_bytes = ZBI_HEADER_BYTES + (uint64_t)head.length;
    return is_container && size_bytes <= BOOT_DATA_MAX ? size_bytes : 0;
}

const char *boot_items_read(struct boot_items *items, const void *data, struct zbi_place place)
{
    static char message[160];
    struct format_error error;
    size_t size_bytes = boot_items_size(data);

    *items = (struct boot_items){.data = data, .size_bytes = size_bytes, .place = place};
    if (size_bytes == 0)
        return "what it was given is not a ZBI container";
    if (!is_aligned(place.base, PAGE_SIZE))
        return "the ZBI container that it was given does not begin on a page";
    if (zbi_read_machine(data, size_bytes, &items->machine, &error) == MX_OK)
        return NULL;
    print_format(message, sizeof(message), "ZBI container, offset 0x%lx: %s",
                 (unsigned long)error.offset, error.reason);
    return message;
}

// RAM first, then what the map says is none: overlaps go to the safe side.
bool boot_items_add_memory(const struct boot_items *items)
{
    size_t count = zbi_memory_count(&items->machine);

    for (size_t i = 0; i < count; i++) {
        struct zbi_memory_range range = zbi_memory_at(&items->machine, i);
        if (range.kind == ZBI_MEMORY_RAM)
            boot_memory_add_ram(range.base, range.size_bytes);
    }
    for (size_t i = 0; i < count; i++) {
        struct zbi_memory_range range = zbi_memory_at(&items->machine, i);
        if (range.kind == ZBI_MEMORY_RESERVED || range.kind == ZBI_MEMORY_RUNTIME_DEVICE)
            boot_memory_remove_ram(range.base, range.size_bytes);
        else if (range.kind == ZBI_MEMORY_RUNTIME)
            boot_memory_leave_to_firmware(range.base, range.size_bytes);
    }
    return count != 0;
}

static bool overlaps(struct zbi_place a, struct zbi_place b)
{
    return a.size_bytes != 0 && b.size_bytes != 0 && a.base < b.base + b.size_bytes &&
           b.base < a.base + a.size_bytes;
}

const char *boot_items_reserve(const struct boot_items *items, struct zbi_place kernel,
                               struct boot_info *info)
{
    struct zbi_place image = items->machine.container_place;

    if (image.size_bytes == 0)
        image = items->place;
    if (overlaps(kernel, image) || overlaps(kernel, items->place))
        return "the boot image overlaps the kernel";
    if (!boot_memory_is_ram(image.base, image.size_bytes) ||
        !boot_memory_is_ram(items->place.base, items->place.size_bytes))
        return "the boot image is not in RAM";
    boot_memory_reserve(items->place.base, items->place.size_bytes);
    boot_memory_reserve(image.base, image.size_bytes);
    info->image_base = PADDR(image.base);
    info->image_size_bytes = image.size_bytes;
    return NULL;
}

void boot_items_finish(const struct boot_items *items, struct boot_info *info)
{
    struct zbi_place other = items->machine.container_place;
    bool is_complete = true;

    if (other.size_bytes != 0)
        is_complete = zbi_gather_cmdline(arch_phys_to_virt(PADDR(other.base)), other.size_bytes,
                                         info->cmdline, sizeof(info->cmdline));
    is_complete &=
        zbi_gather_cmdline(items->data, items->size_bytes, info->cmdline, sizeof(info->cmdline));
    info->is_cmdline_cut = !is_complete;
    info->framebuffer = items->machine.framebuffer;
    info->items = &items->machine;
}
