// Configurations of packages on disks; see package_config.h.
#include "vmm/manager/package_config.h"

#include <string.h>

#include "vmm/manager/packages.h"

mx_status_t package_config_read(const char *package, uint32_t override_count, const char *overrides,
                                struct guest_config *config, char *message, size_t message_bytes)
{
    static char text[GUEST_CONFIG_FILE_BYTES_MAX];
    size_t size_bytes;
    mx_status_t status = packages_read_config(package, text, sizeof(text), &size_bytes);

    message[0] = '\0';
    if (status != MX_OK)
        return status;
    guest_config_init(config);
    status =
        guest_config_parse(config, PACKAGE_CONFIG_FILE, text, size_bytes, message, message_bytes);
    for (uint32_t i = 0; status == MX_OK && i < override_count; i++) {
        const char *key = overrides, *value = key + strlen(key) + 1;
        status = guest_config_apply_override(config, key, value, message, message_bytes);
        overrides = value + strlen(value) + 1;
    }
    return status == MX_OK
               ? guest_config_finish(config, PACKAGE_CONFIG_FILE, message, message_bytes)
               : status;
}
