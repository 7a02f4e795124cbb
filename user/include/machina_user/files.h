// Files of the boot image. A process sees them if it was given MX_STARTUP_BOOTFS.
//
// Paths are relative to the root of the archive; a slash in front or behind is allowed.
#pragma once

#include <stddef.h>

#include <machina/types.h>

struct bootfs;

// The archive, mapped and checked at the first call, for listing with boot/bootfs.h. NOT_FOUND: the
// process was given none. IO_DATA_INTEGRITY: it is malformed.
MX_MUST_CHECK mx_status_t files_archive(const struct bootfs **archive);

// For the process that finds the archive itself: the handle is used as if it had been given, and
// kept.
void files_use_archive(mx_handle_t vmo);

// A file's bytes, mapped for reading for as long as the process lives. NOT_FOUND; BAD_PATH: too
// long.
MX_MUST_CHECK mx_status_t files_map(const char *path, const void **bytes, size_t *size_bytes);

// A memory object with the file in it from offset 0, for mapping (read, execute) or for giving
// away; to be closed. It is rounded up to whole pages; *size_bytes is the file's size. Errors as
// files_map.
MX_MUST_CHECK mx_status_t files_open(const char *path, mx_handle_t *vmo, size_t *size_bytes);

// A handle to the archive itself, for a process that shall see files too. Needs no more than the
// process has.
MX_MUST_CHECK mx_status_t files_duplicate_archive(mx_handle_t *vmo);

#define FILES_PATH_BYTES 256 // with the NUL
// The path without slashes in front, behind and doubled. BAD_PATH: longer than FILES_PATH_BYTES.
MX_MUST_CHECK mx_status_t files_clean_path(const char *path, char clean[FILES_PATH_BYTES]);
