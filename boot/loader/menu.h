// The boot loader's menu as a model: entries, what is chosen, and the time that is left. Who owns
// it draws it and does what it says.
#pragma once

#include "boot/loader/text_field.h"

#define MENU_IMAGE_MAX  12
#define MENU_NAME_BYTES 128 // of a file, with the NUL
#define MENU_ENTRY_MAX  (MENU_IMAGE_MAX + 4)

enum menu_action {
    MENU_NOTHING,
    MENU_START,    // the image menu_image()
    MENU_CMDLINE,  // edit the command line
    MENU_OTHER,    // ask for the name of another image
    MENU_RESTART,  // the computer
    MENU_FIRMWARE, // the firmware's own set-up
};

struct menu_entry {
    enum menu_action action;
    size_t image_index;
};

struct menu {
    char images[MENU_IMAGE_MAX][MENU_NAME_BYTES];
    size_t image_count;
    struct menu_entry entries[MENU_ENTRY_MAX];
    size_t entry_count;
    size_t chosen;
    uint32_t seconds_left; // until it starts what is chosen
    bool is_counting;      // until the first key
};

// Empty, with the time-out in seconds; 0: waits for ever.
void menu_init(struct menu *menu, uint32_t timeout_seconds);
// Adds an image, unless it is there or its name has no room; false if not.
bool menu_add_image(struct menu *menu, const char *name);
// Makes the entries, the images first; the first is chosen.
void menu_finish(struct menu *menu, bool has_firmware_setup);
enum menu_action menu_feed(struct menu *menu, uint32_t character, enum text_key key);
// A second has passed.
enum menu_action menu_tick(struct menu *menu);
// The image that is chosen; NULL: none is.
const char *menu_image(const struct menu *menu);
// What stands in the menu for entry `index`, which has room for MENU_NAME_BYTES.
const char *menu_title(const struct menu *menu, size_t index);
