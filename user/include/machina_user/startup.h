// What this process was given when it started (<machina/startup.h>).
#pragma once

#include <machina/startup.h>

// Takes the handle for its caller to keep and close; MX_HANDLE_INVALID if there was none or it was
// taken.
mx_handle_t startup_handle_take(uint32_t kind, uint32_t arg);
// The same without taking it: the handle stays, and is not to be closed.
mx_handle_t startup_handle_look(uint32_t kind, uint32_t arg);
// The channel that the start-up message came through; the other end is with the launcher, if it
// kept it.
mx_handle_t startup_channel(void);
// "NAME=value" strings, ending in NULL.
char **startup_environment(void);
