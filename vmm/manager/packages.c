// Guest packages; see packages.h.
#include "vmm/manager/packages.h"

#include <stdio.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/files.h>

#include "boot/bootfs.h"

#define PACKAGES_FOLDER "pkg"
#define CONFIG_FILE     "data/guest.cfg"

#define FILE_RIGHTS \
    (MX_RIGHT_READ | MX_RIGHT_MAP | MX_RIGHT_INSPECT | MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER)

bool packages_is_name(const char *name)
{
    return name[0] != '\0' && strlen(name) < GUEST_NAME_SIZE && !strchr(name, '/') &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static mx_status_t package_path(const char *package, const char *path, char full[FILES_PATH_BYTES])
{
    char relative[FILES_PATH_BYTES];
    mx_status_t status = files_clean_path(path, relative);

    // The archive has no names with ".." in them, so nothing leads out of the package; this says it
    // clearly.
    if (status == MX_OK && (!packages_is_name(package) || !bootfs_is_name_valid(relative)))
        status = MX_ERR_BAD_PATH;
    if (status != MX_OK)
        return status;
    const int length =
        snprintf(full, FILES_PATH_BYTES, PACKAGES_FOLDER "/%s/%s", package, relative);
    return length < FILES_PATH_BYTES ? MX_OK : MX_ERR_BAD_PATH;
}

bool packages_exists(const char *name)
{
    const struct bootfs *archive;
    struct bootfs_file file;
    char path[FILES_PATH_BYTES];

    return package_path(name, CONFIG_FILE, path) == MX_OK && files_archive(&archive) == MX_OK &&
           bootfs_find(archive, path, &file) == MX_OK;
}

void packages_list(struct guest_packages_reply *reply)
{
    const struct bootfs *archive;
    struct bootfs_cursor cursor = {0};
    struct bootfs_child child;

    if (files_archive(&archive) != MX_OK)
        return;
    while (reply->count < GUEST_PACKAGES_MAX &&
           bootfs_next_child(archive, PACKAGES_FOLDER, &cursor, &child)) {
        char *name = reply->names[reply->count];
        if (!child.is_directory || child.name_length >= GUEST_NAME_SIZE)
            continue;
        memcpy(name, child.name, child.name_length);
        name[child.name_length] = '\0';
        if (packages_exists(name))
            reply->count++;
    }
}

static mx_status_t open_with_rights(const char *path, mx_rights_t rights, mx_handle_t *vmo,
                                    uint64_t *size_bytes)
{
    size_t size;
    mx_status_t status = files_open(path, vmo, &size);

    if (status != MX_OK)
        return status;
    *size_bytes = size;
    mx_handle_t limited;
    status = mx_handle_replace(*vmo, rights, &limited);
    if (status == MX_OK) {
        *vmo = limited;
        return MX_OK;
    }
    const mx_status_t closed = mx_handle_close(*vmo);
    return closed == MX_OK ? status : closed;
}

mx_status_t packages_open(const char *package, const char *path, mx_handle_t *vmo,
                          uint64_t *size_bytes)
{
    char full[FILES_PATH_BYTES];
    const mx_status_t status = package_path(package, path, full);

    return status == MX_OK ? open_with_rights(full, FILE_RIGHTS, vmo, size_bytes) : status;
}

mx_status_t packages_open_device(const char *name, mx_handle_t *vmo, uint64_t *size_bytes)
{
    static const char *const devices[] = {"virtio-block", "virtio-console", "virtio-rng"};
    char path[FILES_PATH_BYTES];

    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (strcmp(name, devices[i]) != 0)
            continue;
        snprintf(path, sizeof(path), "bin/%s", name);
        return open_with_rights(path, FILE_RIGHTS | MX_RIGHT_EXECUTE, vmo, size_bytes);
    }
    return MX_ERR_NOT_FOUND;
}
