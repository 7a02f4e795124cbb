// Any NUL-separated words as a command's arguments: matches within their limits, or a message.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/portable/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct option table[] = {
    {"flag", 'f', OPTION_FLAG, true, NULL, "a flag", 0, 0},
    {"number", 'n', OPTION_NUMBER, false, "N", "a number", 2, 9},
    {"size", 's', OPTION_SIZE, true, "SIZE", "a size", 0, 4096},
    {"text", 't', OPTION_TEXT, true, "TEXT", "a text", 0, 0},
};
static const struct option_command command = {"fuzz", "Nothing.", "WORD", 0, 3, table, 4};

static void check(const struct options *options)
{
    if (options->match_count > OPTIONS_MATCHES_MAX || options->argument_count > 3)
        abort();
    for (size_t i = 0; i < options->match_count; i++) {
        const struct option_match *match = &options->matches[i];
        if ((match->option->kind == OPTION_FLAG) != (match->value == NULL))
            abort();
        if (match->option->kind == OPTION_NUMBER && (match->number < 2 || match->number > 9))
            abort();
        if (match->option->kind == OPTION_SIZE && match->number > 4096)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct options options;
    static char *argv[256];
    char *text = malloc(size + 1);
    size_t argc = 1;

    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    argv[0] = text + size;
    for (char *word = text; word < text + size && argc < 256; word += strlen(word) + 1)
        argv[argc++] = word;
    if (options_parse(&command, argc, argv, &options) == MX_OK)
        check(&options);
    else if (options.message[0] == '\0')
        abort();
    free(text);
    return 0;
}
