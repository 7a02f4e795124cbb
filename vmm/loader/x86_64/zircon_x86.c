// Zircon boot images on x86-64; the contract is in the header.
#include "vmm/loader/x86_64/zircon_x86.h"

#include "boot/zbi_items.h"
#include "vmm/loader/x86_64/x86_boot_tables.h"
#include "vmm/loader/zircon_image.h"

#define KERNEL_BASE UINT64_C(0x100000)

// --- items --------------------------------------------------------------------------------------

static mx_status_t append_e820(struct zircon_data *data, const struct x86_boot_map *map)
{
    struct zbi_e820_entry *entries;
    void *payload;
    const mx_status_t status = zircon_data_append_space(
        data, ZBI_TYPE_E820_TABLE, 0, map->e820_count * sizeof(*entries), &payload);

    if (status != MX_OK)
        return status;
    entries = payload;
    for (size_t i = 0; i < map->e820_count; i++)
        entries[i] =
            (struct zbi_e820_entry){map->e820[i].start, map->e820[i].size_bytes, map->e820[i].type};
    return MX_OK;
}

static mx_status_t append_uart(struct zircon_data *data, const struct x86_boot_uart *uart)
{
    const struct zbi_debug_uart item = {
        .base = uart->port, .type = ZBI_UART_PORT, .irq = uart->irq};
    const struct zbi_driver_ports driver = {.base = uart->port, .irq = uart->irq};

    if (uart->port == 0)
        return MX_OK;
    const mx_status_t status =
        zircon_data_append(data, ZBI_TYPE_DEBUG_UART, 0, &item, sizeof(item));
    return status == MX_OK ? zircon_data_append(data, ZBI_TYPE_KERNEL_DRIVER,
                                                ZBI_DRIVER_I8250_PORTS, &driver, sizeof(driver))
                           : status;
}

static mx_status_t make_data(const struct boot_request *request, const struct x86_boot_map *map,
                             const struct zircon_image *image, struct x86_boot_state *state)
{
    struct zircon_data data;

    mx_status_t status =
        zircon_data_begin(request, image, state->kernel.start + state->kernel.size_bytes, &data);
    if (status == MX_OK)
        status = append_e820(&data, map);
    if (status == MX_OK && map->rsdp != 0)
        status = zircon_data_append(&data, ZBI_TYPE_ACPI_RSDP, 0, &map->rsdp, sizeof(map->rsdp));
    if (status == MX_OK)
        status = append_uart(&data, &map->uart);
    if (status != MX_OK)
        return status;
    state->data = zircon_data_range(&data);
    state->rsi = state->data.start;
    return MX_OK;
}

// --- the whole ----------------------------------------------------------------------------------

static mx_status_t place_kernel(const struct boot_request *request,
                                const struct zircon_image *image, struct x86_boot_state *state)
{
    // Below the kernel's place the difference wraps to what no kernel reaches.
    mx_status_t status =
        zircon_image_check_entry(request, image, image->kernel.entry - KERNEL_BASE);
    if (status == MX_OK)
        status = zircon_image_place_kernel(request, image, KERNEL_BASE, &state->kernel);
    state->rip = image->kernel.entry;
    return status;
}

mx_status_t zircon_x86_load(const struct boot_request *request, const struct x86_boot_map *map,
                            struct x86_boot_state *state)
{
    struct x86_boot_arena arena;
    struct zircon_image image;

    *state = (struct x86_boot_state){.mode = X86_BOOT_MODE_LONG,
                                     .code_selector = X86_BOOT_CODE_64_SELECTOR,
                                     .data_selector = X86_BOOT_DATA_SELECTOR};
    mx_status_t status = x86_boot_arena_init(&arena, request, map);
    if (status == MX_OK)
        status = zircon_image_open(request, ZBI_TYPE_KERNEL_X64, "x64", &image);
    if (status == MX_OK && request->device_tree_overlay.size_bytes > 0)
        status =
            boot_fail(request, MX_ERR_NOT_SUPPORTED,
                      "dtb-overlay: a Zircon kernel takes no device tree on x64; leave it out");
    if (status == MX_OK)
        status = place_kernel(request, &image, state);
    if (status == MX_OK)
        status = make_data(request, map, &image, state);
    if (status == MX_OK)
        status = x86_boot_build_page_tables(&arena, &state->cr3);
    return status == MX_OK ? x86_boot_build_gdt(&arena, state) : status;
}
