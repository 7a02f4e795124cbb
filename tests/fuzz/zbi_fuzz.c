// Any bytes as a ZBI container: check and iteration agree, nothing leaves the data, appending
// works.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/zbi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_items(const uint8_t *data, size_t size)
{
    struct zbi_iterator iterator = zbi_iterate(data, size);
    struct zbi_item item;
    size_t count = 0;

    for (; zbi_next(&iterator, &item); count++) {
        if (item.size_bytes > size || item.offset > size - item.size_bytes)
            abort();
        (void)zbi_crc32(0, item.payload, item.size_bytes);
        (void)zbi_type_name(item.type);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct format_error error = {0};
    size_t capacity = size + 64, before = count_items(data, size);
    mx_status_t checked = zbi_check(data, size, &error);

    if (checked != MX_OK && (!error.reason || error.offset > size))
        abort();
    uint8_t *copy = calloc(1, capacity);
    if (size)
        memcpy(copy, data, size);
    if (checked == MX_OK &&
        (zbi_append(copy, capacity, ZBI_TYPE_CMDLINE, 0, "word", 5, true) != MX_OK ||
         zbi_check(copy, capacity, &error) != MX_OK || count_items(copy, capacity) != before + 1))
        abort();
    free(copy);
    return 0;
}
