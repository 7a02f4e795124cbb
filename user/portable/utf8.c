// UTF-8; see utf8.h.

#include "user/portable/utf8.h"

bool utf8_is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

// The size that a first byte announces, and the range its second byte must lie in (RFC 3629, 4).
static size_t announced_length(unsigned char first, unsigned char *second_min,
                               unsigned char *second_max)
{
    *second_min = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *second_max = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    if (first >= 0xf0 && first <= 0xf4)
        return 4;
    return 0;
}

size_t utf8_length(const char *bytes, size_t length)
{
    unsigned char second_min, second_max;

    if (length == 0)
        return 0;
    size_t size = announced_length((unsigned char)bytes[0], &second_min, &second_max);
    if (size > length)
        return 0;
    if (size > 1) {
        unsigned char second = (unsigned char)bytes[1];
        if (second < second_min || second > second_max)
            return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if (!utf8_is_continuation(bytes[i]))
            return 0;
    }
    return size;
}

size_t utf8_count(const char *bytes, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; count++) {
        size_t size = utf8_length(bytes + i, length - i);
        i += size ? size : 1;
    }
    return count;
}

bool utf8_is_control(const char *bytes, size_t size)
{
    unsigned char first = (unsigned char)bytes[0];
    if (size == 1)
        return first < 0x20 || first == 0x7f;
    return size == 2 && first == 0xc2 && (unsigned char)bytes[1] < 0xa0;
}

size_t utf8_encode(uint32_t code_point, char bytes[4])
{
    static const unsigned char lead[5] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    size_t size = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;

    for (size_t i = size - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    bytes[0] = (char)(lead[size] | code_point);
    return size;
}
