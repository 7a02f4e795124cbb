// What the VMM makes of its package: the configuration with the overrides, the kernel, the ramdisk,
// the disks.
#pragma once

#include "vmm/loader/boot.h"
#include "vmm/monitor/manager_link.h"

// A file mapped for reading.
struct guest_file {
    struct boot_blob blob;
    uint64_t mapped_bytes;
};

// Each fills `message` on failure with a line for the user.

// guest->config from data/guest.cfg and the overrides.
MX_MUST_CHECK mx_status_t guest_files_read_config(struct guest *guest,
                                                  const struct manager_launch *launch,
                                                  char *message, size_t message_bytes);
// The file that `key` of the configuration names; an empty path gives an empty blob. An empty file
// is refused.
MX_MUST_CHECK mx_status_t guest_files_map(struct guest *guest, const char *key, const char *path,
                                          struct guest_file *file, char *message,
                                          size_t message_bytes);
void guest_files_unmap(struct guest_file *file);

// How much memory the disks can come to need beyond the guest's RAM.
MX_MUST_CHECK mx_status_t guest_files_disk_bytes(struct guest *guest, uint64_t *total_bytes,
                                                 char *message, size_t message_bytes);
// Starts the process of every disk.
MX_MUST_CHECK mx_status_t guest_files_start_disks(struct guest *guest, char *message,
                                                  size_t message_bytes);
