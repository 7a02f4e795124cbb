// Any bytes as a shell line: words that end, a column for every refusal, a cursor within the line.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/portable/shell_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_commands(const struct shell_line *parsed, size_t size)
{
    size_t bytes = 0;
    for (size_t i = 0; i < parsed->command_count; i++) {
        const struct shell_command *command = &parsed->commands[i];
        if (command->argc == 0 || command->argv[command->argc])
            abort();
        for (size_t k = 0; k < command->argc; k++)
            bytes += strlen(command->argv[k]);
    }
    if (bytes > size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct shell_line parsed;
    struct shell_error error = {0};
    char *line = malloc(size + !size);

    if (size)
        memcpy(line, data, size);
    struct shell_cursor cursor = shell_cursor_at(line, size);
    if (cursor.word_start > size || cursor.command_start > cursor.word_start)
        abort();
    if (shell_parse(line, size, &parsed, &error) == MX_OK)
        check_commands(&parsed, size);
    else if (!error.reason || !error.column)
        abort();
    free(line);
    return 0;
}
