// PCI functions for tests: configuration space as words in memory, with BARs that behave as their
// masks say.
#pragma once

#include <string.h>

#include "user/drivers/portable/pci_scan.h"

#define FAKE_FUNCTIONS_MAX   200
#define FAKE_UNWANTED_DEVICE 0xfade

struct fake_function {
    uint8_t bus, slot;
    uint32_t words[1024];
    uint32_t masks[PCI_BAR_COUNT]; // of the bits of each BAR that can be written
    uint32_t write_count;
    bool has_moved_while_shown; // a BAR was written while the function answered to its addresses
};

static struct fake_function fake_functions[FAKE_FUNCTIONS_MAX];
static uint32_t fake_function_count;
static bool fake_is_wanted;

// Registers of a BAR: `type` is its low bits, `size_bytes` a power of two.
static inline void fake_bar(struct fake_function *function, uint32_t index, uint32_t type,
                            uint32_t size_bytes)
{
    function->words[4 + index] = type;
    function->masks[index] = -size_bytes;
    if (type == 4 && index + 1 < PCI_BAR_COUNT)
        function->masks[index + 1] = UINT32_MAX;
}

static inline uint32_t fake_read(void *context, uint32_t offset)
{
    const struct fake_function *function = context;

    return function ? function->words[offset / 4 % 1024] : UINT32_MAX;
}

static inline void fake_write(void *context, uint32_t offset, uint32_t value)
{
    struct fake_function *function = context;
    bool is_bridge = function && (function->words[3] >> 16 & 0x7f) == 1;
    uint32_t bar = offset / 4 - 4;

    if (!function)
        return;
    function->write_count++;
    if (offset == 4) {
        function->words[1] = (function->words[1] & 0xffff0000) | (value & 0xffff);
    } else if (!is_bridge && offset / 4 >= 4 && bar < PCI_BAR_COUNT) {
        function->has_moved_while_shown |= (function->words[1] & 3) != 0;
        function->words[offset / 4] =
            (value & function->masks[bar]) | (function->words[offset / 4] & ~function->masks[bar]);
    } else {
        function->words[offset / 4 % 1024] = value;
    }
}

static inline void fake_open(void *context, uint8_t bus, uint8_t slot, struct pci_config *out)
{
    (void)context;
    *out = (struct pci_config){fake_read, fake_write, NULL};
    for (uint32_t i = 0; i < fake_function_count; i++) {
        if (fake_functions[i].bus == bus && fake_functions[i].slot == slot)
            out->context = &fake_functions[i];
    }
}

static inline bool fake_wanted(void *context, const struct pci_header *header)
{
    (void)context;
    return fake_is_wanted && header->device != FAKE_UNWANTED_DEVICE;
}

static const struct pci_access fake_access = {.is_wanted = fake_wanted, .open = fake_open};
