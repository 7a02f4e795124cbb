// One line of text that a person edits with the keys that firmware knows.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_FIELD_BYTES 512 // with the NUL

// Keys without a character.
enum text_key {
    TEXT_KEY_NONE,
    TEXT_KEY_UP,
    TEXT_KEY_DOWN,
    TEXT_KEY_LEFT,
    TEXT_KEY_RIGHT,
    TEXT_KEY_HOME,
    TEXT_KEY_END,
    TEXT_KEY_DELETE,
    TEXT_KEY_ESCAPE,
};

struct text_field {
    char text[TEXT_FIELD_BYTES];
    size_t length;
    size_t cursor;
};

enum text_field_event {
    TEXT_FIELD_MORE,
    TEXT_FIELD_DONE,   // Enter
    TEXT_FIELD_CANCEL, // Escape
};

// What does not fit is cut.
void text_field_set(struct text_field *field, const char *text);
// A key: a character (0: none) or one of enum text_key. Other characters than printable ASCII,
// carriage return and backspace are ignored.
enum text_field_event text_field_feed(struct text_field *field, uint32_t character,
                                      enum text_key key);
