// Which files of its package one run of a guest has opened, and which of them to write.
//
// Two guests may read a file at the same time. One that is written is nobody else's: what another
// reads of it, or writes to it, fits to nothing that either of them holds in memory.
#pragma once

#include <stdbool.h>

#include <machina/status.h>

enum {
    FILE_USES_MAX = 32, // configuration, kernel, ramdisk, overlay, and the most disks fit
    FILE_USES_PATH_BYTES = 256,
};

struct file_use {
    bool is_writable;
    char path[FILE_USES_PATH_BYTES];
};

struct file_uses {
    unsigned count;
    struct file_use uses[FILE_USES_MAX];
};

// Whether another guest, which has these uses of the package, rules out that the file is opened.
bool file_uses_rule_out(const struct file_uses *others, const char *path, bool is_writable);
// Notes a file. One that is noted may be noted again, also to write it. NO_RESOURCES: too many.
// BAD_PATH: too long.
MX_MUST_CHECK mx_status_t file_uses_add(struct file_uses *uses, const char *path, bool is_writable);
