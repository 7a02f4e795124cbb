// The start-up message; see startup.h.

#include "user/portable/startup.h"

#include <stdbool.h>
#include <string.h>

// Where the next bytes of a message go; `is_full` once something did not fit.
struct writer {
    char *message;
    size_t capacity_bytes;
    size_t used_bytes;
    bool is_full;
};

static void writer_add(struct writer *writer, const void *bytes, size_t size_bytes)
{
    if (writer->is_full || size_bytes > writer->capacity_bytes - writer->used_bytes) {
        writer->is_full = true;
        return;
    }
    if (size_bytes != 0)
        memcpy(writer->message + writer->used_bytes, bytes, size_bytes);
    writer->used_bytes += size_bytes;
}

mx_status_t startup_write(void *message, size_t capacity_bytes,
                          const struct mx_startup_handle *handles, size_t handle_count,
                          const char *const *argv, size_t argc, const char *const *env, size_t envc,
                          size_t *size_bytes)
{
    struct writer writer = {message, capacity_bytes, 0, false};
    struct mx_startup_message header = {.magic = MX_STARTUP_MAGIC};

    if (handle_count > MX_STARTUP_MAX_HANDLES || argc > MX_STARTUP_MAX_STRINGS ||
        envc > MX_STARTUP_MAX_STRINGS - argc)
        return MX_ERR_OUT_OF_RANGE;
    if (writer.capacity_bytes > MX_STARTUP_MAX_BYTES)
        writer.capacity_bytes = MX_STARTUP_MAX_BYTES;
    writer_add(&writer, &header, sizeof(header));
    writer_add(&writer, handles, handle_count * sizeof(handles[0]));
    size_t strings_start = writer.used_bytes;
    for (size_t i = 0; i < argc; i++)
        writer_add(&writer, argv[i], strlen(argv[i]) + 1);
    for (size_t i = 0; i < envc; i++)
        writer_add(&writer, env[i], strlen(env[i]) + 1);
    if (writer.is_full)
        return MX_ERR_OUT_OF_RANGE;
    header.size_bytes = (uint32_t)writer.used_bytes;
    header.handle_count = (uint32_t)handle_count;
    header.argc = (uint32_t)argc;
    header.envc = (uint32_t)envc;
    header.strings_bytes = (uint32_t)(writer.used_bytes - strings_start);
    memcpy(message, &header, sizeof(header));
    *size_bytes = writer.used_bytes;
    return MX_OK;
}

static bool is_header_valid(const struct mx_startup_message *header, size_t size_bytes,
                            size_t handle_count)
{
    return header->magic == MX_STARTUP_MAGIC && header->size_bytes == size_bytes &&
           size_bytes <= MX_STARTUP_MAX_BYTES && header->handle_count == handle_count &&
           handle_count <= MX_STARTUP_MAX_HANDLES && header->argc <= MX_STARTUP_MAX_STRINGS &&
           header->envc <= MX_STARTUP_MAX_STRINGS - header->argc &&
           header->strings_bytes <= size_bytes &&
           sizeof(*header) + handle_count * sizeof(struct mx_startup_handle) +
                   header->strings_bytes ==
               size_bytes;
}

// Points strings[0..count) to the strings at *at; false when one has no end.
static bool take_strings(char **strings, uint32_t count, char **at, const char *end)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t room = (size_t)(end - *at);
        size_t length = strnlen(*at, room);
        if (length == room)
            return false;
        strings[i] = *at;
        *at += length + 1;
    }
    strings[count] = NULL;
    return true;
}

mx_status_t startup_read(void *message, size_t size_bytes, size_t handle_count,
                         struct startup *startup)
{
    struct mx_startup_message header;
    char *at = message;

    memset(startup, 0, sizeof(*startup));
    if (size_bytes < sizeof(header))
        return MX_ERR_IO_DATA_INTEGRITY;
    memcpy(&header, message, sizeof(header));
    if (!is_header_valid(&header, size_bytes, handle_count))
        return MX_ERR_IO_DATA_INTEGRITY;
    at += sizeof(header);
    memcpy(startup->handles, at, handle_count * sizeof(startup->handles[0]));
    at += handle_count * sizeof(startup->handles[0]);
    const char *end = (char *)message + size_bytes;
    if (!take_strings(startup->strings, header.argc, &at, end) ||
        !take_strings(startup->strings + header.argc + 1, header.envc, &at, end) || at != end) {
        memset(startup, 0, sizeof(*startup));
        return MX_ERR_IO_DATA_INTEGRITY;
    }
    startup->argc = header.argc;
    startup->envc = header.envc;
    startup->handle_count = header.handle_count;
    return MX_OK;
}
