// What a program sends to a terminal, byte by byte, into characters, controls and escape sequences.
//
// Text is UTF-8 (RFC 3629); what is not becomes U+FFFD, once for each longest part that could have
// been a character. Sequences are those of ECMA-48 (section 5.4, control sequences) and the strings
// of Linux's console, whose two for the palette have no end of their own. Whatever comes in, the
// state is bounded and finds back: CAN and SUB end any sequence, ESC begins another.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VT_PARAMETERS_MAX = 16, // further ones are ignored
    VT_PARAMETER_LIMIT = 9999,
};

enum vt_event {
    VT_NOTHING,
    VT_PRINT,    // code_point
    VT_CONTROL,  // control: below 0x20, not ESC
    VT_ESCAPE,   // ESC intermediate final
    VT_SEQUENCE, // CSI prefix parameters intermediate final
};

enum vt_parser_state {
    VT_GROUND,
    VT_AFTER_ESCAPE,
    VT_IN_ESCAPE,   // behind an intermediate byte
    VT_IN_SEQUENCE, // behind CSI
    VT_SKIP_SEQUENCE,
    VT_IN_OPERATING_COMMAND, // behind ESC ]
    VT_IN_STRING,            // up to ST or BEL
    VT_SKIP_BYTES,           // skip_count of them
};

struct vt_parser {
    enum vt_parser_state state;
    // Of the event.
    uint32_t code_point;
    uint8_t control;
    uint8_t prefix;       // '<' to '?', or 0
    uint8_t intermediate; // the last one, or 0
    uint8_t final;
    unsigned parameter_count;
    uint16_t parameters[VT_PARAMETERS_MAX]; // 0 where nothing was given
    // Of a character or string that is not complete.
    uint8_t utf8_missing, utf8_low, utf8_high; // bytes, and the bounds of the next
    uint8_t skip_count;
};

void vt_parser_init(struct vt_parser *parser);

// Takes a byte. When *is_used is false the event comes from bytes before, and the same byte is to
// be fed again; at most once.
enum vt_event vt_parser_feed(struct vt_parser *parser, uint8_t byte, bool *is_used);

// Parameter `index`, or `otherwise` when it was left out or 0.
unsigned vt_parameter(const struct vt_parser *parser, unsigned index, unsigned otherwise);
