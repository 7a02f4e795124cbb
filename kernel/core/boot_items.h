// What start-up makes of the items that the kernel was started with (boot/zbi_items.h): the part
// that all architectures share, as steps in this order. Each returns NULL, or for people what is
// wrong.
#pragma once

#include <arch/boot.h>

#include "boot/zbi_items.h"

#define BOOT_DATA_MAX ((uint64_t)4 << 30)

struct boot_items {
    const uint8_t *data; // the container, checked
    size_t size_bytes;
    struct zbi_place place; // of the container; size 0: in the kernel's own image
    struct zbi_machine machine;
};

// The container's size by its header of ZBI_HEADER_BYTES, before all of it is mapped; 0: that is no
// container.
uint64_t boot_items_size(const void *header);
// Checks the container, which stays where it is, and reads its items.
const char *boot_items_read(struct boot_items *items, const void *data, struct zbi_place place);
// Adds the items' memory map, if they have one, to boot_memory. Returns whether they have.
bool boot_items_add_memory(const struct boot_items *items);
// With all RAM known: reserves the container and the boot image, if that is another, and puts its
// place into info.
const char *boot_items_reserve(const struct boot_items *items, struct zbi_place kernel,
                               struct boot_info *info);
// With all RAM in the linear map: gathers the command lines, the boot image's before the starter's
// if they are in two containers, and the rest of info.
void boot_items_finish(const struct boot_items *items, struct boot_info *info);
