// Any bytes as what the boot loader gets from a disk or a network: a boot image, its configuration,
// a server's answer.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/loader/boot_plan.h"
#include "boot/loader/dhcp_reply.h"
#include "boot/loader/loader_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void plan(const uint8_t *data, size_t size)
{
    struct format_error error = {0};
    struct boot_plan result;

    if (boot_plan_make(data, size, ZBI_TYPE_KERNEL_X64, &result, &error) != MX_OK) {
        if (!error.reason)
            abort();
        return;
    }
    uint8_t *copy = malloc(size + BOOT_PLAN_SPARE_BYTES);
    memcpy(copy, data, size);
    uint8_t *container = boot_plan_make_data(copy, &result);
    if (result.kernel_bytes > size || result.entry_offset >= result.kernel_bytes ||
        zbi_check(container, size + BOOT_PLAN_SPARE_BYTES - (size_t)(container - copy), &error) !=
            MX_OK)
        abort();
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loader_config config;
    struct loader_config_error error;
    struct dhcp_origin origin;

    plan(data, size);
    loader_config_read((const char *)data, size, &config, &error);
    if (config.timeout_seconds > LOADER_TIMEOUT_MAX || config.image_count > MENU_IMAGE_MAX ||
        !memchr(config.cmdline, '\0', sizeof config.cmdline))
        abort();
    (void)dhcp_reply_read(data, size, &origin);
    if (!memchr(origin.folder, '\0', sizeof origin.folder))
        abort();
    return 0;
}
