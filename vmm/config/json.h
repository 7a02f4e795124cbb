// A strict JSON parser (RFC 8259) that allocates nothing: nodes come from the caller's array and
// strings are decoded in place, in the caller's buffer.
//
// Beyond the grammar it refuses what a configuration never means: a key given twice in one object,
// nesting deeper than JSON_DEPTH_MAX, text that is not UTF-8, a byte order mark. Numbers keep their
// spelling; what they mean is the reader's affair.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

enum {
    JSON_DEPTH_MAX = 16, // arrays and objects within each other
};

enum json_type {
    JSON_NULL,
    JSON_BOOLEAN,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

// A place in the source; both count from 1, columns in characters.
struct json_place {
    unsigned line;
    unsigned column;
};

struct json_node {
    enum json_type type;
    bool boolean;            // JSON_BOOLEAN
    struct json_place place; // of the value's first character
    const char *text;        // JSON_STRING decoded and NUL-terminated, JSON_NUMBER as spelled
    size_t length;           // of the text in bytes; a string may hold NULs
    const char *key;         // of a member of an object, decoded and NUL-terminated; else NULL
    size_t key_length;
    struct json_place key_place;
    struct json_node *child; // first element or member
    struct json_node *next;  // sibling
};

struct json_error {
    struct json_place place;
    const char
        *reason; // what is wrong there and, where it helps, what would be right; a static string
};

// Parses `size_bytes` of text as one JSON value and gives its root, which lives in `nodes`. The
// text is overwritten (strings are decoded in it) and must outlive the nodes. IO_DATA_INTEGRITY for
// malformed text, NO_RESOURCES when the value needs more than node_capacity nodes; *error is filled
// in both cases.
MX_MUST_CHECK mx_status_t json_parse(char *text, size_t size_bytes, struct json_node *nodes,
                                     size_t node_capacity, const struct json_node **root,
                                     struct json_error *error);

// The member of an object with that key, or NULL.
const struct json_node *json_member(const struct json_node *object, const char *key);

// What a type is called in a message: "a number", "an object".
const char *json_type_name(enum json_type type);
