// A command's options, declared as a table: parsing, error text and usage all come from it.
//
// Spellings: --name value, --name=value, -n value, -nvalue, and flags together as -vt. "--" ends
// the options; a word that does not start with '-' (or is "-") is an argument, wherever it stands.
// A flag takes no value. An option that is not repeatable may be given once.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#include "user/portable/format.h"

enum {
    OPTIONS_MATCHES_MAX = 64,
    OPTIONS_ARGUMENTS_MAX = 32,
    OPTIONS_MESSAGE_BYTES = 256,
};

enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_NUMBER, // a whole decimal number within minimum..maximum
    OPTION_SIZE,   // as parse_size takes it, within minimum..maximum
};

struct option {
    const char *name; // without the dashes
    char short_name;  // or NUL
    enum option_kind kind;
    bool is_repeatable;
    const char *value_name; // in the usage: "SIZE"; NULL for a flag
    const char *help;
    uint64_t minimum; // NUMBER and SIZE
    uint64_t maximum; // 0 means no limit
};

struct option_command {
    const char *name;           // "guest launch"
    const char *summary;        // one line, in the usage
    const char *arguments_name; // "PACKAGE", in the usage; NULL when it takes none
    size_t arguments_min;
    size_t arguments_max; // at most OPTIONS_ARGUMENTS_MAX
    const struct option *options;
    size_t option_count;
};

struct option_match {
    const struct option *option;
    const char *value; // NULL for a flag
    uint64_t number;   // NUMBER and SIZE
};

struct options {
    struct option_match matches[OPTIONS_MATCHES_MAX]; // in the order given
    size_t match_count;
    const char *arguments[OPTIONS_ARGUMENTS_MAX];
    size_t argument_count;
    char message[OPTIONS_MESSAGE_BYTES]; // of the failure: "NAME: what is wrong; what would be
                                         // right"
};

// Parses argv[1..argc). The strings are kept by reference. INVALID_ARGS with options->message on
// failure.
MX_MUST_CHECK mx_status_t options_parse(const struct option_command *command, size_t argc,
                                        char *const argv[], struct options *options);

// The `index`th use of the option with that name, or NULL when it was used less often.
const struct option_match *options_get(const struct options *options, const char *name,
                                       size_t index);

// Whether the option was given at all.
bool options_has(const struct options *options, const char *name);

// Writes the usage: synopsis, summary and a line per option.
void options_usage(const struct option_command *command, struct text *text);
