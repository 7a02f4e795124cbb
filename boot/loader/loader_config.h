// The loader's configuration, machina.cfg beside the boot image: lines of a word and its value.
//
//   timeout SECONDS     until the first image is started, at most 3600; 0 waits for ever (default
//   5) image FILE          an image of the menu, in this order; the first is started by default
//   cmdline TEXT        goes behind the image's own command line
//
// Empty lines, and lines that begin with #, mean nothing. The file may come from anywhere: its
// length and each value are bounded.
#pragma once

#include "boot/loader/menu.h"

#define LOADER_CONFIG_BYTES_MAX 16384
#define LOADER_TIMEOUT_DEFAULT  5
#define LOADER_TIMEOUT_MAX      3600

struct loader_config {
    uint32_t timeout_seconds;
    char images[MENU_IMAGE_MAX][MENU_NAME_BYTES];
    size_t image_count;
    char cmdline[TEXT_FIELD_BYTES];
};

struct loader_config_error {
    unsigned line; // 0: all is well
    const char *reason;
};

// Fills the defaults in, then what the text says; a line that is wrong is left out, and the first
// such is in *error.
void loader_config_read(const char *text, size_t size_bytes, struct loader_config *config,
                        struct loader_config_error *error);
