// UEFI firmware of the host port: memory and functions that a test has; see host.h.
#include "kernel/arch/host/host_firmware.h"

#include <arch/firmware.h>

#include <string.h>

static struct host_firmware firmware;
static char ways[128];

void host_set_firmware(const struct host_firmware *new_firmware)
{
    firmware = *new_firmware;
}

const void *arch_firmware_view(paddr_t base, uint64_t size_bytes)
{
    if (base.raw < firmware.base ||
        !range_is_within(base.raw - firmware.base, size_bytes, firmware.size_bytes))
        return NULL;
    return firmware.memory + (base.raw - firmware.base);
}

bool arch_firmware_map(paddr_t base, uint64_t size_bytes, bool is_device)
{
    return firmware.map && firmware.map(base.raw, size_bytes, is_device);
}

bool arch_firmware_call(uint64_t function, const uint64_t arguments[ARCH_FIRMWARE_ARGUMENTS],
                        uint64_t *result)
{
    host_note_power_way("efi");
    return firmware.call && firmware.call(function, arguments, result);
}

void host_note_power_way(const char *way)
{
    size_t used = strlen(ways);

    if (used + strlen(way) + 2 > sizeof(ways))
        return;
    if (used != 0)
        ways[used++] = ' ';
    strcpy(ways + used, way);
}

const char *host_take_power_ways(void)
{
    static char taken[sizeof(ways)];

    memcpy(taken, ways, sizeof(ways));
    ways[0] = '\0';
    return taken;
}
