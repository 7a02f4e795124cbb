// Writing a bootfs archive; see bootfs_writer.h.

#include "boot/bootfs_writer.h"

#include <string.h>

#include "boot/bootfs.h"

static uint64_t align_page(uint64_t offset)
{
    return (offset + BOOTFS_PAGE_BYTES - 1) & ~(uint64_t)(BOOTFS_PAGE_BYTES - 1);
}

static size_t entry_size(const char *name)
{
    return (BOOTFS_ENTRY_BYTES + strlen(name) + 1 + 3) & ~(size_t)3;
}

static size_t directory_size(const struct bootfs_source *files, size_t file_count)
{
    size_t size_bytes = 0;
    for (size_t i = 0; i < file_count; i++)
        size_bytes += entry_size(files[i].name);
    return size_bytes;
}

// Whether one of the files has a path that goes through `name` as a directory.
static bool is_directory_of_any(const struct bootfs_source *files, size_t file_count,
                                const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < file_count; i++) {
        if (strncmp(files[i].name, name, length) == 0 && files[i].name[length] == '/')
            return true;
    }
    return false;
}

mx_status_t bootfs_plan(const struct bootfs_source *files, size_t file_count, size_t *size_bytes,
                        size_t *bad_index)
{
    for (size_t i = 0; i < file_count; i++) {
        *bad_index = i;
        if (!bootfs_is_name_valid(files[i].name))
            return MX_ERR_INVALID_ARGS;
        if (i > 0 && strcmp(files[i - 1].name, files[i].name) >= 0)
            return MX_ERR_ALREADY_EXISTS;
        if (is_directory_of_any(files + i, file_count - i, files[i].name))
            return MX_ERR_ALREADY_EXISTS;
    }

    uint64_t end = align_page(BOOTFS_HEADER_BYTES + directory_size(files, file_count));
    for (size_t i = 0; i < file_count; i++) {
        *bad_index = i;
        if (files[i].size_bytes > UINT32_MAX)
            return MX_ERR_FILE_TOO_BIG;
        end = align_page(end + files[i].size_bytes);
        if (end > UINT32_MAX)
            return MX_ERR_FILE_TOO_BIG;
    }
    *size_bytes = (size_t)end;
    return MX_OK;
}

void bootfs_write(const struct bootfs_source *files, size_t file_count, void *buffer,
                  size_t size_bytes)
{
    uint8_t *archive = buffer;
    uint32_t directory_bytes = (uint32_t)directory_size(files, file_count);
    const uint32_t header[4] = {BOOTFS_MAGIC, directory_bytes, 0, 0};
    uint8_t *entry = archive + sizeof header;
    uint32_t data_offset = (uint32_t)align_page(sizeof header + directory_bytes);

    memset(archive, 0, size_bytes);
    memcpy(archive, header, sizeof header);
    for (size_t i = 0; i < file_count; i++) {
        uint32_t data_bytes = (uint32_t)files[i].size_bytes;
        const uint32_t words[3] = {(uint32_t)strlen(files[i].name) + 1, data_bytes, data_offset};
        memcpy(entry, words, sizeof words);
        memcpy(entry + sizeof words, files[i].name, words[0]);
        entry += entry_size(files[i].name);
        if (data_bytes)
            memcpy(archive + data_offset, files[i].data, data_bytes);
        data_offset = (uint32_t)align_page((uint64_t)data_offset + data_bytes);
    }
}
