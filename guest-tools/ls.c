// The ls command: files of the boot image; directories end in a slash, files stand with their size
// in bytes.

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <machina_user/files.h>

#include "boot/bootfs.h"

static bool list_directory(const struct bootfs *archive, const char *path)
{
    struct bootfs_cursor cursor = {0};
    struct bootfs_child child;
    bool any = false;

    for (; bootfs_next_child(archive, path, &cursor, &child); any = true) {
        if (child.is_directory)
            printf("%10s  %.*s/\n", "-", (int)child.name_length, child.name);
        else
            printf("%10u  %.*s\n", child.file.size_bytes, (int)child.name_length, child.name);
    }
    return any;
}

static int list(const char *path)
{
    const struct bootfs *archive;
    struct bootfs_file file;
    char clean[FILES_PATH_BYTES];
    mx_status_t status = files_archive(&archive);

    if (status == MX_OK)
        status = files_clean_path(path, clean);
    if (status == MX_OK && bootfs_find(archive, clean, &file) == MX_OK) {
        printf("%10u  %s\n", file.size_bytes, clean);
        return 0;
    }
    if (status == MX_OK && !list_directory(archive, clean))
        status = MX_ERR_NOT_FOUND;
    if (status == MX_OK)
        return 0;
    printf("ls: %s: %s\n", path, mx_status_string(status));
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    int result = 0;

    if (argc < 2)
        return list("");
    for (int i = 1; i < argc; i++)
        result |= list(argv[i]);
    return result;
}
