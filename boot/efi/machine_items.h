// What the firmware says of the machine, as items for the kernel.
#pragma once

#include "boot/efi/firmware.h"

// Room that the items take at most, less the memory map.
size_t machine_items_room(const char *cmdline);
// Appends all but the memory map to the data container. False: says what is missing, and what to
// do.
bool machine_items_add(void *data, size_t capacity_bytes, const char *cmdline);
