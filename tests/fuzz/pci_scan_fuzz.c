// Configuration space that answers with the input's bytes, whatever was written, and otherwise than
// before: the scan ends, and what it calls registers can be used.
#include <assert.h>
#include <stddef.h>

#include "user/drivers/portable/pci_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t input_size, at;

static uint32_t read_input(void *context, uint32_t offset)
{
    uint32_t value = 0;

    (void)context;
    assert(offset < 4096 && offset % 4 == 0);
    for (uint32_t i = 0; i < 4; i++)
        value |= (uint32_t)(input_size ? input[at++ % input_size] : 0xff) << 8 * i;
    return value;
}

static void write_nothing(void *context, uint32_t offset, uint32_t value)
{
    (void)context, (void)value;
    assert(offset < 4096 && offset % 4 == 0);
}

static void open_any(void *context, uint8_t bus, uint8_t slot, struct pci_config *out)
{
    (void)context, (void)bus, (void)slot;
    *out = (struct pci_config){read_input, write_nothing, NULL};
}

static bool is_wanted(void *context, const struct pci_header *header)
{
    (void)context;
    return header->device % 2 != 0;
}

// Nothing of `other` begins in a page of what is handed out of `function`.
static void check_pages(const struct pci_function *function, const struct pci_function *other)
{
    if (!function->is_wanted || function->refusal || !other->is_wanted ||
        (function->bus == other->bus && function->slot == other->slot))
        return;
    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++) {
        const struct pci_bar *bar = &function->bars[i];
        uint64_t first = bar->base / 4096, last = (bar->base + (bar->size_bytes - 1)) / 4096;

        for (uint32_t j = 0; j < PCI_BAR_COUNT; j++) {
            uint64_t page = other->bars[j].base / 4096;
            assert(bar->kind < PCI_BAR_MEMORY32 || bar->base == 0 ||
                   other->bars[j].kind < PCI_BAR_MEMORY32 || other->bars[j].base == 0 ||
                   page < first || page > last);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pci_scan scan;
    struct mx_info_pci_host host = {.last_bus = 3, .memory32 = {0x10000000, 0x10000000, 0x1000000}};
    const struct pci_access access = {is_wanted, open_any, NULL};
    struct pci_config config;
    uint64_t offset;
    uint32_t bar;

    input = data;
    input_size = size;
    at = 0;
    pci_scan(&access, &host, &scan);
    assert(scan.count <= PCI_FUNCTIONS_MAX);
    for (uint32_t i = 0; i < scan.count; i++) {
        for (uint32_t j = 0; j < scan.count; j++)
            check_pages(&scan.functions[i], &scan.functions[j]);
    }
    open_any(NULL, 0, 0, &config);
    for (uint32_t i = 0; i < scan.count; i++) {
        const struct pci_function *function = &scan.functions[i];

        for (uint32_t j = 0; j < PCI_BAR_COUNT; j++) {
            const struct pci_bar *one = &function->bars[j];
            assert((one->size_bytes & (one->size_bytes - 1)) == 0);
            assert(one->kind == PCI_BAR_NONE || one->size_bytes == 0 ||
                   one->base % one->size_bytes == 0);
        }
        if (pci_find_msix(&config, function->bars, &bar, &offset))
            assert(offset + 16 <= function->bars[bar].size_bytes);
    }
    return 0;
}
