// Bytes into terminal events; see vt_parser.h.

#include "user/portable/vt_parser.h"

#include <string.h>

enum {
    BELL = 0x07,
    CANCEL = 0x18,
    SUBSTITUTE = 0x1a,
    ESCAPE = 0x1b,
    DELETE = 0x7f,
    REPLACEMENT = 0xfffd,
    PALETTE_BYTES = 7, // of ESC ] P nrrggbb
};

void vt_parser_init(struct vt_parser *parser)
{
    memset(parser, 0, sizeof(*parser));
}

unsigned vt_parameter(const struct vt_parser *parser, unsigned index, unsigned otherwise)
{
    if (index >= parser->parameter_count || parser->parameters[index] == 0)
        return otherwise;
    return parser->parameters[index];
}

// --- text

static enum vt_event print(struct vt_parser *parser, uint32_t code_point)
{
    parser->code_point = code_point;
    // The controls of U+0080 to U+009F are nobody's on a UTF-8 terminal.
    return code_point >= 0x80 && code_point < 0xa0 ? VT_NOTHING : VT_PRINT;
}

// The first byte of a character of several: RFC 3629, section 4, whose table bounds the second
// byte.
static enum vt_event begin_character(struct vt_parser *parser, uint8_t byte)
{
    parser->utf8_low = 0x80;
    parser->utf8_high = 0xbf;
    if (byte >= 0xc2 && byte <= 0xdf) {
        parser->utf8_missing = 1;
        parser->code_point = byte & 0x1f;
    } else if (byte >= 0xe0 && byte <= 0xef) {
        parser->utf8_missing = 2;
        parser->code_point = byte & 0x0f;
        parser->utf8_low = byte == 0xe0 ? 0xa0 : 0x80;
        parser->utf8_high = byte == 0xed ? 0x9f : 0xbf;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
        parser->utf8_missing = 3;
        parser->code_point = byte & 0x07;
        parser->utf8_low = byte == 0xf0 ? 0x90 : 0x80;
        parser->utf8_high = byte == 0xf4 ? 0x8f : 0xbf;
    } else {
        return print(parser, REPLACEMENT);
    }
    return VT_NOTHING;
}

static enum vt_event continue_character(struct vt_parser *parser, uint8_t byte, bool *is_used)
{
    if (byte < parser->utf8_low || byte > parser->utf8_high) {
        parser->utf8_missing = 0;
        *is_used = false;
        return print(parser, REPLACEMENT);
    }
    parser->utf8_low = 0x80;
    parser->utf8_high = 0xbf;
    parser->code_point = parser->code_point << 6 | (byte & 0x3f);
    return --parser->utf8_missing == 0 ? print(parser, parser->code_point) : VT_NOTHING;
}

static enum vt_event feed_text(struct vt_parser *parser, uint8_t byte)
{
    if (byte >= 0x80)
        return begin_character(parser, byte);
    return byte == DELETE ? VT_NOTHING : print(parser, byte);
}

// --- sequences

static void begin_escape(struct vt_parser *parser)
{
    parser->state = VT_AFTER_ESCAPE;
    parser->prefix = parser->intermediate = parser->final = 0;
    parser->parameter_count = 0;
    memset(parser->parameters, 0, sizeof(parser->parameters));
}

static enum vt_event end_sequence(struct vt_parser *parser, enum vt_event event, uint8_t final)
{
    parser->state = VT_GROUND;
    parser->final = final;
    return event;
}

static enum vt_event skip_bytes(struct vt_parser *parser, uint8_t count)
{
    parser->state = VT_SKIP_BYTES;
    parser->skip_count = count;
    return VT_NOTHING;
}

static enum vt_event enter(struct vt_parser *parser, enum vt_parser_state state)
{
    parser->state = state;
    return VT_NOTHING;
}

static enum vt_event feed_after_escape(struct vt_parser *parser, uint8_t byte)
{
    switch (byte) {
    case '[':
        return enter(parser, VT_IN_SEQUENCE);
    case ']':
        return enter(parser, VT_IN_OPERATING_COMMAND);
    case 'P':
    case 'X':
    case '^':
    case '_':
        return enter(parser, VT_IN_STRING);
    default:
        break;
    }
    if (byte >= 0x20 && byte < 0x30) {
        parser->intermediate = byte;
        return enter(parser, VT_IN_ESCAPE);
    }
    if (byte >= 0x30 && byte < DELETE)
        return end_sequence(parser, VT_ESCAPE, byte);
    return enter(parser, VT_GROUND);
}

static enum vt_event feed_in_escape(struct vt_parser *parser, uint8_t byte)
{
    if (byte >= 0x20 && byte < 0x30) {
        parser->intermediate = byte;
        return VT_NOTHING;
    }
    if (byte >= 0x30 && byte < DELETE)
        return end_sequence(parser, VT_ESCAPE, byte);
    return enter(parser, VT_GROUND);
}

static void add_digit(struct vt_parser *parser, unsigned digit)
{
    unsigned value;

    if (parser->parameter_count == 0)
        parser->parameter_count = 1;
    if (parser->parameter_count > VT_PARAMETERS_MAX)
        return;
    value = parser->parameters[parser->parameter_count - 1] * 10u + digit;
    parser->parameters[parser->parameter_count - 1] =
        (uint16_t)(value < VT_PARAMETER_LIMIT ? value : VT_PARAMETER_LIMIT);
}

static void begin_parameter(struct vt_parser *parser)
{
    if (parser->parameter_count == 0)
        parser->parameter_count = 1;
    if (parser->parameter_count <= VT_PARAMETERS_MAX)
        parser->parameter_count++;
}

static enum vt_event end_control_sequence(struct vt_parser *parser, uint8_t final)
{
    if (parser->parameter_count > VT_PARAMETERS_MAX)
        parser->parameter_count = VT_PARAMETERS_MAX;
    // Linux's console echoes function keys as CSI [ and a letter.
    if (final == '[' && parser->parameter_count == 0 && parser->prefix == 0)
        return skip_bytes(parser, 1);
    return end_sequence(parser, VT_SEQUENCE, final);
}

static enum vt_event feed_in_sequence(struct vt_parser *parser, uint8_t byte)
{
    if (byte >= '0' && byte <= '9' && parser->intermediate == 0)
        add_digit(parser, byte - '0');
    else if ((byte == ';' || byte == ':') && parser->intermediate == 0)
        begin_parameter(parser);
    else if (byte >= '<' && byte <= '?' && parser->parameter_count == 0 && parser->prefix == 0)
        parser->prefix = byte;
    else if (byte >= 0x20 && byte < 0x30)
        parser->intermediate = byte;
    else if (byte >= 0x40 && byte < DELETE)
        return end_control_sequence(parser, byte);
    else if (byte < 0x40)
        parser->state = VT_SKIP_SEQUENCE;
    else if (byte != DELETE)
        parser->state = VT_GROUND;
    return VT_NOTHING;
}

static enum vt_event feed_in_operating_command(struct vt_parser *parser, uint8_t byte)
{
    if (byte == 'P')
        return skip_bytes(parser, PALETTE_BYTES);
    return enter(parser, byte == 'R' || byte == BELL ? VT_GROUND : VT_IN_STRING);
}

static enum vt_event feed_control(struct vt_parser *parser, uint8_t byte)
{
    if (byte == ESCAPE) {
        begin_escape(parser);
        return VT_NOTHING;
    }
    if (byte == CANCEL || byte == SUBSTITUTE) {
        parser->state = VT_GROUND;
        return VT_NOTHING;
    }
    if (parser->state == VT_IN_STRING || parser->state == VT_IN_OPERATING_COMMAND) {
        if (byte == BELL)
            parser->state = VT_GROUND;
        return VT_NOTHING;
    }
    parser->control = byte;
    return VT_CONTROL;
}

static enum vt_event feed_state(struct vt_parser *parser, uint8_t byte)
{
    switch (parser->state) {
    case VT_GROUND:
        return feed_text(parser, byte);
    case VT_AFTER_ESCAPE:
        return feed_after_escape(parser, byte);
    case VT_IN_ESCAPE:
        return feed_in_escape(parser, byte);
    case VT_IN_SEQUENCE:
        return feed_in_sequence(parser, byte);
    case VT_SKIP_SEQUENCE:
        return enter(parser, byte >= 0x40 && byte != DELETE ? VT_GROUND : VT_SKIP_SEQUENCE);
    case VT_IN_OPERATING_COMMAND:
        return feed_in_operating_command(parser, byte);
    case VT_IN_STRING:
        return VT_NOTHING;
    case VT_SKIP_BYTES:
        return enter(parser, --parser->skip_count == 0 ? VT_GROUND : VT_SKIP_BYTES);
    }
    return VT_NOTHING;
}

enum vt_event vt_parser_feed(struct vt_parser *parser, uint8_t byte, bool *is_used)
{
    *is_used = true;
    if (parser->utf8_missing > 0)
        return continue_character(parser, byte, is_used);
    if (byte < 0x20)
        return feed_control(parser, byte);
    return feed_state(parser, byte);
}
