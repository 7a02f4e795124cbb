// The package's files; see guest_files.h.
#include "vmm/monitor/guest_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/block_client.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "vmm/monitor/virtio_device.h"

#define CONFIG_PATH     "data/guest.cfg"
#define NUMBER_SIZE     24
#define DISK_QUEUES_MAX 4

// --- files --------------------------------------------------------------------------------------

static mx_status_t say(mx_status_t status, char *message, size_t message_bytes, const char *key,
                       const char *path, const char *what)
{
    snprintf(message, message_bytes, "%s: %s: %s: %s", CONFIG_PATH, key, path, what);
    return status;
}

static mx_status_t open_file(struct guest *guest, const char *key, const char *path,
                             bool is_writable, struct manager_file *file, char *message,
                             size_t message_bytes)
{
    const mx_status_t status = manager_open(guest, VMM_FILE_PACKAGE, path, is_writable, file);

    if (status == MX_ERR_NOT_FOUND)
        return say(status, message, message_bytes, key, path,
                   "there is no such file in the package");
    if (status != MX_OK && file->reason[0] != '\0')
        return say(status, message, message_bytes, key, path, file->reason);
    if (status == MX_ERR_ACCESS_DENIED && is_writable)
        return say(MX_ERR_NOT_SUPPORTED, message, message_bytes, key, path,
                   "a file of the boot image cannot be written; use ro or volatile");
    if (status != MX_OK)
        return say(status, message, message_bytes, key, path, mx_status_string(status));
    if (file->size_bytes > 0)
        return MX_OK;
    handle_close(file->handle);
    return say(MX_ERR_INVALID_ARGS, message, message_bytes, key, path, "the file is empty");
}

// Reads an extent into memory of its own.
static mx_status_t read_extent(struct manager_file *file)
{
    struct block_client client;
    uint64_t whole;
    uint32_t memory;
    mx_handle_t vmo = MX_HANDLE_INVALID;
    mx_status_t status = block_client_open(&client, file->handle);

    if (status == MX_OK && client.size_bytes < file->size_bytes)
        status = MX_ERR_IO_DATA_INTEGRITY;
    if (status == MX_OK) {
        whole = (file->size_bytes + client.block_bytes - 1) & ~(uint64_t)(client.block_bytes - 1);
        status = mx_vmo_create(whole, &vmo);
    }
    if (status == MX_OK)
        status = block_client_attach(&client, vmo, &memory);
    if (status == MX_OK)
        status = block_client_copy(&client, BLOCK_READ, 0, whole, memory, 0);
    handle_close(file->handle);
    file->handle = vmo;
    file->is_extent = false;
    return status;
}

static mx_handle_t own_aspace(void)
{
    return startup_handle_look(MX_STARTUP_SELF_ASPACE, 0);
}

mx_status_t guest_files_map(struct guest *guest, const char *key, const char *path,
                            struct guest_file *file, char *message, size_t message_bytes)
{
    uint64_t address = 0;
    struct manager_file opened;

    *file = (struct guest_file){.mapped_bytes = 0};
    if (path[0] == '\0')
        return MX_OK;
    mx_status_t status = open_file(guest, key, path, false, &opened, message, message_bytes);
    if (status != MX_OK)
        return status;
    if (opened.is_extent)
        status = read_extent(&opened);
    file->mapped_bytes = (opened.size_bytes + MX_PAGE_SIZE - 1) & ~(uint64_t)(MX_PAGE_SIZE - 1);
    if (status == MX_OK)
        status = mx_aspace_map(own_aspace(), MX_MAP_READ, opened.handle, 0, file->mapped_bytes,
                               &address);
    handle_close(opened.handle);
    if (status != MX_OK)
        return say(status, message, message_bytes, key, path, mx_status_string(status));
    file->blob = (struct boot_blob){(const void *)(uintptr_t)address, opened.size_bytes};
    return MX_OK;
}

void guest_files_unmap(struct guest_file *file)
{
    if (file->blob.data &&
        mx_aspace_unmap(own_aspace(), (uintptr_t)file->blob.data, file->mapped_bytes) != MX_OK)
        abort();
    *file = (struct guest_file){.mapped_bytes = 0};
}

// --- the configuration --------------------------------------------------------------------------

static mx_status_t parse_config(struct guest *guest, const struct guest_file *file, char *message,
                                size_t message_bytes)
{
    const size_t size_bytes = file->blob.size_bytes;

    if (size_bytes > GUEST_CONFIG_FILE_BYTES_MAX) {
        snprintf(message, message_bytes, "%s: %zu bytes; at most %d are read", CONFIG_PATH,
                 size_bytes, GUEST_CONFIG_FILE_BYTES_MAX);
        return MX_ERR_FILE_TOO_BIG;
    }
    char *text = malloc(size_bytes); // the parser overwrites it
    if (!text) {
        snprintf(message, message_bytes, "%s: no memory to read it", CONFIG_PATH);
        return MX_ERR_NO_MEMORY;
    }
    memcpy(text, file->blob.data, size_bytes);
    const mx_status_t status =
        guest_config_parse(&guest->config, CONFIG_PATH, text, size_bytes, message, message_bytes);
    free(text);
    return status;
}

static mx_status_t apply_overrides(struct guest *guest, const struct manager_launch *launch,
                                   char *message, size_t message_bytes)
{
    const char *key, *value;
    size_t at = 0;
    mx_status_t status = MX_OK;

    while (status == MX_OK && (key = manager_next_override(launch, &at, &value)))
        status = guest_config_apply_override(&guest->config, key, value, message, message_bytes);
    return status;
}

mx_status_t guest_files_read_config(struct guest *guest, const struct manager_launch *launch,
                                    char *message, size_t message_bytes)
{
    struct guest_file file;
    mx_status_t status =
        guest_files_map(guest, "package", CONFIG_PATH, &file, message, message_bytes);

    if (status != MX_OK)
        return status;
    guest_config_init(&guest->config);
    status = parse_config(guest, &file, message, message_bytes);
    guest_files_unmap(&file);
    if (status == MX_OK)
        status = apply_overrides(guest, launch, message, message_bytes);
    if (status == MX_OK)
        status = guest_config_finish(&guest->config, CONFIG_PATH, message, message_bytes);
    return status;
}

// --- disks --------------------------------------------------------------------------------------

static mx_status_t open_disk(struct guest *guest, const struct guest_block *block,
                             struct manager_file *file, char *message, size_t message_bytes)
{
    *file = (struct manager_file){.size_bytes = block->memory_bytes};
    if (block->memory_bytes > 0) {
        const mx_status_t status =
            mx_vmo_create((block->memory_bytes + MX_PAGE_SIZE - 1) & ~(uint64_t)(MX_PAGE_SIZE - 1),
                          &file->handle);
        return status == MX_OK ? status
                               : say(status, message, message_bytes, "block", "memory disk",
                                     mx_status_string(status));
    }
    mx_status_t status =
        open_file(guest, "block", block->path, block->mode == GUEST_BLOCK_READ_WRITE, file, message,
                  message_bytes);
    if (status != MX_OK || file->size_bytes % GUEST_CONFIG_SECTOR_BYTES == 0)
        return status;
    handle_close(file->handle);
    return say(MX_ERR_INVALID_ARGS, message, message_bytes, "block", block->path,
               "its size is not a multiple of 512 bytes");
}

mx_status_t guest_files_disk_bytes(struct guest *guest, uint64_t *total_bytes, char *message,
                                   size_t message_bytes)
{
    *total_bytes = 0;
    for (unsigned i = 0; i < guest->config.block_count; i++) {
        const struct guest_block *block = &guest->config.blocks[i];
        uint64_t size_bytes = block->memory_bytes;
        bool is_extent = false;
        if (size_bytes == 0) {
            struct manager_file file;
            const mx_status_t status = open_disk(guest, block, &file, message, message_bytes);
            if (status != MX_OK)
                return status;
            handle_close(file.handle);
            size_bytes = file.size_bytes;
            is_extent = file.is_extent;
        }
        if (block->mode == GUEST_BLOCK_READ_ONLY ||
            (is_extent && block->mode == GUEST_BLOCK_READ_WRITE))
            continue;
        if (size_bytes > UINT64_MAX / 2 - *total_bytes)
            return say(MX_ERR_OUT_OF_RANGE, message, message_bytes, "block", "all disks",
                       "they are too large");
        *total_bytes += size_bytes;
    }
    return MX_OK;
}

static const char *mode_word(enum guest_block_mode mode)
{
    switch (mode) {
    case GUEST_BLOCK_UNSET:
    case GUEST_BLOCK_READ_ONLY:
        return BLOCK_MODE_READ_ONLY;
    case GUEST_BLOCK_READ_WRITE:
        return BLOCK_MODE_READ_WRITE;
    case GUEST_BLOCK_VOLATILE:
        return BLOCK_MODE_VOLATILE;
    }
    return BLOCK_MODE_READ_ONLY;
}

static unsigned disk_queue_count(const struct guest *guest)
{
    return guest->config.cpu_count < DISK_QUEUES_MAX ? guest->config.cpu_count : DISK_QUEUES_MAX;
}

static mx_status_t start_disk(struct guest *guest, unsigned index, char *message,
                              size_t message_bytes)
{
    const struct guest_block *block = &guest->config.blocks[index];
    char size[NUMBER_SIZE], queues[NUMBER_SIZE], name[NUMBER_SIZE];
    struct manager_file file;
    mx_status_t status = open_disk(guest, block, &file, message, message_bytes);

    if (status != MX_OK)
        return status;
    const char *const argv[] = {mode_word(block->mode), size, queues, name,
                                file.is_extent ? BLOCK_KIND_EXTENT : BLOCK_KIND_MEMORY};
    struct virtio_device_spec spec = {.program = "virtio-block",
                                      .queue_count = disk_queue_count(guest),
                                      .backend = file.handle,
                                      .hands_ram_on = file.is_extent,
                                      .argv = argv,
                                      .argc = sizeof(argv) / sizeof(argv[0])};

    snprintf(size, sizeof(size), "%llu", (unsigned long long)file.size_bytes);
    snprintf(queues, sizeof(queues), "%u", spec.queue_count);
    snprintf(name, sizeof(name), "machina-disk-%u", index);
    status = virtio_device_start(guest, &spec);
    return status == MX_OK ? status
                           : say(status, message, message_bytes, "block",
                                 block->memory_bytes > 0 ? "memory disk" : block->path,
                                 "its device cannot be started");
}

mx_status_t guest_files_start_disks(struct guest *guest, char *message, size_t message_bytes)
{
    mx_status_t status = MX_OK;

    for (unsigned i = 0; status == MX_OK && i < guest->config.block_count; i++)
        status = start_disk(guest, i, message, message_bytes);
    return status;
}
