// Options of commands; see options.h.

#include "user/portable/options.h"

#include <string.h>

enum {
    HELP_COLUMN = 26,
    SUGGEST_DISTANCE_MAX = 2,
    SUGGEST_LENGTH_MAX = 24,
};

struct reader {
    const struct option_command *command;
    struct options *options;
    size_t argc;
    char *const *argv;
    size_t next;
};

static struct text message_begin(struct reader *reader)
{
    struct text text = text_begin(reader->options->message, sizeof reader->options->message);
    text_add(&text, reader->command->name);
    text_add(&text, ": ");
    return text;
}

static mx_status_t refuse_option(struct reader *reader, const struct option *option,
                                 const char *problem)
{
    struct text text = message_begin(reader);
    text_add(&text, "--");
    text_add(&text, option->name);
    text_add(&text, " ");
    text_add(&text, problem);
    return MX_ERR_INVALID_ARGS;
}

// --- finding options ----------------------------------------------------------------------------

static const struct option *find_long(const struct reader *reader, const char *name, size_t length)
{
    for (size_t i = 0; i < reader->command->option_count; i++) {
        const struct option *option = &reader->command->options[i];
        if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
            return option;
    }
    return NULL;
}

static const struct option *find_short(const struct reader *reader, char name)
{
    for (size_t i = 0; i < reader->command->option_count; i++) {
        if (reader->command->options[i].short_name == name)
            return &reader->command->options[i];
    }
    return NULL;
}

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Insertions, deletions and replacements that turn one word into the other (Levenshtein).
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t row[SUGGEST_LENGTH_MAX + 1];

    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = min_of(replaced, min_of(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_length];
}

static const struct option *closest_option(const struct reader *reader, const char *name,
                                           size_t length)
{
    const struct option *closest = NULL;
    size_t closest_distance = SUGGEST_DISTANCE_MAX + 1;

    if (length > SUGGEST_LENGTH_MAX)
        return NULL;
    for (size_t i = 0; i < reader->command->option_count; i++) {
        const struct option *option = &reader->command->options[i];
        size_t option_length = strlen(option->name);
        if (option_length > SUGGEST_LENGTH_MAX)
            continue;
        size_t distance = edit_distance(name, length, option->name, option_length);
        if (distance < closest_distance && distance < option_length) {
            closest = option;
            closest_distance = distance;
        }
    }
    return closest;
}

// `word` is the option as written, with its dashes.
static mx_status_t refuse_unknown(struct reader *reader, const char *word, size_t length)
{
    struct text text = message_begin(reader);
    const struct option *closest = length > 2 ? closest_option(reader, word + 2, length - 2) : NULL;

    text_add(&text, "unknown option ");
    text_add_quoted(&text, word, length);
    if (closest) {
        text_add(&text, "; did you mean --");
        text_add(&text, closest->name);
        text_add(&text, "?");
    }
    return MX_ERR_INVALID_ARGS;
}

// --- values -------------------------------------------------------------------------------------

static void add_limit(struct text *text, const struct option *option, uint64_t value)
{
    if (option->kind == OPTION_SIZE)
        text_add_size(text, value);
    else
        text_add_number(text, value);
}

static mx_status_t refuse_value(struct reader *reader, const struct option_match *match,
                                const char *problem)
{
    const struct option *option = match->option;
    struct text text = message_begin(reader);

    text_add(&text, "--");
    text_add(&text, option->name);
    text_add(&text, ": ");
    text_add_quoted(&text, match->value, strlen(match->value));
    text_add(&text, " ");
    text_add(&text, problem);
    text_add(&text, option->kind == OPTION_SIZE ? "; write bytes or a number with b, k, M or G"
                                                : "; write a whole number");
    if (option->maximum) {
        text_add(&text, " from ");
        add_limit(&text, option, option->minimum);
        text_add(&text, " to ");
        add_limit(&text, option, option->maximum);
    } else if (option->minimum) {
        text_add(&text, " from ");
        add_limit(&text, option, option->minimum);
        text_add(&text, " up");
    }
    return MX_ERR_INVALID_ARGS;
}

static mx_status_t read_number(struct reader *reader, struct option_match *match)
{
    const struct option *option = match->option;
    uint64_t maximum = option->maximum ? option->maximum : UINT64_MAX;
    size_t length = strlen(match->value);
    const char *reason;
    mx_status_t status =
        option->kind == OPTION_SIZE
            ? parse_size(match->value, length, &match->number, &reason)
            : parse_number(match->value, length, UINT64_MAX, &match->number, &reason);

    if (status != MX_OK)
        return refuse_value(reader, match, reason);
    if (match->number < option->minimum)
        return refuse_value(reader, match, "is too small");
    if (match->number > maximum)
        return refuse_value(reader, match, "is too large");
    return MX_OK;
}

static mx_status_t add_match(struct reader *reader, const struct option *option, const char *value)
{
    struct options *options = reader->options;
    struct option_match match = {option, value, 0};

    if (!option->is_repeatable && options_has(options, option->name))
        return refuse_option(reader, option, "is given twice; give it once");
    if (options->match_count == OPTIONS_MATCHES_MAX)
        return refuse_option(reader, option, "is one option too many; at most 64 are taken");
    if (option->kind == OPTION_NUMBER || option->kind == OPTION_SIZE) {
        mx_status_t status = read_number(reader, &match);
        if (status != MX_OK)
            return status;
    }
    options->matches[options->match_count++] = match;
    return MX_OK;
}

static mx_status_t refuse_missing_value(struct reader *reader, const struct option *option)
{
    struct text text = message_begin(reader);
    text_add(&text, "--");
    text_add(&text, option->name);
    text_add(&text, " needs a value; write --");
    text_add(&text, option->name);
    text_add(&text, " ");
    text_add(&text, option->value_name);
    return MX_ERR_INVALID_ARGS;
}

// Uses the next word as the option's value.
static mx_status_t take_value(struct reader *reader, const struct option *option)
{
    if (reader->next == reader->argc)
        return refuse_missing_value(reader, option);
    return add_match(reader, option, reader->argv[reader->next++]);
}

// --- words --------------------------------------------------------------------------------------

static mx_status_t read_long(struct reader *reader, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const struct option *option = find_long(reader, word, length);

    if (!option)
        return refuse_unknown(reader, word - 2, length + 2);
    if (option->kind == OPTION_FLAG) {
        if (equals)
            return refuse_option(reader, option, "takes no value; write it alone");
        return add_match(reader, option, NULL);
    }
    return equals ? add_match(reader, option, equals + 1) : take_value(reader, option);
}

// Flags may follow one another; the first option with a value takes the rest of the word, or the
// next.
static mx_status_t read_short(struct reader *reader, const char *letters)
{
    for (; *letters; letters++) {
        const struct option *option = find_short(reader, *letters);
        if (!option) {
            const char word[] = {'-', *letters};
            return refuse_unknown(reader, word, sizeof word);
        }
        if (option->kind != OPTION_FLAG)
            return letters[1] ? add_match(reader, option, letters + 1) : take_value(reader, option);
        mx_status_t status = add_match(reader, option, NULL);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

static mx_status_t read_argument(struct reader *reader, const char *word)
{
    struct options *options = reader->options;

    if (options->argument_count == reader->command->arguments_max ||
        options->argument_count == OPTIONS_ARGUMENTS_MAX) {
        struct text text = message_begin(reader);
        text_add(&text, "unexpected argument ");
        text_add_quoted(&text, word, strlen(word));
        return MX_ERR_INVALID_ARGS;
    }
    options->arguments[options->argument_count++] = word;
    return MX_OK;
}

static mx_status_t read_word(struct reader *reader, const char *word, bool *options_ended)
{
    if (*options_ended || word[0] != '-' || word[1] == '\0')
        return read_argument(reader, word);
    if (word[1] != '-')
        return read_short(reader, word + 1);
    if (word[2] == '\0') {
        *options_ended = true;
        return MX_OK;
    }
    return read_long(reader, word + 2);
}

mx_status_t options_parse(const struct option_command *command, size_t argc, char *const argv[],
                          struct options *options)
{
    struct reader reader = {command, options, argc, argv, 1};
    bool options_ended = false;

    options->match_count = 0;
    options->argument_count = 0;
    options->message[0] = '\0';
    while (reader.next < argc) {
        mx_status_t status = read_word(&reader, argv[reader.next++], &options_ended);
        if (status != MX_OK)
            return status;
    }
    if (options->argument_count < command->arguments_min) {
        struct text text = message_begin(&reader);
        text_add(&text, "an argument is missing; expected ");
        text_add(&text, command->arguments_name);
        return MX_ERR_INVALID_ARGS;
    }
    return MX_OK;
}

const struct option_match *options_get(const struct options *options, const char *name,
                                       size_t index)
{
    for (size_t i = 0; i < options->match_count; i++) {
        if (strcmp(options->matches[i].option->name, name) == 0 && index-- == 0)
            return &options->matches[i];
    }
    return NULL;
}

bool options_has(const struct options *options, const char *name)
{
    return options_get(options, name, 0) != NULL;
}

// --- usage --------------------------------------------------------------------------------------

static void add_usage_line(struct text *text, const struct option *option)
{
    const char short_name[] = {option->short_name, '\0'};

    text_add(text, "  ");
    if (option->short_name) {
        text_add(text, "-");
        text_add(text, short_name);
        text_add(text, ", ");
    } else {
        text_add(text, "    ");
    }
    text_add(text, "--");
    text_add(text, option->name);
    if (option->value_name) {
        text_add(text, " ");
        text_add(text, option->value_name);
    }
    text_add(text, " ");
    text_add_padding(text, HELP_COLUMN);
    text_add(text, option->help);
    text_add(text, option->is_repeatable ? " (may be repeated)\n" : "\n");
}

void options_usage(const struct option_command *command, struct text *text)
{
    text_add(text, "usage: ");
    text_add(text, command->name);
    if (command->option_count)
        text_add(text, " [OPTIONS]");
    if (command->arguments_name) {
        text_add(text, command->arguments_min ? " " : " [");
        text_add(text, command->arguments_name);
        text_add(text, command->arguments_min ? "" : "]");
    }
    text_add(text, "\n");
    text_add(text, command->summary);
    text_add(text, "\n");
    for (size_t i = 0; i < command->option_count; i++)
        add_usage_line(text, &command->options[i]);
}
