// What a DHCP or PXE server's answer says about where the loader came from (RFC 2131, section 2;
// RFC 2132, sections 9.4 "TFTP server name", 9.5 "Bootfile name", 9.7 "Server Identifier"). The
// answer comes from the network: every length is checked.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP_PATH_BYTES 256 // with the NUL

struct dhcp_origin {
    uint8_t server[4];
    char folder[DHCP_PATH_BYTES]; // that the loader's file was in: empty, or ends in a slash
};

// False: the answer names no server.
bool dhcp_reply_read(const void *packet, size_t size_bytes, struct dhcp_origin *origin);
