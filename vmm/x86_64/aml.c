#include "vmm/x86_64/aml.h"

#include <string.h>

#define ZERO_OP        0x00
#define ONE_OP         0x01
#define NAME_OP        0x08
#define BYTE_PREFIX    0x0a
#define WORD_PREFIX    0x0b
#define DWORD_PREFIX   0x0c
#define STRING_PREFIX  0x0d
#define QWORD_PREFIX   0x0e
#define SCOPE_OP       0x10
#define BUFFER_OP      0x11
#define PACKAGE_OP     0x12
#define EXT_OP_PREFIX  0x5b
#define DEVICE_OP      0x82 // after EXT_OP_PREFIX
#define ROOT_CHARACTER 0x5c

// A package length of three bytes: two more follow the lead byte, which holds the lowest four bits.
#define PKG_LENGTH_BYTES   3
#define PKG_LENGTH_LEAD    0x80
#define PKG_LENGTH_HIGHEST 0xfffffu

// Resource descriptor tags.
#define TAG_IRQ_NO_FLAGS    0x22
#define TAG_IO_PORT         0x47
#define TAG_END             0x79
#define TAG_MEMORY32_FIXED  0x86
#define TAG_DWORD_ADDRESS   0x87
#define TAG_WORD_ADDRESS    0x88
#define TAG_QWORD_ADDRESS   0x8a
#define ADDRESS_MEMORY      0
#define ADDRESS_IO          1
#define ADDRESS_BUS         2
#define ADDRESS_FIXED_RANGE 0x0c // minimum and maximum are fixed; the bridge produces it
#define MEMORY_READ_WRITE   0x01
#define IO_ENTIRE_RANGE     0x03
#define IO_DECODE_16        0x01

void aml_init(struct aml *aml, uint8_t *bytes, size_t capacity)
{
    *aml = (struct aml){.bytes = bytes, .capacity = capacity};
}

bool aml_is_complete(const struct aml *aml)
{
    return !aml->is_overflown;
}

void aml_put_bytes(struct aml *aml, const void *bytes, size_t size_bytes)
{
    if (aml->is_overflown || size_bytes > aml->capacity - aml->size) {
        aml->is_overflown = true;
        return;
    }
    memcpy(aml->bytes + aml->size, bytes, size_bytes);
    aml->size += size_bytes;
}

void aml_put_number(struct aml *aml, uint64_t value, unsigned size_bytes)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    aml_put_bytes(aml, bytes, size_bytes);
}

static void put_byte(struct aml *aml, uint8_t byte)
{
    aml_put_bytes(aml, &byte, 1);
}

void aml_put_name(struct aml *aml, const char *name, bool root)
{
    char padded[4] = {'_', '_', '_', '_'};
    size_t length = strlen(name);

    memcpy(padded, name, length < 4 ? length : 4);
    if (root)
        put_byte(aml, ROOT_CHARACTER);
    aml_put_bytes(aml, padded, 4);
}

void aml_put_integer(struct aml *aml, uint64_t value)
{
    if (value <= 1) {
        put_byte(aml, value == 0 ? ZERO_OP : ONE_OP);
    } else if (value <= 0xff) {
        put_byte(aml, BYTE_PREFIX);
        aml_put_number(aml, value, 1);
    } else if (value <= 0xffff) {
        put_byte(aml, WORD_PREFIX);
        aml_put_number(aml, value, 2);
    } else if (value <= 0xffffffff) {
        put_byte(aml, DWORD_PREFIX);
        aml_put_number(aml, value, 4);
    } else {
        put_byte(aml, QWORD_PREFIX);
        aml_put_number(aml, value, 8);
    }
}

static unsigned hex_digit(char c)
{
    return (unsigned)(c >= 'A' ? c - 'A' + 10 : c - '0') & 15;
}

// Three letters of five bits and four hexadecimal digits, the most significant byte first.
void aml_put_eisa_id(struct aml *aml, const char *id)
{
    unsigned letters = (id[0] & 31u) << 10 | (id[1] & 31u) << 5 | (id[2] & 31u);

    put_byte(aml, DWORD_PREFIX);
    put_byte(aml, (uint8_t)(letters >> 8));
    put_byte(aml, (uint8_t)letters);
    put_byte(aml, (uint8_t)(hex_digit(id[3]) << 4 | hex_digit(id[4])));
    put_byte(aml, (uint8_t)(hex_digit(id[5]) << 4 | hex_digit(id[6])));
}

void aml_put_string(struct aml *aml, const char *text)
{
    put_byte(aml, STRING_PREFIX);
    aml_put_bytes(aml, text, strlen(text) + 1);
}

static struct aml_mark open_length(struct aml *aml)
{
    struct aml_mark mark = {.length_at = aml->size};

    aml_put_number(aml, 0, PKG_LENGTH_BYTES);
    return mark;
}

struct aml_mark aml_open_scope(struct aml *aml, const char *root_name)
{
    struct aml_mark mark;

    put_byte(aml, SCOPE_OP);
    mark = open_length(aml);
    aml_put_name(aml, root_name, true);
    return mark;
}

struct aml_mark aml_open_device(struct aml *aml, const char *name)
{
    struct aml_mark mark;

    put_byte(aml, EXT_OP_PREFIX);
    put_byte(aml, DEVICE_OP);
    mark = open_length(aml);
    aml_put_name(aml, name, false);
    return mark;
}

struct aml_mark aml_open_package(struct aml *aml, unsigned element_count)
{
    struct aml_mark mark;

    put_byte(aml, PACKAGE_OP);
    mark = open_length(aml);
    put_byte(aml, (uint8_t)element_count);
    return mark;
}

void aml_close(struct aml *aml, struct aml_mark mark)
{
    size_t length = aml->size - mark.length_at;

    if (length > PKG_LENGTH_HIGHEST)
        aml->is_overflown = true;
    if (aml->is_overflown)
        return;
    aml->bytes[mark.length_at] = (uint8_t)(PKG_LENGTH_LEAD | (length & 15));
    aml->bytes[mark.length_at + 1] = (uint8_t)(length >> 4);
    aml->bytes[mark.length_at + 2] = (uint8_t)(length >> 12);
}

void aml_put_named(struct aml *aml, const char *name)
{
    put_byte(aml, NAME_OP);
    aml_put_name(aml, name, false);
}

void aml_put_named_integer(struct aml *aml, const char *name, uint64_t value)
{
    aml_put_named(aml, name);
    aml_put_integer(aml, value);
}

struct aml_mark aml_open_resources(struct aml *aml, const char *name)
{
    struct aml_mark mark;

    aml_put_named(aml, name);
    put_byte(aml, BUFFER_OP);
    mark = open_length(aml);
    put_byte(aml, WORD_PREFIX);
    mark.size_at = aml->size;
    aml_put_number(aml, 0, 2);
    return mark;
}

void aml_close_resources(struct aml *aml, struct aml_mark mark)
{
    size_t size;

    put_byte(aml, TAG_END);
    put_byte(aml, 0); // no checksum
    size = aml->size - (mark.size_at + 2);
    aml_close(aml, mark);
    if (aml->is_overflown)
        return;
    aml->bytes[mark.size_at] = (uint8_t)size;
    aml->bytes[mark.size_at + 1] = (uint8_t)(size >> 8);
}

// Granularity, minimum, maximum, translation and length follow in words of one size.
static void put_address(struct aml *aml, uint8_t tag, unsigned word_bytes, uint8_t type,
                        uint8_t type_flags, uint64_t first, uint64_t last)
{
    put_byte(aml, tag);
    aml_put_number(aml, 3 + 5 * word_bytes, 2);
    put_byte(aml, type);
    put_byte(aml, ADDRESS_FIXED_RANGE);
    put_byte(aml, type_flags);
    aml_put_number(aml, 0, word_bytes);
    aml_put_number(aml, first, word_bytes);
    aml_put_number(aml, last, word_bytes);
    aml_put_number(aml, 0, word_bytes);
    aml_put_number(aml, last - first + 1, word_bytes);
}

void aml_put_bus_window(struct aml *aml, uint16_t first, uint16_t last)
{
    put_address(aml, TAG_WORD_ADDRESS, 2, ADDRESS_BUS, 0, first, last);
}

void aml_put_io_window(struct aml *aml, uint16_t first, uint16_t last)
{
    put_address(aml, TAG_WORD_ADDRESS, 2, ADDRESS_IO, IO_ENTIRE_RANGE, first, last);
}

void aml_put_memory32_window(struct aml *aml, uint32_t first, uint32_t last)
{
    put_address(aml, TAG_DWORD_ADDRESS, 4, ADDRESS_MEMORY, MEMORY_READ_WRITE, first, last);
}

void aml_put_memory64_window(struct aml *aml, uint64_t first, uint64_t last)
{
    put_address(aml, TAG_QWORD_ADDRESS, 8, ADDRESS_MEMORY, MEMORY_READ_WRITE, first, last);
}

void aml_put_io(struct aml *aml, uint16_t first, uint8_t port_count)
{
    put_byte(aml, TAG_IO_PORT);
    put_byte(aml, IO_DECODE_16);
    aml_put_number(aml, first, 2);
    aml_put_number(aml, first, 2);
    put_byte(aml, 1); // alignment
    put_byte(aml, port_count);
}

void aml_put_memory32(struct aml *aml, uint32_t first, uint32_t size_bytes)
{
    put_byte(aml, TAG_MEMORY32_FIXED);
    aml_put_number(aml, 9, 2);
    put_byte(aml, MEMORY_READ_WRITE);
    aml_put_number(aml, first, 4);
    aml_put_number(aml, size_bytes, 4);
}

void aml_put_isa_irq(struct aml *aml, unsigned irq)
{
    put_byte(aml, TAG_IRQ_NO_FLAGS);
    aml_put_number(aml, 1u << (irq & 15), 2);
}
