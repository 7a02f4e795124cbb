// The uptime command: time since the machine started.

#include <stdio.h>

#include <machina/syscalls.h>

#include "user/portable/format.h"

int main(void)
{
    char buffer[32];
    struct text text = text_begin(buffer, sizeof(buffer));

    text_add_duration(&text, (uint64_t)(mx_clock_get_monotonic() / MX_SEC(1)));
    printf("up %s\n", buffer);
    return 0;
}
