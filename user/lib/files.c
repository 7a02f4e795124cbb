// Files of the boot image; see machina_user/files.h.

#include <machina_user/files.h>

#include <stdbool.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/mutex.h>
#include <machina_user/startup.h>

#include "boot/bootfs.h"

static struct mutex archive_mutex;
static bool is_open;
static struct bootfs opened_archive;

static mx_handle_t found_archive;

static mx_handle_t archive_vmo(void)
{
    return found_archive ? found_archive : startup_handle_look(MX_STARTUP_BOOTFS, 0);
}

void files_use_archive(mx_handle_t vmo)
{
    found_archive = vmo;
}

static mx_status_t open_locked(void)
{
    mx_handle_t aspace = startup_handle_look(MX_STARTUP_SELF_ASPACE, 0);
    struct mx_info_vmo info;
    struct format_error error;
    uint64_t address = 0;
    mx_status_t status;

    if (archive_vmo() == MX_HANDLE_INVALID)
        return MX_ERR_NOT_FOUND;
    status = mx_object_get_info(archive_vmo(), MX_INFO_VMO, &info, sizeof(info), NULL);
    if (status == MX_OK)
        status = mx_aspace_map(aspace, MX_MAP_READ, archive_vmo(), 0, info.size_bytes, &address);
    if (status != MX_OK)
        return status;
    status =
        bootfs_open(&opened_archive, (const void *)(uintptr_t)address, info.size_bytes, &error);
    if (status == MX_OK) {
        is_open = true;
        return MX_OK;
    }
    mx_status_t unmapped = mx_aspace_unmap(aspace, address, info.size_bytes);
    return unmapped == MX_OK ? status : unmapped;
}

mx_status_t files_archive(const struct bootfs **archive)
{
    mx_status_t status = MX_OK;

    mutex_lock(&archive_mutex);
    if (!is_open)
        status = open_locked();
    mutex_unlock(&archive_mutex);
    *archive = &opened_archive;
    return status;
}

mx_status_t files_clean_path(const char *path, char clean[FILES_PATH_BYTES])
{
    size_t length = 0;

    for (; *path; path++) {
        bool is_extra_slash = *path == '/' && (length == 0 || clean[length - 1] == '/');
        if (is_extra_slash)
            continue;
        if (length == FILES_PATH_BYTES - 1)
            return MX_ERR_BAD_PATH;
        clean[length++] = *path;
    }
    if (length > 0 && clean[length - 1] == '/')
        length--;
    clean[length] = '\0';
    return MX_OK;
}

static mx_status_t find(const char *path, struct bootfs_file *file)
{
    const struct bootfs *archive;
    char clean[FILES_PATH_BYTES];
    mx_status_t status = files_archive(&archive);

    if (status == MX_OK)
        status = files_clean_path(path, clean);
    return status == MX_OK ? bootfs_find(archive, clean, file) : status;
}

mx_status_t files_map(const char *path, const void **bytes, size_t *size_bytes)
{
    struct bootfs_file file;
    mx_status_t status = find(path, &file);

    if (status != MX_OK)
        return status;
    *bytes = file.data;
    *size_bytes = file.size_bytes;
    return MX_OK;
}

mx_status_t files_open(const char *path, mx_handle_t *vmo, size_t *size_bytes)
{
    struct bootfs_file file;
    mx_status_t status = find(path, &file);

    if (status != MX_OK)
        return status;
    // An empty file is one page, as there is no memory object of size zero to slice.
    uint64_t pages_bytes = (file.size_bytes + MX_PAGE_SIZE - 1) & ~(uint64_t)(MX_PAGE_SIZE - 1);
    *size_bytes = file.size_bytes;
    if (pages_bytes == 0)
        return mx_vmo_create(MX_PAGE_SIZE, vmo);
    return mx_vmo_create_child(archive_vmo(), MX_VMO_CHILD_SLICE, file.offset, pages_bytes, vmo);
}

mx_status_t files_duplicate_archive(mx_handle_t *vmo)
{
    if (archive_vmo() == MX_HANDLE_INVALID)
        return MX_ERR_NOT_FOUND;
    return mx_handle_duplicate(archive_vmo(), MX_RIGHT_SAME, vmo);
}
