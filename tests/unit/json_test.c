// The JSON parser: what it accepts, what it refuses and where it points.

#include "tests/test.h"

#include <stdlib.h>

#include "vmm/config/json.h"

static char text[4096];
static struct json_node nodes[64];
static const struct json_node *root;
static struct json_error error;

static mx_status_t parse_bytes(const char *bytes, size_t size)
{
    memset(text, '#', sizeof text);
    memcpy(text, bytes, size);
    return json_parse(text, size, nodes, 64, &root, &error);
}

static mx_status_t parse(const char *string)
{
    return parse_bytes(string, strlen(string));
}

#define EXPECT_REFUSED(string, at_line, at_column, because)     \
    do {                                                        \
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, parse(string)); \
        EXPECT_EQ(error.place.line, at_line);                   \
        EXPECT_EQ(error.place.column, at_column);               \
        EXPECT_STR_EQ(error.reason, because);                   \
    } while (0)

TEST(json_parses_each_type)
{
    ASSERT_OK(parse("[null, true, false, -1.5e+3, \"s\", [], {}]"));
    static const enum json_type types[] = {JSON_NULL,   JSON_BOOLEAN, JSON_BOOLEAN, JSON_NUMBER,
                                           JSON_STRING, JSON_ARRAY,   JSON_OBJECT};
    const struct json_node *node = root->child;
    for (size_t i = 0; i < 7; i++, node = node->next) {
        ASSERT_TRUE(node != NULL);
        EXPECT_EQ(node->type, types[i]);
    }
    EXPECT_TRUE(node == NULL);
    EXPECT_TRUE(root->child->next->boolean);
    EXPECT_FALSE(root->child->next->next->boolean);
    EXPECT_EQ(root->child->next->next->next->length, 7u);
    EXPECT_BYTES_EQ(root->child->next->next->next->text, "-1.5e+3", 7);
}

TEST(json_gives_members_with_keys_and_places)
{
    ASSERT_OK(parse("{\n  \"\xc3\xa9\": 1,\n\t\"b\" : {\"c\": \"x\"} }"));
    const struct json_node *b = json_member(root, "b");
    ASSERT_TRUE(b != NULL);
    EXPECT_EQ(b->key_place.line, 3u);
    EXPECT_EQ(b->key_place.column, 2u);
    EXPECT_EQ(b->place.column, 8u);
    EXPECT_EQ(root->child->place.column, 8u); // the key's accented letter is one column
    EXPECT_STR_EQ(json_member(b, "c")->text, "x");
    EXPECT_TRUE(json_member(root, "c") == NULL);
    EXPECT_TRUE(json_member(root->child, "c") == NULL);
}

TEST(json_decodes_escapes)
{
    ASSERT_OK(parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\""));
    EXPECT_STR_EQ(root->text, "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    ASSERT_OK(parse("\"a\\u0000b\""));
    EXPECT_EQ(root->length, 3u);
    EXPECT_BYTES_EQ(root->text, "a\0b", 4);
}

TEST(json_refuses_bad_escapes)
{
    EXPECT_REFUSED("\"\\x\"", 1u, 3u,
                   "unknown escape: expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    EXPECT_REFUSED("\"\\u12g4\"", 1u, 6u, "expected four hexadecimal digits after \\u");
    EXPECT_REFUSED("\"\\ud800\"", 1u, 2u, "half of a surrogate pair alone");
    EXPECT_REFUSED("\"\\ud800\\u0041\"", 1u, 2u, "half of a surrogate pair alone");
    EXPECT_REFUSED("\"\\udc00\\ud800\"", 1u, 2u, "half of a surrogate pair alone");
}

TEST(json_refuses_numbers_outside_the_grammar)
{
    EXPECT_REFUSED("01", 1u, 2u, "a number must not start with 0");
    EXPECT_REFUSED("[-x]", 1u, 3u, "expected a digit");
    EXPECT_REFUSED("[1.]", 1u, 4u, "expected a digit after the decimal point");
    EXPECT_REFUSED("[1e+]", 1u, 5u, "expected a digit in the exponent");
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, parse("+1"));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, parse(".5"));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, parse("0x10"));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, parse("NaN"));
    EXPECT_OK(parse("[-0, 0.0, 1E-2]"));
}

TEST(json_refuses_text_that_is_not_utf8)
{
    EXPECT_REFUSED("\"\x80\"", 1u, 2u, "the text is not UTF-8");             // a continuation alone
    EXPECT_REFUSED("\"\xc0\xaf\"", 1u, 2u, "the text is not UTF-8");         // overlong
    EXPECT_REFUSED("\"\xe0\x80\xaf\"", 1u, 2u, "the text is not UTF-8");     // overlong
    EXPECT_REFUSED("\"\xed\xa0\x80\"", 1u, 2u, "the text is not UTF-8");     // surrogate
    EXPECT_REFUSED("\"\xf4\x90\x80\x80\"", 1u, 2u, "the text is not UTF-8"); // above U+10FFFF
    EXPECT_REFUSED("\"\xe2\x82\"", 1u, 2u, "the text is not UTF-8");         // cut short
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, parse("\xef\xbb\xbf{}"));        // byte order mark
}

TEST(json_refuses_control_characters_and_nul)
{
    EXPECT_REFUSED("\"a\nb\"", 1u, 3u, "a control character in a string: write it as an escape");
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, parse_bytes("\"a\0b\"", 5));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, parse_bytes("{}\0", 3));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, parse_bytes("[1\0]", 4));
}

TEST(json_refuses_a_key_given_twice_however_spelled)
{
    EXPECT_REFUSED("{\"a\": 1,\n \"\\u0061\": 2}", 2u, 2u, "this key is given twice");
    EXPECT_OK(parse("{\"a\": {\"a\": 1}, \"b\": {\"a\": 1}}"));
}

TEST(json_refuses_every_truncation)
{
    static const char whole[] = "{\"a\": [1.5e3, \"x\\u20ac\\n\", true, null, {\"b\": false}]}";
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        char *copy = malloc(size + !size);
        memcpy(copy, whole, size);
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, json_parse(copy, size, nodes, 64, &root, &error));
        free(copy);
    }
    EXPECT_OK(parse(whole));
}

TEST(json_limits_depth_and_nodes)
{
    EXPECT_OK(parse("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"));
    EXPECT_REFUSED("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", 1u, 17u, "nested more than 16 deep");
    char many[] = "[0,0,0]";
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, json_parse(many, 7, nodes, 3, &root, &error));
    EXPECT_EQ(error.place.column, 6u);
    char enough[] = "[0,0,0]";
    EXPECT_OK(json_parse(enough, 7, nodes, 4, &root, &error));
}

TEST(json_refuses_wrong_punctuation)
{
    EXPECT_REFUSED("[1 2]", 1u, 4u, "expected \",\" or \"]\" after an element");
    EXPECT_REFUSED("{\"a\" 1}", 1u, 6u, "expected \":\" after the key");
    EXPECT_REFUSED("{\"a\": 1 \"b\": 2}", 1u, 9u, "expected \",\" or \"}\" after a value");
    EXPECT_REFUSED("{1: 2}", 1u, 2u, "expected a key in double quotes");
    EXPECT_REFUSED("[1,]", 1u, 4u,
                   "not a JSON value: expected true, false, null, a number or a \"string\"");
    EXPECT_REFUSED("{} {}", 1u, 4u, "something follows the end of the JSON value");
}
