// Guest packages; see packages.h.
#include "vmm/manager/packages.h"

#include <stdio.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/disk_service.h>
#include <machina_user/files.h>
#include <machina_user/process.h>

#include "boot/bootfs.h"

#define PACKAGES_FOLDER "pkg"

#define FILE_RIGHTS \
    (MX_RIGHT_READ | MX_RIGHT_MAP | MX_RIGHT_INSPECT | MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER)

// The manager serves its guests while it does not wait: a disk service that looks at a slow disk is
// not waited for long.
#define DISKS_TIMEOUT MX_SEC(5)

static mx_handle_t disks;

void packages_use_disks(mx_handle_t service)
{
    disks = service;
}

// Answers of calls that timed out: nobody reads them any more, and each may hold an extent.
static void drop_late_answers(void)
{
    static struct disk_reply late;
    mx_handle_t handle = MX_HANDLE_INVALID;
    uint32_t actual[2];

    while (mx_channel_read(disks, &late, sizeof(late), &handle, 1, actual) == MX_OK) {
        handle_close(handle);
        handle = MX_HANDLE_INVALID;
    }
}

static mx_status_t ask_disks(struct disk_request *request, struct disk_reply *reply,
                             mx_handle_t *handle)
{
    struct mx_channel_call_args args = {.request_bytes = request,
                                        .reply_bytes = reply,
                                        .reply_handles = handle,
                                        .request_size_bytes = sizeof(*request),
                                        .reply_capacity_bytes = sizeof(*reply),
                                        .reply_handle_capacity = 1};

    *handle = MX_HANDLE_INVALID;
    if (disks == MX_HANDLE_INVALID)
        return MX_ERR_NOT_FOUND;
    drop_late_answers();
    mx_status_t status = mx_channel_call(disks, &args, mx_clock_get_monotonic() + DISKS_TIMEOUT);
    if (status != MX_OK)
        return status;
    if (args.reply_size_bytes < offsetof(struct disk_reply, names) ||
        reply->count > GUEST_PACKAGES_MAX ||
        args.reply_size_bytes !=
            offsetof(struct disk_reply, names) + reply->count * sizeof(reply->names[0]))
        return MX_ERR_IO_DATA_INTEGRITY;
    return reply->status;
}

static mx_status_t open_on_disk(const char *package, const char *path, bool is_writable,
                                mx_handle_t *channel, uint64_t *size_bytes)
{
    static struct disk_reply reply;
    struct disk_request request = {.operation = DISK_OPEN, .is_writable = is_writable};

    if (strlen(path) >= sizeof(request.path))
        return MX_ERR_BAD_PATH;
    snprintf(request.package, sizeof(request.package), "%s", package);
    snprintf(request.path, sizeof(request.path), "%s", path);
    mx_status_t status = ask_disks(&request, &reply, channel);
    *size_bytes = reply.size_bytes;
    if (status == MX_OK && *channel == MX_HANDLE_INVALID)
        return MX_ERR_IO_DATA_INTEGRITY;
    return status;
}

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

static bool is_in_boot_image(const char *name)
{
    const struct bootfs *archive;
    struct bootfs_file file;
    char path[FILES_PATH_BYTES];

    return package_path(name, PACKAGE_CONFIG_FILE, path) == MX_OK &&
           files_archive(&archive) == MX_OK && bootfs_find(archive, path, &file) == MX_OK;
}

mx_status_t packages_find(const char *name)
{
    mx_handle_t channel;
    uint64_t size_bytes;

    if (is_in_boot_image(name))
        return MX_OK;
    if (!packages_is_name(name))
        return MX_ERR_NOT_FOUND;
    const mx_status_t status =
        open_on_disk(name, PACKAGE_CONFIG_FILE, false, &channel, &size_bytes);
    if (status == MX_OK)
        handle_close(channel);
    return status;
}

static void list_boot_image(struct guest_packages_reply *reply)
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
        if (is_in_boot_image(name))
            reply->count++;
    }
}

static void list_disks(struct guest_packages_reply *reply)
{
    static struct disk_reply answer;
    struct disk_request request = {.operation = DISK_PACKAGES};
    mx_handle_t handle;

    if (ask_disks(&request, &answer, &handle) != MX_OK)
        return;
    handle_close(handle);
    for (uint32_t i = 0; i < answer.count && reply->count < GUEST_PACKAGES_MAX; i++) {
        char *name = answer.names[i];
        name[GUEST_NAME_SIZE - 1] = '\0';
        if (packages_is_name(name) && !is_in_boot_image(name))
            memcpy(reply->names[reply->count++], name, GUEST_NAME_SIZE);
    }
}

void packages_list(struct guest_packages_reply *reply)
{
    list_boot_image(reply);
    list_disks(reply);
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

bool packages_is_on_disk(const char *package)
{
    return !is_in_boot_image(package);
}

mx_status_t packages_clean_path(const char *package, const char *path, char clean[FILES_PATH_BYTES])
{
    char full[FILES_PATH_BYTES];
    const mx_status_t status = package_path(package, path, full);

    return status == MX_OK ? files_clean_path(path, clean) : status;
}

mx_status_t packages_read_config(const char *package, char *text, size_t capacity_bytes,
                                 size_t *size_bytes)
{
    static struct disk_reply reply;
    struct disk_request request = {.operation = DISK_READ, .path = PACKAGE_CONFIG_FILE};
    mx_handle_t vmo;

    snprintf(request.package, sizeof(request.package), "%s", package);
    mx_status_t status = ask_disks(&request, &reply, &vmo);
    if (status != MX_OK)
        return status;
    if (vmo == MX_HANDLE_INVALID)
        return MX_ERR_IO_DATA_INTEGRITY;
    *size_bytes = (size_t)reply.size_bytes;
    status = reply.size_bytes <= capacity_bytes ? mx_vmo_read(vmo, text, 0, *size_bytes)
                                                : MX_ERR_FILE_TOO_BIG;
    handle_close(vmo);
    return status;
}

mx_status_t packages_open(const char *package, const char *path, bool is_writable,
                          mx_handle_t *file, bool *is_extent, uint64_t *size_bytes)
{
    char full[FILES_PATH_BYTES], relative[FILES_PATH_BYTES];
    mx_status_t status = package_path(package, path, full);

    if (status == MX_OK)
        status = packages_clean_path(package, path, relative);
    if (status != MX_OK)
        return status;
    *is_extent = packages_is_on_disk(package);
    if (*is_extent)
        return open_on_disk(package, relative, is_writable, file, size_bytes);
    if (is_writable)
        return MX_ERR_ACCESS_DENIED;
    return open_with_rights(full, FILE_RIGHTS, file, size_bytes);
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
