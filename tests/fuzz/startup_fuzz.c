// The start-up message: a process must survive whatever its launcher sends.

#include "user/portable/startup.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct startup startup;
    size_t handle_count = size > 8 ? data[8] : 0;
    size_t total = 0;

    // A block of its own size, so that a read beyond it is seen.
    char *message = malloc(size ? size : 1);
    memcpy(message, data, size);
    if (startup_read(message, size, handle_count, &startup) == MX_OK) {
        for (char **at = startup_argv(&startup); *at; at++)
            total += strlen(*at) + 1;
        for (char **at = startup_env(&startup); *at; at++)
            total += strlen(*at) + 1;
        if (total >= size)
            abort();
    }
    free(message);
    return 0;
}
