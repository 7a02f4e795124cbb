// Text and keys by the firmware's consoles: screen and keyboard, and serial where the firmware has
// it so.
#pragma once

#include "boot/efi/firmware.h"
#include "boot/loader/text_field.h"

void console_start(void);
void console_clear(void);
// Lines end in "\n". No longer than 500 characters at once.
void console_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct console_key {
    uint32_t character; // 0: none
    enum text_key key;
};

// Waits for a key, or until a second has passed; false: it has.
bool console_wait(struct console_key *key);
// Says that a key leads on, and waits for it.
void console_pause(void);
// Lets a person edit the field in a line of its own; false if given up.
bool console_edit(const char *prompt, struct text_field *field);
