// Editing one line; see text_field.h.
#include "boot/loader/text_field.h"

#include <string.h>

void text_field_set(struct text_field *field, const char *text)
{
    field->length = strnlen(text, sizeof field->text - 1);
    memcpy(field->text, text, field->length);
    field->text[field->length] = '\0';
    field->cursor = field->length;
}

static void delete_at(struct text_field *field, size_t at)
{
    if (at >= field->length)
        return;
    memmove(field->text + at, field->text + at + 1, field->length - at);
    field->length--;
}

static void insert(struct text_field *field, char character)
{
    if (field->length + 1 >= sizeof field->text)
        return;
    memmove(field->text + field->cursor + 1, field->text + field->cursor,
            field->length - field->cursor + 1);
    field->text[field->cursor++] = character;
    field->length++;
}

static enum text_field_event feed_key(struct text_field *field, enum text_key key)
{
    switch (key) {
    case TEXT_KEY_LEFT:
        field->cursor -= field->cursor > 0;
        break;
    case TEXT_KEY_RIGHT:
        field->cursor += field->cursor < field->length;
        break;
    case TEXT_KEY_HOME:
        field->cursor = 0;
        break;
    case TEXT_KEY_END:
        field->cursor = field->length;
        break;
    case TEXT_KEY_DELETE:
        delete_at(field, field->cursor);
        break;
    case TEXT_KEY_ESCAPE:
        return TEXT_FIELD_CANCEL;
    case TEXT_KEY_NONE:
    case TEXT_KEY_UP:
    case TEXT_KEY_DOWN:
        break;
    }
    return TEXT_FIELD_MORE;
}

enum text_field_event text_field_feed(struct text_field *field, uint32_t character,
                                      enum text_key key)
{
    if (character == 0)
        return feed_key(field, key);
    if (character == '\r' || character == '\n')
        return TEXT_FIELD_DONE;
    if (character == 0x1b)
        return TEXT_FIELD_CANCEL;
    if ((character == '\b' || character == 0x7f) && field->cursor > 0)
        delete_at(field, --field->cursor);
    else if (character >= 0x20 && character < 0x7f)
        insert(field, (char)character);
    return TEXT_FIELD_MORE;
}
