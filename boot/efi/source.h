// Where files come from: the folder on the disk that the loader was started from, or the server.
#pragma once

#include "boot/efi/firmware.h"
#include "boot/loader/menu.h"

struct source {
    const struct source_ops *ops;
    char description[64]; // "the disk"
};

struct source_ops {
    EFI_STATUS (*size)(const char *name, uint64_t *size_bytes);
    // All of the file, which has that size, to a buffer; says how far it is.
    EFI_STATUS (*read)(const char *name, void *buffer, uint64_t size_bytes);
    void (*list)(struct menu *menu); // adds the images there are; NULL: cannot
};

// How the loader was started. False: neither from a disk nor over the network; says so.
bool source_find(struct source *source);
bool source_find_disk(EFI_HANDLE device, struct source *source);
bool source_find_network(EFI_HANDLE device, struct source *source);

// Shows how far a transfer is, as often as that is worth it.
void source_show_progress(uint64_t done_bytes, uint64_t total_bytes);
