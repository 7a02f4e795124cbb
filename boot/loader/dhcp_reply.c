// Where the loader came from; see dhcp_reply.h.
#include "boot/loader/dhcp_reply.h"

#include <string.h>

// Offsets in a packet (RFC 2131, figure 1).
enum {
    SIADDR = 20,
    FILE_NAME = 108,
    FILE_BYTES = 128,
    COOKIE = 236,
    OPTIONS = 240,

    OPTION_PAD = 0,
    OPTION_SERVER_ID = 54,
    OPTION_BOOT_FILE = 67,
    OPTION_END = 255,
};

struct option {
    const uint8_t *value;
    size_t size_bytes;
};

static bool find_option(const uint8_t *packet, size_t size_bytes, uint8_t code, struct option *out)
{
    static const uint8_t cookie[4] = {99, 130, 83, 99};

    if (size_bytes < OPTIONS || memcmp(packet + COOKIE, cookie, sizeof cookie) != 0)
        return false;
    for (size_t at = OPTIONS; at < size_bytes && packet[at] != OPTION_END;) {
        if (packet[at] == OPTION_PAD) {
            at++;
            continue;
        }
        if (size_bytes - at < 2 || packet[at + 1] > size_bytes - at - 2)
            return false;
        if (packet[at] == code) {
            *out = (struct option){packet + at + 2, packet[at + 1]};
            return true;
        }
        at += 2 + (size_t)packet[at + 1];
    }
    return false;
}

static bool is_zero(const uint8_t address[4])
{
    return (address[0] | address[1] | address[2] | address[3]) == 0;
}

// What of the path goes up to its last slash.
static void take_folder(const char *path, size_t size_bytes, struct dhcp_origin *origin)
{
    size_t length = strnlen(path, size_bytes);

    while (length > 0 && path[length - 1] != '/')
        length--;
    if (length >= sizeof origin->folder)
        length = 0;
    memcpy(origin->folder, path, length);
    origin->folder[length] = '\0';
}

bool dhcp_reply_read(const void *packet, size_t size_bytes, struct dhcp_origin *origin)
{
    const uint8_t *bytes = packet;
    struct option option;

    memset(origin, 0, sizeof *origin);
    if (size_bytes < OPTIONS)
        return false;
    if (bytes[FILE_NAME] != 0)
        take_folder((const char *)bytes + FILE_NAME, FILE_BYTES, origin);
    else if (find_option(bytes, size_bytes, OPTION_BOOT_FILE, &option))
        take_folder((const char *)option.value, option.size_bytes, origin);
    memcpy(origin->server, bytes + SIADDR, sizeof origin->server);
    if (is_zero(origin->server) && find_option(bytes, size_bytes, OPTION_SERVER_ID, &option) &&
        option.size_bytes == sizeof origin->server)
        memcpy(origin->server, option.value, sizeof origin->server);
    return !is_zero(origin->server);
}
