// The start-up message (<machina/startup.h>): building it in a launcher, reading it in the new
// process.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <machina/startup.h>

// What a message says. The strings and records lie in the message.
struct startup {
    uint32_t argc, envc;
    char *strings[MX_STARTUP_MAX_STRINGS + 2]; // arguments, NULL, environment, NULL
    uint32_t handle_count;
    struct mx_startup_handle handles[MX_STARTUP_MAX_HANDLES];
};

// Writes a message. OUT_OF_RANGE: too many handles or strings, or more than min(capacity_bytes,
// MX_STARTUP_MAX_BYTES). NULL lists are for counts of 0.
MX_MUST_CHECK mx_status_t startup_write(void *message, size_t capacity_bytes,
                                        const struct mx_startup_handle *handles,
                                        size_t handle_count, const char *const *argv, size_t argc,
                                        const char *const *env, size_t envc, size_t *size_bytes);

// Reads a message that came with `handle_count` handles. The message (aligned to 4 bytes) stays in
// use by *startup. IO_DATA_INTEGRITY: malformed; *startup is then empty: no strings, no handles.
MX_MUST_CHECK mx_status_t startup_read(void *message, size_t size_bytes, size_t handle_count,
                                       struct startup *startup);

static inline char **startup_argv(struct startup *startup)
{
    return startup->strings;
}

static inline char **startup_env(struct startup *startup)
{
    return startup->strings + startup->argc + 1;
}
