// The JSON parser; see json.h. Recursive descent, bounded by JSON_DEPTH_MAX.

#include "vmm/config/json.h"

#include <string.h>

#include "user/portable/utf8.h"

struct parser {
    char *text;
    size_t size;
    size_t at;
    struct json_place place; // of text[at]
    struct json_node *nodes;
    size_t node_count;
    size_t node_capacity;
    unsigned depth;
    struct json_error *error;
};

static mx_status_t parse_value(struct parser *parser, struct json_node **value);

static mx_status_t refuse_at(struct parser *parser, struct json_place place, const char *reason)
{
    parser->error->place = place;
    parser->error->reason = reason;
    return MX_ERR_IO_DATA_INTEGRITY;
}

static mx_status_t refuse(struct parser *parser, const char *reason)
{
    if (parser->at >= parser->size)
        reason = "the text ends too early: a value, bracket or quote is not closed";
    return refuse_at(parser, parser->place, reason);
}

// The current byte; NUL at the end, where a NUL in the text is refused just the same.
static char peek(const struct parser *parser)
{
    return parser->at < parser->size ? parser->text[parser->at] : '\0';
}

static void advance(struct parser *parser)
{
    if (parser->text[parser->at] == '\n')
        parser->place = (struct json_place){parser->place.line + 1, 1};
    else if (!utf8_is_continuation(parser->text[parser->at]))
        parser->place.column++;
    parser->at++;
}

static void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->size && memchr(" \t\r\n", parser->text[parser->at], 4))
        advance(parser);
}

static bool take(struct parser *parser, char expected)
{
    if (parser->at >= parser->size || parser->text[parser->at] != expected)
        return false;
    advance(parser);
    return true;
}

static mx_status_t node_take(struct parser *parser, enum json_type type, struct json_node **node)
{
    if (parser->node_count == parser->node_capacity) {
        (void)refuse_at(parser, parser->place, "too many values from here on");
        return MX_ERR_NO_RESOURCES;
    }
    *node = &parser->nodes[parser->node_count++];
    **node = (struct json_node){.type = type, .place = parser->place};
    return MX_OK;
}

static mx_status_t parse_word(struct parser *parser, const char *word, struct json_node **node,
                              enum json_type type, bool boolean)
{
    size_t length = strlen(word);

    if (parser->size - parser->at < length || memcmp(parser->text + parser->at, word, length) != 0)
        return refuse_at(parser, parser->place,
                         "not a JSON value: expected true, false, null, a number or a \"string\"");
    mx_status_t status = node_take(parser, type, node);
    if (status != MX_OK)
        return status;
    (*node)->boolean = boolean;
    for (size_t i = 0; i < length; i++)
        advance(parser);
    return MX_OK;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static mx_status_t skip_digits(struct parser *parser, const char *reason)
{
    if (!is_digit(peek(parser)))
        return refuse(parser, reason);
    while (is_digit(peek(parser)))
        advance(parser);
    return MX_OK;
}

// RFC 8259, 6: number = [ "-" ] int [ frac ] [ exp ].
static mx_status_t skip_number(struct parser *parser)
{
    mx_status_t status = MX_OK;

    (void)take(parser, '-');
    if (take(parser, '0')) {
        if (is_digit(peek(parser)))
            return refuse(parser, "a number must not start with 0");
    } else {
        status = skip_digits(parser, "expected a digit");
    }
    if (status == MX_OK && take(parser, '.'))
        status = skip_digits(parser, "expected a digit after the decimal point");
    if (status == MX_OK && (take(parser, 'e') || take(parser, 'E'))) {
        if (!take(parser, '+'))
            (void)take(parser, '-');
        status = skip_digits(parser, "expected a digit in the exponent");
    }
    return status;
}

static mx_status_t parse_number_value(struct parser *parser, struct json_node **node)
{
    size_t start = parser->at;
    mx_status_t status = node_take(parser, JSON_NUMBER, node);
    if (status == MX_OK)
        status = skip_number(parser);
    if (status == MX_OK) {
        (*node)->text = parser->text + start;
        (*node)->length = parser->at - start;
    }
    return status;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static mx_status_t parse_hex4(struct parser *parser, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(peek(parser));
        if (digit < 0)
            return refuse(parser, "expected four hexadecimal digits after \\u");
        *unit = *unit << 4 | (uint32_t)digit;
        advance(parser);
    }
    return MX_OK;
}

// The code point of a \u escape, whose second half a surrogate pair has in an escape of its own.
static mx_status_t parse_unicode_escape(struct parser *parser, struct json_place start,
                                        uint32_t *code_point)
{
    uint32_t low;
    mx_status_t status = parse_hex4(parser, code_point);
    if (status != MX_OK || *code_point < 0xd800 || *code_point > 0xdfff)
        return status;
    if (*code_point > 0xdbff || !take(parser, '\\') || !take(parser, 'u'))
        return refuse_at(parser, start, "half of a surrogate pair alone");
    status = parse_hex4(parser, &low);
    if (status != MX_OK)
        return status;
    if (low < 0xdc00 || low > 0xdfff)
        return refuse_at(parser, start, "half of a surrogate pair alone");
    *code_point = 0x10000 + ((*code_point - 0xd800) << 10) + (low - 0xdc00);
    return MX_OK;
}

// Decodes one escape, whose backslash is already taken, to `out`. What it decodes to is never
// longer than the escape, so decoding in place does not overtake reading.
static mx_status_t parse_escape(struct parser *parser, struct json_place start, char **out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    uint32_t code_point;
    char encoded[4];

    if (take(parser, 'u')) {
        mx_status_t status = parse_unicode_escape(parser, start, &code_point);
        if (status != MX_OK)
            return status;
        size_t size = utf8_encode(code_point, encoded);
        memcpy(*out, encoded, size);
        *out += size;
        return MX_OK;
    }
    const char *name = memchr(names, peek(parser), sizeof names - 1);
    if (!name)
        return refuse(parser,
                      "unknown escape: expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    *(*out)++ = values[name - names];
    advance(parser);
    return MX_OK;
}

static mx_status_t parse_character(struct parser *parser, char **out)
{
    if (parser->at < parser->size && (unsigned char)peek(parser) < 0x20)
        return refuse(parser, "a control character in a string: write it as an escape");
    size_t size = utf8_length(parser->text + parser->at, parser->size - parser->at);
    if (size == 0)
        return refuse(parser, "the text is not UTF-8");
    for (size_t i = 0; i < size; i++) {
        *(*out)++ = parser->text[parser->at];
        advance(parser);
    }
    return MX_OK;
}

// Decodes a string in place; the NUL behind it replaces the closing quote at the latest.
static mx_status_t parse_string(struct parser *parser, const char **string, size_t *length)
{
    if (!take(parser, '"'))
        return refuse(parser, "expected a string in double quotes");
    char *start = parser->text + parser->at, *out = start;
    for (;;) {
        struct json_place place = parser->place;
        if (take(parser, '"'))
            break;
        mx_status_t status =
            take(parser, '\\') ? parse_escape(parser, place, &out) : parse_character(parser, &out);
        if (status != MX_OK)
            return status;
    }
    *out = '\0';
    *string = start;
    *length = (size_t)(out - start);
    return MX_OK;
}

static mx_status_t parse_string_value(struct parser *parser, struct json_node **node)
{
    mx_status_t status = node_take(parser, JSON_STRING, node);
    if (status != MX_OK)
        return status;
    return parse_string(parser, &(*node)->text, &(*node)->length);
}

static mx_status_t parse_elements(struct parser *parser, struct json_node *array)
{
    struct json_node **link = &array->child;

    skip_blanks(parser);
    if (take(parser, ']'))
        return MX_OK;
    for (;;) {
        mx_status_t status = parse_value(parser, link);
        if (status != MX_OK)
            return status;
        link = &(*link)->next;
        if (take(parser, ']'))
            return MX_OK;
        if (!take(parser, ','))
            return refuse(parser, "expected \",\" or \"]\" after an element");
    }
}

static const struct json_node *member_of(const struct json_node *first, const char *key,
                                         size_t length)
{
    for (; first; first = first->next) {
        if (first->key_length == length && memcmp(first->key, key, length) == 0)
            return first;
    }
    return NULL;
}

// Parses `"key": value` and appends it at `link`, the end of the object's list.
static mx_status_t parse_member(struct parser *parser, struct json_node *object,
                                struct json_node **link)
{
    const char *key;
    size_t key_length;

    skip_blanks(parser);
    struct json_place key_place = parser->place;
    if (peek(parser) == '}')
        return refuse(parser, "expected another key after the comma");
    if (peek(parser) != '"')
        return refuse(parser, "expected a key in double quotes");
    mx_status_t status = parse_string(parser, &key, &key_length);
    if (status != MX_OK)
        return status;
    if (member_of(object->child, key, key_length))
        return refuse_at(parser, key_place, "this key is given twice");
    skip_blanks(parser);
    if (!take(parser, ':'))
        return refuse(parser, "expected \":\" after the key");
    struct json_node *member;
    status = parse_value(parser, &member);
    if (status != MX_OK)
        return status;
    member->key = key;
    member->key_length = key_length;
    member->key_place = key_place;
    *link = member;
    return MX_OK;
}

static mx_status_t parse_members(struct parser *parser, struct json_node *object)
{
    struct json_node **link = &object->child;

    skip_blanks(parser);
    if (take(parser, '}'))
        return MX_OK;
    for (;;) {
        mx_status_t status = parse_member(parser, object, link);
        if (status != MX_OK)
            return status;
        link = &(*link)->next;
        if (take(parser, '}'))
            return MX_OK;
        if (!take(parser, ','))
            return refuse(parser, "expected \",\" or \"}\" after a value");
    }
}

static mx_status_t parse_container(struct parser *parser, struct json_node **node)
{
    bool is_object = peek(parser) == '{';

    if (parser->depth == JSON_DEPTH_MAX)
        return refuse(parser, "nested more than 16 deep");
    mx_status_t status = node_take(parser, is_object ? JSON_OBJECT : JSON_ARRAY, node);
    if (status != MX_OK)
        return status;
    advance(parser);
    parser->depth++;
    status = is_object ? parse_members(parser, *node) : parse_elements(parser, *node);
    parser->depth--;
    return status;
}

// Parses a value and the blanks on both sides of it.
static mx_status_t parse_value(struct parser *parser, struct json_node **value)
{
    mx_status_t status;

    skip_blanks(parser);
    char first = peek(parser);
    if (parser->at == parser->size)
        return refuse(parser, "expected a value");
    if (first == '{' || first == '[')
        status = parse_container(parser, value);
    else if (first == '"')
        status = parse_string_value(parser, value);
    else if (first == '-' || is_digit(first))
        status = parse_number_value(parser, value);
    else if (first == 't')
        status = parse_word(parser, "true", value, JSON_BOOLEAN, true);
    else if (first == 'f')
        status = parse_word(parser, "false", value, JSON_BOOLEAN, false);
    else
        status = parse_word(parser, "null", value, JSON_NULL, false);
    skip_blanks(parser);
    return status;
}

mx_status_t json_parse(char *text, size_t size_bytes, struct json_node *nodes, size_t node_capacity,
                       const struct json_node **root, struct json_error *error)
{
    struct parser parser = {
        .text = text,
        .size = size_bytes,
        .place = {1, 1},
        .nodes = nodes,
        .node_capacity = node_capacity,
        .error = error,
    };
    struct json_node *value;

    mx_status_t status = parse_value(&parser, &value);
    if (status != MX_OK)
        return status;
    if (parser.at != parser.size)
        return refuse(&parser, "something follows the end of the JSON value");
    *root = value;
    return MX_OK;
}

const struct json_node *json_member(const struct json_node *object, const char *key)
{
    return object->type == JSON_OBJECT ? member_of(object->child, key, strlen(key)) : NULL;
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",       [JSON_BOOLEAN] = "true or false", [JSON_NUMBER] = "a number",
        [JSON_STRING] = "a string", [JSON_ARRAY] = "an array",        [JSON_OBJECT] = "an object",
    };
    return names[type];
}
