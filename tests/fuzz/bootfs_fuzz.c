// Any bytes as a bootfs archive: what opens can be walked, looked up and listed within its bytes.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/bootfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void list_directory(const struct bootfs *fs, const char *directory)
{
    struct bootfs_cursor cursor = {0};
    struct bootfs_child child;
    while (bootfs_next_child(fs, directory, &cursor, &child)) {
        if (child.name_length == 0)
            abort();
    }
}

static void check_file(const struct bootfs *fs, const struct bootfs_file *file)
{
    struct bootfs_file found;
    volatile uint8_t last;
    char directory[BOOTFS_NAME_BYTES_MAX];

    if (file->size_bytes)
        last = file->data[file->size_bytes - 1];
    (void)last;
    if (bootfs_find(fs, file->name, &found) != MX_OK || found.data != file->data)
        abort();
    strcpy(directory, file->name);
    char *slash = strrchr(directory, '/');
    if (slash)
        *slash = '\0';
    list_directory(fs, directory);
}

static void check_apart(const struct bootfs *fs, const struct bootfs_file *file)
{
    struct bootfs_cursor cursor = {0};
    struct bootfs_file other;

    while (bootfs_next(fs, &cursor, &other)) {
        if (strcmp(file->name, other.name) != 0 && file->size_bytes && other.size_bytes &&
            file->offset < (uint64_t)other.offset + other.size_bytes &&
            other.offset < (uint64_t)file->offset + file->size_bytes)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct format_error error = {0};
    struct bootfs_cursor cursor = {0};
    struct bootfs_file file;
    struct bootfs fs;

    if (bootfs_open(&fs, data, size, &error) != MX_OK) {
        if (!error.reason || error.offset > size)
            abort();
        return 0;
    }
    while (bootfs_next(&fs, &cursor, &file)) {
        check_file(&fs, &file);
        check_apart(&fs, &file);
    }
    list_directory(&fs, "");
    return 0;
}
