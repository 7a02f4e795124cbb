// Bootfs: the read-only file archive inside a ZBI's BOOTFS item, as it is read.
//
// Layout (little-endian, as Zircon's): a 16-byte header {magic, directory bytes, 0, 0}; the
// directory, whose entries are {name bytes with NUL, data bytes, data offset} and the name, padded
// to 4; then the files, each starting on a page. Machina asks for more than the format does: names
// in strictly ascending byte order (so that no name occurs twice and a directory's files lie
// together), relative paths without empty, "." or ".." components, and no byte that two files share
// (whoever may write one must not change another). bootfs_open checks all of it
// once; the functions after it rely on that, so the data must not change underneath. No allocation,
// no output.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#include "boot/format_error.h"

#define BOOTFS_MAGIC UINT32_C(0xa56d3ff9)

enum {
    BOOTFS_PAGE_BYTES = 4096,
    BOOTFS_HEADER_BYTES = 16,
    BOOTFS_ENTRY_BYTES = 12,     // of a directory entry before its name
    BOOTFS_NAME_BYTES_MAX = 256, // with the NUL
    // For 4096 files in any order. In the order of the directory none is made.
    BOOTFS_COMPARISONS_MAX = 1 << 23,
};

// An archive that passed bootfs_open.
struct bootfs {
    const uint8_t *data;
    size_t size_bytes;
    size_t directory_end; // offset of the first byte behind the directory
};

struct bootfs_file {
    const char *name; // the whole path, NUL-terminated, in the archive
    uint32_t offset;  // from the start of the archive; a multiple of the page size
    uint32_t size_bytes;
    const uint8_t *data;
};

// A child of a directory: a file, or a directory that some file's path goes through.
struct bootfs_child {
    const char *name; // the component alone; not NUL-terminated
    size_t name_length;
    bool is_directory;
    struct bootfs_file file; // only when !is_directory
};

// Where a walk stands. Start with {0}.
struct bootfs_cursor {
    size_t offset;
};

// Checks an archive and prepares it for reading. IO_DATA_INTEGRITY with *error filled when
// malformed.
MX_MUST_CHECK mx_status_t bootfs_open(struct bootfs *fs, const void *data, size_t size_bytes,
                                      struct format_error *error);

// Whether a name is one that an archive may hold.
bool bootfs_is_name_valid(const char *name);

// The file at this path (relative, "bin/shell"). NOT_FOUND, also for a directory.
MX_MUST_CHECK mx_status_t bootfs_find(const struct bootfs *fs, const char *path,
                                      struct bootfs_file *file);

// The next file in name order; false at the end.
bool bootfs_next(const struct bootfs *fs, struct bootfs_cursor *cursor, struct bootfs_file *file);

// The next child of a directory in name order, each once; false at the end. `directory` is a path
// without a trailing slash, "" for the root. One that does not exist has no children.
bool bootfs_next_child(const struct bootfs *fs, const char *directory, struct bootfs_cursor *cursor,
                       struct bootfs_child *child);
