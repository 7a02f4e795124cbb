// Reading a bootfs archive; see bootfs.h.

#include "boot/bootfs.h"

#include <string.h>

struct entry {
    uint32_t name_bytes;
    uint32_t data_bytes;
    uint32_t data_offset;
};

static struct entry entry_read(const uint8_t *at)
{
    struct entry entry;
    memcpy(&entry, at, sizeof entry);
    return entry;
}
_Static_assert(sizeof(struct entry) == BOOTFS_ENTRY_BYTES, "an entry is three words");

static size_t entry_size(uint32_t name_bytes)
{
    return (BOOTFS_ENTRY_BYTES + (size_t)name_bytes + 3) & ~(size_t)3;
}

static const char *entry_name(const uint8_t *at)
{
    return (const char *)(at + BOOTFS_ENTRY_BYTES);
}

static mx_status_t refuse(struct format_error *error, size_t offset, const char *reason)
{
    error->offset = offset;
    error->reason = reason;
    return MX_ERR_IO_DATA_INTEGRITY;
}

static bool is_component_valid(const char *component, size_t length)
{
    if (length == 0 || (length == 1 && component[0] == '.') ||
        (length == 2 && component[0] == '.' && component[1] == '.'))
        return false;
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)component[i] < 0x20 || component[i] == 0x7f)
            return false;
    }
    return true;
}

bool bootfs_is_name_valid(const char *name)
{
    if (strlen(name) >= BOOTFS_NAME_BYTES_MAX)
        return false;
    for (const char *component = name;;) {
        const char *slash = strchr(component, '/');
        size_t length = slash ? (size_t)(slash - component) : strlen(component);
        if (!is_component_valid(component, length))
            return false;
        if (!slash)
            return true;
        component = slash + 1;
    }
}

static mx_status_t check_name(const uint8_t *at, size_t offset, uint32_t name_bytes,
                              struct format_error *error)
{
    const char *name = entry_name(at);

    offset += BOOTFS_ENTRY_BYTES;
    if (name[name_bytes - 1] != '\0')
        return refuse(error, offset, "the file name does not end in NUL");
    if (strlen(name) != name_bytes - 1)
        return refuse(error, offset, "the file name has a NUL in its middle");
    if (!bootfs_is_name_valid(name))
        return refuse(error, offset, "the file name is not a plain relative path");
    return MX_OK;
}

static mx_status_t check_entry(const struct bootfs *fs, size_t offset, struct format_error *error)
{
    if (fs->directory_end - offset < BOOTFS_ENTRY_BYTES)
        return refuse(error, offset, "the directory ends within an entry");
    struct entry entry = entry_read(fs->data + offset);
    size_t extent_field = offset + offsetof(struct entry, data_offset);

    if (entry.name_bytes < 2 || entry.name_bytes > BOOTFS_NAME_BYTES_MAX)
        return refuse(error, offset, "the file name's length is not within 2..256");
    if (entry_size(entry.name_bytes) > fs->directory_end - offset)
        return refuse(error, offset, "the directory ends within a file name");
    if (entry.data_offset % BOOTFS_PAGE_BYTES)
        return refuse(error, extent_field, "the file does not start on a page");
    if (entry.data_offset < fs->directory_end)
        return refuse(error, extent_field, "the file overlaps the directory");
    if (entry.data_offset > fs->size_bytes || entry.data_bytes > fs->size_bytes - entry.data_offset)
        return refuse(error, extent_field, "the file ends behind the archive");
    return check_name(fs->data + offset, offset, entry.name_bytes, error);
}

// What is known of the files' data while the directory is walked.
struct extents {
    uint64_t end;         // behind all files so far
    uint32_t comparisons; // made so far
};

static bool shares_bytes(struct entry a, struct entry b)
{
    return a.data_bytes != 0 && b.data_bytes != 0 &&
           a.data_offset < (uint64_t)b.data_offset + b.data_bytes &&
           b.data_offset < (uint64_t)a.data_offset + a.data_bytes;
}

// Writers put files in the order of the directory, so that each is behind all others. One that is
// not is compared with each before it, a bounded number of times in all.
static mx_status_t check_extent(const struct bootfs *fs, size_t offset, struct extents *extents,
                                struct format_error *error)
{
    struct entry entry = entry_read(fs->data + offset);
    size_t extent_field = offset + offsetof(struct entry, data_offset);
    bool is_behind_all = entry.data_offset >= extents->end;

    if (entry.data_bytes == 0)
        return MX_OK;
    for (size_t at = BOOTFS_HEADER_BYTES; at < offset && !is_behind_all;) {
        struct entry other = entry_read(fs->data + at);
        if (shares_bytes(entry, other))
            return refuse(error, extent_field, "the file shares bytes with one before it");
        if (++extents->comparisons > BOOTFS_COMPARISONS_MAX)
            return refuse(error, extent_field,
                          "too many files do not lie in the order of the directory");
        at += entry_size(other.name_bytes);
    }
    if (is_behind_all)
        extents->end = (uint64_t)entry.data_offset + entry.data_bytes;
    return MX_OK;
}

static mx_status_t check_directory(const struct bootfs *fs, struct format_error *error)
{
    struct extents extents = {0};
    const char *previous = NULL;

    for (size_t offset = BOOTFS_HEADER_BYTES; offset < fs->directory_end;) {
        mx_status_t status = check_entry(fs, offset, error);
        if (status == MX_OK)
            status = check_extent(fs, offset, &extents, error);
        if (status != MX_OK)
            return status;
        const char *name = entry_name(fs->data + offset);
        if (previous && strcmp(previous, name) >= 0)
            return refuse(error, offset + BOOTFS_ENTRY_BYTES,
                          "the file names are not in ascending order");
        previous = name;
        offset += entry_size(entry_read(fs->data + offset).name_bytes);
    }
    return MX_OK;
}

mx_status_t bootfs_open(struct bootfs *fs, const void *data, size_t size_bytes,
                        struct format_error *error)
{
    uint32_t header[BOOTFS_HEADER_BYTES / 4];

    if (size_bytes < sizeof header)
        return refuse(error, size_bytes, "the archive ends within its 16-byte header");
    memcpy(header, data, sizeof header);
    if (header[0] != BOOTFS_MAGIC)
        return refuse(error, 0, "not a bootfs archive: its magic is not 0xa56d3ff9");
    if (header[1] > size_bytes - sizeof header)
        return refuse(error, 4, "the directory is longer than the archive");
    *fs = (struct bootfs){data, size_bytes, sizeof header + (size_t)header[1]};
    return check_directory(fs, error);
}

static struct bootfs_file file_at(const struct bootfs *fs, size_t offset)
{
    struct entry entry = entry_read(fs->data + offset);
    return (struct bootfs_file){
        .name = entry_name(fs->data + offset),
        .offset = entry.data_offset,
        .size_bytes = entry.data_bytes,
        .data = fs->data + entry.data_offset,
    };
}

bool bootfs_next(const struct bootfs *fs, struct bootfs_cursor *cursor, struct bootfs_file *file)
{
    size_t offset = cursor->offset ? cursor->offset : BOOTFS_HEADER_BYTES;
    if (offset >= fs->directory_end)
        return false;
    *file = file_at(fs, offset);
    cursor->offset = offset + entry_size(entry_read(fs->data + offset).name_bytes);
    return true;
}

mx_status_t bootfs_find(const struct bootfs *fs, const char *path, struct bootfs_file *file)
{
    struct bootfs_cursor cursor = {0};

    while (bootfs_next(fs, &cursor, file)) {
        int order = strcmp(file->name, path);
        if (order == 0)
            return MX_OK;
        if (order > 0)
            break;
    }
    return MX_ERR_NOT_FOUND;
}

// The part of a file's path below the directory, or NULL when it lies elsewhere.
static const char *path_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    if (length == 0)
        return path;
    if (strncmp(path, directory, length) != 0 || path[length] != '/')
        return NULL;
    return path + length + 1;
}

// Moves the cursor over the files that go through the same child directory: they follow one
// another.
static void skip_directory(const struct bootfs *fs, struct bootfs_cursor *cursor, const char *path,
                           size_t prefix_length)
{
    struct bootfs_cursor ahead = *cursor;
    struct bootfs_file file;

    while (bootfs_next(fs, &ahead, &file) && strncmp(file.name, path, prefix_length) == 0)
        *cursor = ahead;
}

bool bootfs_next_child(const struct bootfs *fs, const char *directory, struct bootfs_cursor *cursor,
                       struct bootfs_child *child)
{
    struct bootfs_file file;

    while (bootfs_next(fs, cursor, &file)) {
        const char *below = path_below(file.name, directory);
        if (!below)
            continue;
        const char *slash = strchr(below, '/');
        child->name = below;
        child->name_length = slash ? (size_t)(slash - below) : strlen(below);
        child->is_directory = slash != NULL;
        child->file = file;
        if (slash)
            skip_directory(fs, cursor, file.name, (size_t)(slash - file.name) + 1);
        return true;
    }
    return false;
}
