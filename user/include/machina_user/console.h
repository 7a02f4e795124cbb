// What init asks of the console service, over the service's start-up channel, by mx_channel_call.
#pragma once

#include <stdint.h>

#include <machina/types.h>

enum console_operation {
    CONSOLE_FLUSH = 1,    // answered once all output up to now has left the UART
    CONSOLE_SHOW_LOG = 2, // copy the kernel's log from now on
    CONSOLE_HIDE_LOG = 3,
};

struct console_request {
    uint32_t transaction;
    uint32_t operation; // enum console_operation
};
_Static_assert(sizeof(struct console_request) == 8, "protocol");

struct console_reply {
    uint32_t transaction;
    mx_status_t status;
};
_Static_assert(sizeof(struct console_reply) == 8, "protocol");

// The console's end of the client's stream comes as this kind.
#define CONSOLE_STARTUP_STREAM 256 // MX_STARTUP_USER
