// The boot loader's menu; see menu.h.
#include "boot/loader/menu.h"

#include <string.h>

void menu_init(struct menu *menu, uint32_t timeout_seconds)
{
    memset(menu, 0, sizeof *menu);
    menu->seconds_left = timeout_seconds;
    menu->is_counting = timeout_seconds != 0;
}

bool menu_add_image(struct menu *menu, const char *name)
{
    size_t length = strnlen(name, MENU_NAME_BYTES);

    if (menu->image_count == MENU_IMAGE_MAX || length == 0 || length == MENU_NAME_BYTES)
        return false;
    for (size_t i = 0; i < menu->image_count; i++) {
        if (strcmp(menu->images[i], name) == 0)
            return false;
    }
    memcpy(menu->images[menu->image_count++], name, length + 1);
    return true;
}

void menu_finish(struct menu *menu, bool has_firmware_setup)
{
    menu->entry_count = 0;
    menu->chosen = 0;
    for (size_t i = 0; i < menu->image_count; i++)
        menu->entries[menu->entry_count++] = (struct menu_entry){MENU_START, i};
    menu->entries[menu->entry_count++] = (struct menu_entry){MENU_CMDLINE, 0};
    menu->entries[menu->entry_count++] = (struct menu_entry){MENU_OTHER, 0};
    menu->entries[menu->entry_count++] = (struct menu_entry){MENU_RESTART, 0};
    if (has_firmware_setup)
        menu->entries[menu->entry_count++] = (struct menu_entry){MENU_FIRMWARE, 0};
}

enum menu_action menu_feed(struct menu *menu, uint32_t character, enum text_key key)
{
    menu->is_counting = false;
    if (key == TEXT_KEY_UP || character == 'k')
        menu->chosen = (menu->chosen + menu->entry_count - 1) % menu->entry_count;
    else if (key == TEXT_KEY_DOWN || character == 'j')
        menu->chosen = (menu->chosen + 1) % menu->entry_count;
    else if (character == '\r' || character == '\n')
        return menu->entries[menu->chosen].action;
    else if (character == 'e')
        return MENU_CMDLINE;
    return MENU_NOTHING;
}

enum menu_action menu_tick(struct menu *menu)
{
    if (!menu->is_counting)
        return MENU_NOTHING;
    if (menu->seconds_left > 0)
        menu->seconds_left--;
    if (menu->seconds_left > 0)
        return MENU_NOTHING;
    // Only once: what fails returns to a menu that waits.
    menu->is_counting = false;
    return menu->entries[menu->chosen].action;
}

const char *menu_image(const struct menu *menu)
{
    const struct menu_entry *entry = &menu->entries[menu->chosen];

    return entry->action == MENU_START ? menu->images[entry->image_index] : NULL;
}

const char *menu_title(const struct menu *menu, size_t index)
{
    switch (menu->entries[index].action) {
    case MENU_START:
        return menu->images[menu->entries[index].image_index];
    case MENU_CMDLINE:
        return "Edit the command line";
    case MENU_OTHER:
        return "Another boot image";
    case MENU_RESTART:
        return "Restart the computer";
    case MENU_FIRMWARE:
        return "Firmware set-up";
    case MENU_NOTHING:
        break;
    }
    return "";
}
