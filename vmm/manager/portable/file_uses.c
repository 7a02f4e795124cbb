// Uses of files; see file_uses.h.
#include "vmm/manager/portable/file_uses.h"

#include <string.h>

static unsigned find(const struct file_uses *uses, const char *path)
{
    unsigned i = 0;

    while (i < uses->count && strcmp(uses->uses[i].path, path) != 0)
        i++;
    return i;
}

bool file_uses_rule_out(const struct file_uses *others, const char *path, bool is_writable)
{
    const unsigned i = find(others, path);

    return i < others->count && (is_writable || others->uses[i].is_writable);
}

mx_status_t file_uses_add(struct file_uses *uses, const char *path, bool is_writable)
{
    const size_t length = strlen(path);
    const unsigned i = find(uses, path);

    if (length >= FILE_USES_PATH_BYTES)
        return MX_ERR_BAD_PATH;
    if (i == FILE_USES_MAX)
        return MX_ERR_NO_RESOURCES;
    if (i == uses->count) {
        memcpy(uses->uses[i].path, path, length + 1);
        uses->uses[i].is_writable = false;
        uses->count++;
    }
    uses->uses[i].is_writable |= is_writable;
    return MX_OK;
}
