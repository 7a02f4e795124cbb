// The reboot command: starts the machine again.

#include <stdio.h>
#include <stdlib.h>

#include <machina/syscalls.h>

#include <machina_user/startup.h>

int main(void)
{
    mx_handle_t resource = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM);
    mx_status_t status = mx_system_power(resource, MX_POWER_REBOOT);

    printf("reboot: %s\n", mx_status_string(status));
    return EXIT_FAILURE;
}
