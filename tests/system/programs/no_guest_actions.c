// In place of guest_actions.c where the architecture has no guests for the tests.

#include "tests/system/programs/guest_actions.h"

#include <machina/syscalls.h>
#include <machina_user/startup.h>

int do_guest_spin(const char *argument)
{
    (void)argument;
    if (mx_channel_write(startup_channel(), "r", 1, NULL, 0) != MX_OK)
        return 1;
    mx_nanosleep(MX_TIME_INFINITE);
    return 0;
}

int do_guest_halt(const char *argument)
{
    return do_guest_spin(argument);
}
