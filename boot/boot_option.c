// Options on the kernel's command line; see boot_option.h.

#include "boot/boot_option.h"

#include <string.h>

static bool is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\n';
}

static size_t word_length(const char *text)
{
    size_t length = 0;

    while (text[length] && !is_blank(text[length]))
        length++;
    return length;
}

bool boot_option_find(const char *cmdline, const char *name, char *value, size_t capacity)
{
    size_t name_length = strlen(name);
    const char *found = NULL;
    size_t found_length = 0;

    for (const char *word = cmdline; *word;) {
        size_t length = word_length(word);
        if (length > name_length && strncmp(word, name, name_length) == 0 &&
            word[name_length] == '=') {
            found = word + name_length + 1;
            found_length = length - name_length - 1;
        }
        word += length;
        while (is_blank(*word))
            word++;
    }
    if (!found || found_length >= capacity)
        return false;
    memcpy(value, found, found_length);
    value[found_length] = '\0';
    return true;
}

size_t boot_option_split(char *text, const char **parts, size_t max)
{
    size_t count = 0;

    while (count < max) {
        parts[count++] = text;
        char *comma = count < max ? strchr(text, ',') : NULL;
        if (!comma)
            break;
        *comma = '\0';
        text = comma + 1;
    }
    return count;
}
