// Writing a bootfs archive into memory; what it writes, bootfs_open accepts. Layout: see bootfs.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

// A file to be stored; the caller keeps name and data.
struct bootfs_source {
    const char *name;
    const void *data;
    size_t size_bytes;
};

// Checks names and sizes and computes the archive's size, a whole number of pages. The files must
// be sorted by name in ascending byte order. INVALID_ARGS for a bad name, ALREADY_EXISTS for a name
// that repeats, is out of order, or is a file where another file needs a directory, FILE_TOO_BIG
// when offsets exceed 32 bits; *bad_index is then the file at fault.
MX_MUST_CHECK mx_status_t bootfs_plan(const struct bootfs_source *files, size_t file_count,
                                      size_t *size_bytes, size_t *bad_index);

// Writes the archive. `buffer` has exactly the size that bootfs_plan gave for the same files.
void bootfs_write(const struct bootfs_source *files, size_t file_count, void *buffer,
                  size_t size_bytes);
