// Any bytes as a device tree, and as the machine that it describes.
#include <stdlib.h>
#include <string.h>

#include "boot/zbi_items.h"
#include "kernel/arch/arm64/portable/machine_tree.h"
#include "kernel/arch/arm64/portable/tree_items.h"

static void look_at(const struct fdt *fdt, const struct fdt_cursor *node)
{
    struct fdt_range range;
    const char *text = fdt_get_text(fdt, node, "compatible");
    uint32_t value;

    if (text && strlen(text) > FDT_SIZE_MAX)
        abort();
    if (strlen(fdt_name(fdt, node)) > FDT_SIZE_MAX)
        abort();
    for (uint32_t i = 0; i < 4; i++)
        (void)fdt_get_reg(fdt, node, i, &range);
    (void)fdt_interrupt_parent(fdt, node, &value);
    (void)fdt_is_compatible(fdt, node, "arm,pl011");
}

// What start-up makes of it, it must accept itself.
static void describe(const struct fdt *fdt)
{
    static uint8_t container[4096];
    struct format_error error;
    struct zbi_machine items;
    const char *reason = NULL;

    if (tree_describe(fdt, 0x40000000, container, sizeof(container), &reason) == MX_OK &&
        zbi_read_machine(container, sizeof(container), &items, &error) != MX_OK &&
        strcmp(error.reason, "the other container does not begin on a page") != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct machine machine;
    struct fdt_cursor node;
    const char *reason = NULL;
    struct fdt fdt;

    if (size >= FDT_HEADER_BYTES)
        (void)fdt_total_size(data);
    if (fdt_open(&fdt, data, size, &reason) != MX_OK) {
        if (!reason)
            abort();
        return 0;
    }
    fdt_start(&fdt, &node);
    do {
        look_at(&fdt, &node);
    } while (fdt_next(&fdt, &node));
    (void)fdt_find(&fdt, "/chosen", &node);
    machine_tree_read(&fdt, &machine);
    if (machine.memory_count > MACHINE_MEMORY_MAX || machine.cpu_count > MACHINE_CPU_MAX ||
        machine.gicr_count > MACHINE_GICR_MAX)
        abort();
    describe(&fdt);
    return 0;
}
