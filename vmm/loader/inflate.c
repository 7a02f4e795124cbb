// DEFLATE decoding; the contract is in the header. References are to RFC 1951.
#include "vmm/loader/inflate.h"

#include <stdbool.h>
#include <string.h>

#define CODE_BITS_MAX      15
#define LITERAL_COUNT_MAX  286
#define FIXED_COUNT        288 // the fixed code has two symbols more, which must not occur
#define DISTANCE_COUNT_MAX 30
#define LENGTH_CODE_COUNT  19
#define END_OF_BLOCK       256
#define LENGTH_SYMBOL_MIN  257
#define LENGTH_SYMBOL_MAX  285

// Codes of up to this many bits are found by one look into a table, longer ones bit by bit.
#define FAST_BITS 9

struct huffman {
    uint16_t fast[1 << FAST_BITS];     // symbol << 4 | bits of its code; 0: longer, or no code
    uint16_t count[CODE_BITS_MAX + 1]; // codes of each length
    uint16_t symbol[FIXED_COUNT];      // in the order of their codes
};

struct stream {
    const uint8_t *input;
    size_t input_bytes;
    size_t input_at;
    uint64_t bits; // the next ones, lowest first
    unsigned bit_count;
    uint8_t *output;
    size_t output_capacity;
    size_t output_at;
    const char *problem;
    struct huffman literals;
    struct huffman distances;
};

static mx_status_t refuse(struct stream *stream, const char *problem)
{
    stream->problem = problem;
    return MX_ERR_IO_DATA_INTEGRITY;
}

// --- bits ---------------------------------------------------------------------------------------

static void refill(struct stream *stream)
{
    while (stream->bit_count <= 56 && stream->input_at < stream->input_bytes) {
        stream->bits |= (uint64_t)stream->input[stream->input_at++] << stream->bit_count;
        stream->bit_count += 8;
    }
}

static void drop_bits(struct stream *stream, unsigned count)
{
    stream->bits >>= count;
    stream->bit_count -= count;
}

// At most 32 bits.
static mx_status_t take_bits(struct stream *stream, unsigned count, uint32_t *value)
{
    if (stream->bit_count < count)
        refill(stream);
    if (stream->bit_count < count)
        return refuse(stream, "it is cut off");
    *value = (uint32_t)(stream->bits & ((UINT64_C(1) << count) - 1));
    drop_bits(stream, count);
    return MX_OK;
}

// --- Huffman codes: 3.2.2 "Use of Huffman coding in the deflate format"
// ---------------------------

static unsigned reverse_bits(unsigned code, unsigned length)
{
    unsigned reversed = 0;

    for (unsigned i = 0; i < length; i++)
        reversed |= (code >> i & 1u) << (length - 1 - i);
    return reversed;
}

// Every table entry whose low bits are the code, which the stream has highest bit first.
static void fill_fast(struct huffman *huffman, unsigned code, unsigned length, unsigned symbol)
{
    for (unsigned at = reverse_bits(code, length); at < 1u << FAST_BITS; at += 1u << length)
        huffman->fast[at] = (uint16_t)(symbol << 4 | length);
}

// False if there are more codes of the given lengths than bits allow. `is_complete`: no bits are
// left either.
static bool check_lengths(const struct huffman *huffman, bool *is_complete)
{
    int left = 1;

    for (unsigned length = 1; length <= CODE_BITS_MAX; length++) {
        left = left * 2 - huffman->count[length];
        if (left < 0)
            return false;
    }
    *is_complete = left == 0;
    return true;
}

// From the length of each symbol's code; 0: the symbol does not occur. An incomplete code is one of
// a single symbol of one bit, or of none (3.2.7, "one distance code of zero bits").
static bool build_huffman(struct huffman *huffman, const uint8_t *lengths, unsigned count)
{
    uint16_t offset[CODE_BITS_MAX + 2] = {0};
    unsigned code[CODE_BITS_MAX + 2] = {0};
    bool is_complete;

    memset(huffman, 0, sizeof(*huffman));
    for (unsigned i = 0; i < count; i++)
        huffman->count[lengths[i]]++;
    huffman->count[0] = 0;
    if (!check_lengths(huffman, &is_complete))
        return false;
    for (unsigned length = 1; length <= CODE_BITS_MAX; length++) {
        offset[length + 1] = (uint16_t)(offset[length] + huffman->count[length]);
        code[length + 1] = (code[length] + huffman->count[length]) << 1;
    }
    const unsigned used = offset[CODE_BITS_MAX + 1];
    if (!is_complete && !(used == 0 || (used == 1 && huffman->count[1] == 1)))
        return false;
    for (unsigned i = 0; i < count; i++) {
        const unsigned length = lengths[i];
        if (length == 0)
            continue;
        huffman->symbol[offset[length]++] = (uint16_t)i;
        if (length <= FAST_BITS)
            fill_fast(huffman, code[length], length, i);
        code[length]++;
    }
    return true;
}

static mx_status_t take_long_symbol(struct stream *stream, const struct huffman *huffman,
                                    unsigned *symbol)
{
    unsigned code = 0, first = 0, index = 0;

    for (unsigned length = 1; length <= CODE_BITS_MAX; length++) {
        uint32_t bit;
        const mx_status_t status = take_bits(stream, 1, &bit);
        if (status != MX_OK)
            return status;
        code |= bit;
        const unsigned count = huffman->count[length];
        if (code - first < count) {
            *symbol = huffman->symbol[index + (code - first)];
            return MX_OK;
        }
        index += count;
        first = (first + count) << 1;
        code <<= 1;
    }
    return refuse(stream, "it has a code that stands for nothing");
}

static mx_status_t take_symbol(struct stream *stream, const struct huffman *huffman,
                               unsigned *symbol)
{
    if (stream->bit_count < CODE_BITS_MAX)
        refill(stream);
    const uint16_t entry = huffman->fast[stream->bits & ((1u << FAST_BITS) - 1)];
    const unsigned length = entry & 15u;
    if (length == 0 || length > stream->bit_count)
        return take_long_symbol(stream, huffman, symbol);
    drop_bits(stream, length);
    *symbol = entry >> 4;
    return MX_OK;
}

// --- blocks -------------------------------------------------------------------------------------

// 3.2.4 "Non-compressed blocks": the bits up to the next byte are ignored.
static mx_status_t copy_stored(struct stream *stream)
{
    uint32_t length, complement;

    drop_bits(stream, stream->bit_count & 7);
    mx_status_t status = take_bits(stream, 16, &length);
    if (status == MX_OK)
        status = take_bits(stream, 16, &complement);
    if (status != MX_OK)
        return status;
    if ((length ^ complement) != 0xffff)
        return refuse(stream, "the length of a stored block is damaged");
    stream->input_at -= stream->bit_count / 8; // back to the bytes that were read ahead
    stream->bits = 0;
    stream->bit_count = 0;
    if (length > stream->input_bytes - stream->input_at)
        return refuse(stream, "it is cut off");
    const size_t room = stream->output_capacity - stream->output_at;
    const size_t size_bytes = length < room ? length : room;
    memcpy(stream->output + stream->output_at, stream->input + stream->input_at, size_bytes);
    stream->input_at += size_bytes;
    stream->output_at += size_bytes;
    return size_bytes == length ? MX_OK : MX_ERR_BUFFER_TOO_SMALL;
}

// A match may reach into what it writes itself, which repeats it.
static mx_status_t copy_match(struct stream *stream, size_t distance, size_t length)
{
    const size_t room = stream->output_capacity - stream->output_at;
    uint8_t *to = stream->output + stream->output_at;

    if (distance > stream->output_at)
        return refuse(stream, "a match begins before the data");
    const uint8_t *from = to - distance;
    const size_t size_bytes = length < room ? length : room;
    if (distance >= size_bytes) {
        memcpy(to, from, size_bytes);
    } else {
        for (size_t i = 0; i < size_bytes; i++)
            to[i] = from[i];
    }
    stream->output_at += size_bytes;
    return size_bytes == length ? MX_OK : MX_ERR_BUFFER_TOO_SMALL;
}

// 3.2.5 "Compressed blocks (length and distance codes)".
static mx_status_t take_match(struct stream *stream, unsigned symbol)
{
    static const uint16_t length_base[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                           15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                           67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t length_extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                           2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t distance_base[] = {
        1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
        193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    uint32_t length, distance;
    unsigned code;

    if (symbol > LENGTH_SYMBOL_MAX)
        return refuse(stream, "it has a length code that does not exist");
    symbol -= LENGTH_SYMBOL_MIN;
    mx_status_t status = take_bits(stream, length_extra[symbol], &length);
    if (status == MX_OK)
        status = take_symbol(stream, &stream->distances, &code);
    if (status != MX_OK)
        return status;
    if (code >= DISTANCE_COUNT_MAX)
        return refuse(stream, "it has a distance code that does not exist");
    status = take_bits(stream, code < 2 ? 0 : code / 2 - 1, &distance);
    return status == MX_OK
               ? copy_match(stream, distance_base[code] + distance, length_base[symbol] + length)
               : status;
}

static mx_status_t copy_compressed(struct stream *stream)
{
    for (;;) {
        unsigned symbol;
        mx_status_t status = take_symbol(stream, &stream->literals, &symbol);
        if (status != MX_OK || symbol == END_OF_BLOCK)
            return status;
        if (symbol > END_OF_BLOCK) {
            status = take_match(stream, symbol);
            if (status != MX_OK)
                return status;
            continue;
        }
        if (stream->output_at == stream->output_capacity)
            return MX_ERR_BUFFER_TOO_SMALL;
        stream->output[stream->output_at++] = (uint8_t)symbol;
    }
}

// 3.2.6 "Compression with fixed Huffman codes".
static mx_status_t copy_fixed(struct stream *stream)
{
    uint8_t lengths[FIXED_COUNT];

    memset(lengths, 8, 144);
    memset(lengths + 144, 9, 112);
    memset(lengths + 256, 7, 24);
    memset(lengths + 280, 8, 8);
    (void)build_huffman(&stream->literals, lengths, FIXED_COUNT);
    memset(lengths, 5, 32);
    (void)build_huffman(&stream->distances, lengths, 32);
    return copy_compressed(stream);
}

// 3.2.7 "Compression with dynamic Huffman codes": the code of the code lengths.
static mx_status_t take_length_code(struct stream *stream, unsigned count)
{
    static const uint8_t order[LENGTH_CODE_COUNT] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                     11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[LENGTH_CODE_COUNT] = {0};

    for (unsigned i = 0; i < count; i++) {
        uint32_t length;
        const mx_status_t status = take_bits(stream, 3, &length);
        if (status != MX_OK)
            return status;
        lengths[order[i]] = (uint8_t)length;
    }
    return build_huffman(&stream->literals, lengths, LENGTH_CODE_COUNT)
               ? MX_OK
               : refuse(stream, "the code of its code lengths is impossible");
}

// One of the symbols 16 to 18, which repeat a length.
static mx_status_t take_repeat(struct stream *stream, unsigned symbol, unsigned *count)
{
    static const uint8_t extra[] = {2, 3, 7}, base[] = {3, 3, 11};
    uint32_t more;
    const mx_status_t status = take_bits(stream, extra[symbol - 16], &more);

    if (status == MX_OK)
        *count = base[symbol - 16] + more;
    return status;
}

static mx_status_t take_lengths(struct stream *stream, uint8_t *lengths, unsigned count)
{
    unsigned at = 0;

    while (at < count) {
        unsigned symbol, repeat = 1;
        mx_status_t status = take_symbol(stream, &stream->literals, &symbol);
        if (status == MX_OK && symbol >= 16)
            status = take_repeat(stream, symbol, &repeat);
        if (status != MX_OK)
            return status;
        if (repeat > count - at || (symbol == 16 && at == 0))
            return refuse(stream, "a repeated code length has no place");
        const unsigned length = symbol < 16 ? symbol : symbol == 16 ? lengths[at - 1] : 0;
        memset(lengths + at, (int)length, repeat);
        at += repeat;
    }
    return MX_OK;
}

static mx_status_t copy_dynamic(struct stream *stream)
{
    uint8_t lengths[LITERAL_COUNT_MAX + DISTANCE_COUNT_MAX];
    uint32_t counts;
    mx_status_t status = take_bits(stream, 14, &counts);

    if (status != MX_OK)
        return status;
    const unsigned literal_count = (counts & 31) + 257, distance_count = (counts >> 5 & 31) + 1;
    if (literal_count > LITERAL_COUNT_MAX || distance_count > DISTANCE_COUNT_MAX)
        return refuse(stream, "it has more codes than exist");
    status = take_length_code(stream, (counts >> 10) + 4);
    if (status == MX_OK)
        status = take_lengths(stream, lengths, literal_count + distance_count);
    if (status != MX_OK)
        return status;
    if (lengths[END_OF_BLOCK] == 0)
        return refuse(stream, "a block has no code for its end");
    if (!build_huffman(&stream->literals, lengths, literal_count) ||
        !build_huffman(&stream->distances, lengths + literal_count, distance_count))
        return refuse(stream, "a Huffman code is impossible");
    return copy_compressed(stream);
}

static mx_status_t copy_block(struct stream *stream, unsigned type)
{
    switch (type) {
    case 0:
        return copy_stored(stream);
    case 1:
        return copy_fixed(stream);
    case 2:
        return copy_dynamic(stream);
    }
    return refuse(stream, "it has a block of a type that does not exist");
}

mx_status_t inflate(const uint8_t *input, size_t input_bytes, uint8_t *output,
                    size_t output_capacity, struct inflate_result *result)
{
    struct stream stream = {.input = input,
                            .input_bytes = input_bytes,
                            .output = output,
                            .output_capacity = output_capacity};
    uint32_t head = 0;
    mx_status_t status = MX_OK;

    while (status == MX_OK && !(head & 1)) {
        status = take_bits(&stream, 3, &head); // BFINAL, BTYPE
        if (status == MX_OK)
            status = copy_block(&stream, head >> 1);
    }
    *result = (struct inflate_result){.input_bytes = stream.input_at - stream.bit_count / 8,
                                      .output_bytes = stream.output_at,
                                      .problem = stream.problem};
    return status;
}
