// Telling services of devices; see device_manager.h.
#include <machina_user/device_manager.h>

#include <stdio.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>

mx_status_t device_announce(mx_handle_t users, enum device_operation operation, const char *driver,
                            const char *device, mx_handle_t *channel)
{
    struct device_announcement announcement = {.operation = operation};
    mx_handle_t theirs;
    mx_status_t status = mx_channel_create(channel, &theirs);

    if (status != MX_OK)
        return status;
    snprintf(announcement.driver, sizeof(announcement.driver), "%s", driver);
    snprintf(announcement.device, sizeof(announcement.device), "%s", device);
    status = mx_channel_write(users, &announcement, sizeof(announcement), &theirs, 1);
    if (status != MX_OK)
        handle_close(*channel);
    return status;
}
