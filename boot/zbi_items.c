// The machine's items: see zbi_items.h.

#include "boot/zbi_items.h"

#include <stddef.h>
#include <string.h>

#define EFI_PAGE_SHIFT 12

static mx_status_t refuse(struct format_error *error, const struct zbi_item *item,
                          const char *reason)
{
    error->offset = item->offset;
    error->reason = reason;
    return MX_ERR_IO_DATA_INTEGRITY;
}

static bool range_wraps(uint64_t base, uint64_t size_bytes)
{
    return size_bytes != 0 && base + (size_bytes - 1) < base;
}

static uint64_t read_u64(const struct zbi_item *item)
{
    uint64_t value;
    memcpy(&value, item->payload, sizeof value);
    return value;
}

static mx_status_t read_address(const struct zbi_item *item, uint64_t *out,
                                struct format_error *error)
{
    // Zircon's loaders pad the 8 bytes at times.
    if (item->size_bytes < sizeof *out)
        return refuse(error, item, "the address has less than 8 bytes");
    *out = read_u64(item);
    return MX_OK;
}

static mx_status_t read_rsdp(const struct zbi_item *item, struct zbi_machine *machine,
                             struct format_error *error)
{
    return read_address(item, &machine->acpi_rsdp, error);
}

static mx_status_t read_system_table(const struct zbi_item *item, struct zbi_machine *machine,
                                     struct format_error *error)
{
    return read_address(item, &machine->efi_system_table, error);
}

static mx_status_t read_smbios(const struct zbi_item *item, struct zbi_machine *machine,
                               struct format_error *error)
{
    return read_address(item, &machine->smbios, error);
}

static mx_status_t take_uart(const struct zbi_item *item, const struct zbi_debug_uart *uart,
                             struct zbi_machine *machine, struct format_error *error)
{
    if (uart->type == ZBI_UART_PORT && uart->base > 0x10000 - 8)
        return refuse(error, item, "the debug UART's 8 ports are beyond 0xffff");
    bool is_memory = uart->type == ZBI_UART_MMIO || uart->type == ZBI_UART_MMIO8;
    bool is_odd = uart->type == ZBI_UART_MMIO && uart->base % 4 != 0;
    if (is_memory && (is_odd || range_wraps(uart->base, 8 * 4)))
        return refuse(error, item, "the debug UART's address is odd or wraps around");
    machine->uart = *uart;
    return MX_OK;
}

static mx_status_t read_uart(const struct zbi_item *item, struct zbi_machine *machine,
                             struct format_error *error)
{
    struct zbi_debug_uart uart;

    if (item->size_bytes < sizeof uart)
        return refuse(error, item, "the debug UART has less than 16 bytes");
    memcpy(&uart, item->payload, sizeof uart);
    if (uart.type > ZBI_UART_MMIO)
        return refuse(error, item,
                      "the debug UART's type is not 0 (none), 1 (ports) or 2 (memory)");
    return take_uart(item, &uart, machine, error);
}

// Of the drivers only 8250s; the others are for boards that are not described in another way.
static mx_status_t read_driver(const struct zbi_item *item, struct zbi_machine *machine,
                               struct format_error *error)
{
    struct zbi_driver_ports ports;
    struct zbi_driver_mmio mmio;
    struct zbi_debug_uart uart;

    if (item->extra == ZBI_DRIVER_I8250_PORTS) {
        if (item->size_bytes < sizeof ports)
            return refuse(error, item, "the 8250's ports have less than 8 bytes");
        memcpy(&ports, item->payload, sizeof ports);
        uart = (struct zbi_debug_uart){ports.base, ZBI_UART_PORT, ports.irq};
        return take_uart(item, &uart, machine, error);
    }
    if (item->extra != ZBI_DRIVER_I8250_MMIO && item->extra != ZBI_DRIVER_I8250_MMIO8)
        return MX_OK;
    // Older loaders leave the flags out.
    if (item->size_bytes < offsetof(struct zbi_driver_mmio, flags))
        return refuse(error, item, "the 8250 in memory has less than 12 bytes");
    memcpy(&mmio, item->payload, offsetof(struct zbi_driver_mmio, flags));
    uart = (struct zbi_debug_uart){
        mmio.base, item->extra == ZBI_DRIVER_I8250_MMIO ? ZBI_UART_MMIO : ZBI_UART_MMIO8, mmio.irq};
    return take_uart(item, &uart, machine, error);
}

static mx_status_t read_framebuffer(const struct zbi_item *item, struct zbi_machine *machine,
                                    struct format_error *error)
{
    struct zbi_framebuffer screen;

    if (item->size_bytes < sizeof screen)
        return refuse(error, item, "the framebuffer has less than 24 bytes");
    memcpy(&screen, item->payload, sizeof screen);
    if (screen.width == 0 || screen.width > ZBI_FRAMEBUFFER_SIDE_MAX || screen.height == 0 ||
        screen.height > ZBI_FRAMEBUFFER_SIDE_MAX)
        return refuse(error, item, "the framebuffer's width or height is 0 or beyond 16384");
    if (screen.stride_pixels < screen.width || screen.stride_pixels > ZBI_FRAMEBUFFER_SIDE_MAX)
        return refuse(error, item, "the framebuffer's stride is below its width or beyond 16384");
    if (screen.format != ZBI_PIXELS_XRGB && screen.format != ZBI_PIXELS_XBGR)
        return refuse(error, item, "the framebuffer's pixels are neither XRGB nor XBGR");
    if (screen.base == 0 || screen.base % 4 != 0 ||
        range_wraps(screen.base, (uint64_t)screen.stride_pixels * screen.height * 4))
        return refuse(error, item, "the framebuffer's address is 0, odd, or wraps around");
    machine->framebuffer = screen;
    return MX_OK;
}

static mx_status_t read_device_tree(const struct zbi_item *item, struct zbi_machine *machine,
                                    struct format_error *error)
{
    if (item->size_bytes == 0)
        return refuse(error, item, "the device tree is empty");
    machine->device_tree = item->payload;
    machine->device_tree_bytes = item->size_bytes;
    machine->device_tree_place.size_bytes = 0;
    return MX_OK;
}

static mx_status_t read_place(const struct zbi_item *item, struct zbi_machine *machine,
                              struct format_error *error)
{
    struct zbi_place place;

    if (item->size_bytes != sizeof place)
        return refuse(error, item, "the place has not 16 bytes");
    memcpy(&place, item->payload, sizeof place);
    if (place.size_bytes == 0 || range_wraps(place.base, place.size_bytes))
        return refuse(error, item, "the place is empty or wraps around");
    if (item->extra == ZBI_TYPE_CONTAINER) {
        if (place.base % 4096 != 0)
            return refuse(error, item, "the other container does not begin on a page");
        machine->container_place = place;
    } else if (item->extra == ZBI_TYPE_DEVICETREE) {
        machine->device_tree_place = place;
        machine->device_tree = NULL;
    } else {
        return refuse(error, item, "only a container or a device tree can have a place");
    }
    return MX_OK;
}

// --- memory maps --------------------------------------------------------------------------------

static mx_status_t read_e820(const struct zbi_item *item, struct zbi_machine *machine,
                             struct format_error *error)
{
    struct zbi_e820_entry entry;

    if (item->size_bytes == 0 || item->size_bytes % sizeof entry != 0)
        return refuse(error, item, "the E820 table's length is not a multiple of 20");
    for (size_t at = 0; at < item->size_bytes; at += sizeof entry) {
        memcpy(&entry, item->payload + at, sizeof entry);
        if (range_wraps(entry.base, entry.size_bytes))
            return refuse(error, item, "a range of the E820 table wraps around");
    }
    // The EFI memory map says more.
    if (machine->memory_map.type != ZBI_TYPE_EFI_MEMORY_MAP)
        machine->memory_map = *item;
    return MX_OK;
}

static struct zbi_efi_memory efi_entry(const struct zbi_item *item, size_t index)
{
    size_t entry_bytes = (size_t)read_u64(item);
    struct zbi_efi_memory entry;

    memcpy(&entry, item->payload + sizeof(uint64_t) + index * entry_bytes, sizeof entry);
    return entry;
}

static size_t efi_entry_count(const struct zbi_item *item)
{
    return (item->size_bytes - sizeof(uint64_t)) / (size_t)read_u64(item);
}

static mx_status_t read_efi_map(const struct zbi_item *item, struct zbi_machine *machine,
                                struct format_error *error)
{
    if (item->size_bytes < sizeof(uint64_t))
        return refuse(error, item, "the EFI memory map has less than 8 bytes");
    uint64_t entry_bytes = read_u64(item);
    if (entry_bytes < sizeof(struct zbi_efi_memory) || entry_bytes % 8 != 0)
        return refuse(error, item, "the EFI memory map's descriptors have not 40 bytes or more");
    if (item->size_bytes - sizeof(uint64_t) < entry_bytes ||
        (item->size_bytes - sizeof(uint64_t)) % entry_bytes != 0)
        return refuse(error, item, "the EFI memory map ends within a descriptor");
    for (size_t i = 0; i < efi_entry_count(item); i++) {
        struct zbi_efi_memory entry = efi_entry(item, i);
        if (entry.page_count > UINT64_MAX >> EFI_PAGE_SHIFT ||
            range_wraps(entry.base, entry.page_count << EFI_PAGE_SHIFT))
            return refuse(error, item, "a range of the EFI memory map wraps around");
    }
    machine->memory_map = *item;
    return MX_OK;
}

// Run-time services map other types as well, most often devices (PCI's configuration space on many
// machines).
static enum zbi_memory_kind efi_kind(const struct zbi_efi_memory *entry)
{
    bool is_device = entry->type == ZBI_EFI_MEMORY_MAPPED_IO ||
                     entry->type == ZBI_EFI_MEMORY_MAPPED_PORTS ||
                     !(entry->attributes & ZBI_EFI_ATTRIBUTE_WRITE_BACK);

    if (entry->attributes & ZBI_EFI_ATTRIBUTE_RUNTIME)
        return is_device ? ZBI_MEMORY_RUNTIME_DEVICE : ZBI_MEMORY_RUNTIME;
    switch (entry->type) {
    case ZBI_EFI_LOADER_CODE:
    case ZBI_EFI_LOADER_DATA:
    case ZBI_EFI_BOOT_SERVICES_CODE:
    case ZBI_EFI_BOOT_SERVICES_DATA:
    case ZBI_EFI_CONVENTIONAL:
        return is_device ? ZBI_MEMORY_RESERVED : ZBI_MEMORY_RAM;
    default:
        return ZBI_MEMORY_RESERVED;
    }
}

size_t zbi_memory_count(const struct zbi_machine *machine)
{
    if (machine->memory_map.type == ZBI_TYPE_E820_TABLE)
        return machine->memory_map.size_bytes / sizeof(struct zbi_e820_entry);
    if (machine->memory_map.type == ZBI_TYPE_EFI_MEMORY_MAP)
        return efi_entry_count(&machine->memory_map);
    return 0;
}

struct zbi_memory_range zbi_memory_at(const struct zbi_machine *machine, size_t index)
{
    const struct zbi_item *map = &machine->memory_map;

    if (map->type == ZBI_TYPE_EFI_MEMORY_MAP) {
        struct zbi_efi_memory entry = efi_entry(map, index);
        return (struct zbi_memory_range){entry.base, entry.page_count << EFI_PAGE_SHIFT,
                                         efi_kind(&entry)};
    }
    struct zbi_e820_entry entry;
    memcpy(&entry, map->payload + index * sizeof entry, sizeof entry);
    return (struct zbi_memory_range){entry.base, entry.size_bytes,
                                     entry.type == ZBI_E820_RAM ? ZBI_MEMORY_RAM
                                                                : ZBI_MEMORY_RESERVED};
}

// --- all of them --------------------------------------------------------------------------------

static const struct {
    uint32_t type;
    mx_status_t (*read)(const struct zbi_item *item, struct zbi_machine *machine,
                        struct format_error *error);
} readers[] = {
    {ZBI_TYPE_ACPI_RSDP, read_rsdp},         {ZBI_TYPE_EFI_SYSTEM_TABLE, read_system_table},
    {ZBI_TYPE_SMBIOS, read_smbios},          {ZBI_TYPE_DEBUG_UART, read_uart},
    {ZBI_TYPE_KERNEL_DRIVER, read_driver},   {ZBI_TYPE_FRAMEBUFFER, read_framebuffer},
    {ZBI_TYPE_DEVICETREE, read_device_tree}, {ZBI_TYPE_PLACE, read_place},
    {ZBI_TYPE_E820_TABLE, read_e820},        {ZBI_TYPE_EFI_MEMORY_MAP, read_efi_map},
};

static mx_status_t read_item(const struct zbi_item *item, struct zbi_machine *machine,
                             struct format_error *error)
{
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        if (readers[i].type == item->type)
            return readers[i].read(item, machine, error);
    }
    return MX_OK;
}

mx_status_t zbi_read_machine(const void *data, size_t size_bytes, struct zbi_machine *machine,
                             struct format_error *error)
{
    mx_status_t status = zbi_check_layout(data, size_bytes, error);
    struct zbi_iterator iterator = zbi_iterate(data, size_bytes);
    struct zbi_item item;

    memset(machine, 0, sizeof *machine);
    while (status == MX_OK && zbi_next(&iterator, &item))
        status = read_item(&item, machine, error);
    return status;
}

bool zbi_gather_cmdline(const void *data, size_t size_bytes, char *out, size_t capacity_bytes)
{
    struct zbi_iterator iterator = zbi_iterate(data, size_bytes);
    size_t length = strnlen(out, capacity_bytes);
    bool is_complete = true;
    struct zbi_item item;

    while (zbi_next_of_type(&iterator, ZBI_TYPE_CMDLINE, &item)) {
        size_t more = strnlen((const char *)item.payload, item.size_bytes);
        size_t blank = length != 0;

        if (more == 0)
            continue;
        if (length + blank + more >= capacity_bytes) {
            is_complete = false;
            continue;
        }
        if (blank)
            out[length++] = ' ';
        memcpy(out + length, item.payload, more);
        length += more;
        out[length] = '\0';
    }
    return is_complete;
}
