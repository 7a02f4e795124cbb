// Guest packages: the folders of pkg/, each with a data/guest.cfg, in the boot image and in package
// partitions of disks (machina_user/disk_service.h). Of two with the same name the boot image's
// counts.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/types.h>

#include <machina_user/files.h>
#include <machina_user/guest_manager.h>

#define PACKAGE_CONFIG_FILE "data/guest.cfg"

// The channel to the disk service, or MX_HANDLE_INVALID.
void packages_use_disks(mx_handle_t service);
// Whether a name could be a package's: one path component, no longer than GUEST_NAME_SIZE allows.
bool packages_is_name(const char *name);
// TIMED_OUT: no answer from the disks, where it may be. Any other failure: there is none.
MX_MUST_CHECK mx_status_t packages_find(const char *name);
void packages_list(struct guest_packages_reply *reply);

// Whether a package that exists is on a disk, where files can be written.
bool packages_is_on_disk(const char *package);
// The one form of a path in the package. BAD_PATH: it leaves the package.
MX_MUST_CHECK mx_status_t packages_clean_path(const char *package, const char *path,
                                              char clean[FILES_PATH_BYTES]);
// The configuration of a package on a disk. FILE_TOO_BIG. TIMED_OUT: the disk is too slow.
MX_MUST_CHECK mx_status_t packages_read_config(const char *package, char *text,
                                               size_t capacity_bytes, size_t *size_bytes);

// A memory object with the file, for reading and mapping, or if *is_extent the channel of its
// extent; to be closed. NOT_FOUND. BAD_PATH: one that leaves the package. ACCESS_DENIED:
// `is_writable`, of the boot image.
MX_MUST_CHECK mx_status_t packages_open(const char *package, const char *path, bool is_writable,
                                        mx_handle_t *file, bool *is_extent, uint64_t *size_bytes);
// The same for a device program, which may be executed too. NOT_FOUND: not one of them.
MX_MUST_CHECK mx_status_t packages_open_device(const char *name, mx_handle_t *vmo,
                                               uint64_t *size_bytes);
