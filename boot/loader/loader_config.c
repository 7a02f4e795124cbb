// The loader's configuration; see loader_config.h.
#include "boot/loader/loader_config.h"

#include <string.h>

static const char *take_timeout(struct loader_config *config, const char *value, size_t length)
{
    uint32_t seconds = 0;

    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9' || seconds > LOADER_TIMEOUT_MAX)
            return "timeout: write a number of seconds from 0 to 3600";
        seconds = seconds * 10 + (uint32_t)(value[i] - '0');
    }
    if (length == 0 || seconds > LOADER_TIMEOUT_MAX)
        return "timeout: write a number of seconds from 0 to 3600";
    config->timeout_seconds = seconds;
    return NULL;
}

static const char *take_image(struct loader_config *config, const char *value, size_t length)
{
    if (length == 0 || length >= MENU_NAME_BYTES)
        return "image: write a file name of at most 127 characters";
    if (config->image_count == MENU_IMAGE_MAX)
        return "image: there are more than 12";
    memcpy(config->images[config->image_count], value, length);
    config->images[config->image_count++][length] = '\0';
    return NULL;
}

static const char *take_cmdline(struct loader_config *config, const char *value, size_t length)
{
    if (length >= sizeof config->cmdline)
        return "cmdline: it is longer than 511 characters";
    memcpy(config->cmdline, value, length);
    config->cmdline[length] = '\0';
    return NULL;
}

static const struct {
    const char *word;
    const char *(*take)(struct loader_config *config, const char *value, size_t length);
} settings[] = {
    {"timeout", take_timeout},
    {"image", take_image},
    {"cmdline", take_cmdline},
};

static bool is_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    }
    return true;
}

static const char *take_line(struct loader_config *config, const char *line, size_t length)
{
    size_t word_length = 0;

    while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == ' '))
        length--;
    if (length == 0 || line[0] == '#')
        return NULL;
    if (!is_printable(line, length))
        return "a character that is not printable ASCII";
    while (word_length < length && line[word_length] != ' ')
        word_length++;
    size_t value_at = word_length;
    while (value_at < length && line[value_at] == ' ')
        value_at++;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (strlen(settings[i].word) == word_length &&
            memcmp(line, settings[i].word, word_length) == 0)
            return settings[i].take(config, line + value_at, length - value_at);
    }
    return "the line begins with none of timeout, image and cmdline";
}

void loader_config_read(const char *text, size_t size_bytes, struct loader_config *config,
                        struct loader_config_error *error)
{
    unsigned line = 1;

    memset(config, 0, sizeof *config);
    config->timeout_seconds = LOADER_TIMEOUT_DEFAULT;
    *error = (struct loader_config_error){0};
    for (size_t at = 0; at < size_bytes; line++) {
        size_t length = 0;
        while (at + length < size_bytes && text[at + length] != '\n')
            length++;
        const char *reason = take_line(config, text + at, length);

        if (reason && !error->reason)
            *error = (struct loader_config_error){line, reason};
        at += length + 1;
    }
}
