// Decompression, held against gzip and against every way in which data can be wrong.
#include <string.h>

#include "tests/unit/host_tool.h"
#include "vmm/loader/gzip.h"
#include "vmm/loader/inflate.h"

#define PLAIN_BYTES 300000

static uint8_t plain[PLAIN_BYTES], packed[PLAIN_BYTES + 1000], output[PLAIN_BYTES + 1];
static size_t packed_bytes, output_bytes;
static struct inflate_result result;
static const char *problem;

static const uint8_t FIXED[] = {0x4b, 0x4c, 0x4a, 0x4e, 0x44, 0x42, 0x5c, 0x00};
static const uint8_t STORED[] = {0x01, 0x06, 0x00, 0xf9, 0xff, 's', 't', 'o', 'r', 'e', 'd'};
// A block with codes of its own, and its text.
static const uint8_t DYNAMIC[] = {
    0x25, 0x8c, 0xc1, 0x11, 0x00, 0x30, 0x08, 0xc2, 0xfe, 0x6e, 0x19, 0x60, 0xff, 0x19, 0x8a,
    0x56, 0x1f, 0x1e, 0x10, 0x01, 0x31, 0x19, 0xc3, 0x60, 0x13, 0x51, 0xa3, 0xe3, 0x2e, 0x99,
    0x15, 0xf5, 0xbc, 0xae, 0x8c, 0x54, 0xf2, 0x40, 0x89, 0x94, 0xd2, 0x54, 0x36, 0xb8, 0xb1,
    0xf4, 0xd9, 0x32, 0xbd, 0x23, 0xf7, 0x29, 0x17, 0x5d, 0x67, 0xb6, 0x84, 0x7d, 0x85, 0x07};
static const char DYNAMIC_TEXT[] =
    "aaba\nd\ncaa\naccadbaabaaaacacaad\nabaadbacaababcabb\nca\naccabbadaacb\na\n"
    "abcaaaaaacbbdbacaaca\nbac\nbcbabdaaaaabaaaadababaabbaaa";

static mx_status_t expand(const uint8_t *data, size_t size_bytes)
{
    memset(output, 0xee, sizeof(output));
    return inflate(data, size_bytes, output, PLAIN_BYTES, &result);
}

static void expect_text(const uint8_t *data, size_t size_bytes, const char *text)
{
    EXPECT_OK(expand(data, size_bytes));
    EXPECT_EQ(result.input_bytes, size_bytes);
    EXPECT_EQ(result.output_bytes, strlen(text));
    EXPECT_BYTES_EQ(output, text, strlen(text));
    EXPECT_EQ(output[strlen(text)], 0xee);
}

// Runs, near and far repetitions, and noise that cannot be compressed.
static void make_plain(void)
{
    uint32_t noise = 1;

    for (size_t i = 0; i < PLAIN_BYTES; i++) {
        noise = noise * 1664525 + 1013904223;
        const bool is_noise = i % 40000 > 30000;
        plain[i] = is_noise ? (uint8_t)(noise >> 24) : (uint8_t)(i / 700 * (i % 13 < 9));
    }
}

static void pack(const char *command)
{
    make_plain();
    packed_bytes = host_tool_run(command, plain, sizeof(plain), packed, sizeof(packed));
}

static mx_status_t unpack(void)
{
    return gzip_decompress(packed, packed_bytes, output, PLAIN_BYTES, &output_bytes, &problem);
}

static void expect_damaged(const char *part)
{
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, unpack());
    EXPECT_TRUE(problem && strstr(problem, part) != NULL);
    if (!problem || !strstr(problem, part))
        printf("# problem: %s\n", problem ? problem : "none");
}

TEST(blocks_of_every_type_are_expanded)
{
    expect_text(FIXED, sizeof(FIXED), "abcabcabcabcabc\n");
    expect_text(STORED, sizeof(STORED), "stored");
    expect_text(DYNAMIC, sizeof(DYNAMIC), DYNAMIC_TEXT);
}

TEST(what_follows_the_end_is_left)
{
    uint8_t more[sizeof(STORED) + 9] = {0};

    memcpy(more, STORED, sizeof(STORED));
    EXPECT_OK(expand(more, sizeof(more)));
    EXPECT_EQ(result.input_bytes, sizeof(STORED));
}

TEST(output_that_is_full_ends_it)
{
    for (size_t capacity = 0; capacity < strlen(DYNAMIC_TEXT); capacity++) {
        memset(output, 0xee, sizeof(output));
        EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL,
                      inflate(DYNAMIC, sizeof(DYNAMIC), output, capacity, &result));
        EXPECT_EQ(result.output_bytes, capacity);
        EXPECT_BYTES_EQ(output, DYNAMIC_TEXT, capacity);
        EXPECT_EQ(output[capacity], 0xee);
    }
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, inflate(STORED, sizeof(STORED), output, 5, &result));
    EXPECT_EQ(result.output_bytes, 5);
}

TEST(input_that_is_cut_off_is_refused_everywhere)
{
    static const struct {
        const uint8_t *data;
        size_t size_bytes;
    } streams[] = {{FIXED, sizeof(FIXED)}, {STORED, sizeof(STORED)}, {DYNAMIC, sizeof(DYNAMIC)}};

    for (unsigned i = 0; i < 3; i++) {
        for (size_t cut = 0; cut < streams[i].size_bytes; cut++) {
            uint8_t *exact = malloc(cut + 1);
            memcpy(exact, streams[i].data, cut);
            exact = realloc(exact, cut + !cut); // so that the sanitizer sees a byte too far
            EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, expand(exact, cut));
            free(exact);
        }
    }
}

TEST(impossible_streams_are_refused)
{
    static const struct {
        const char *part;
        uint8_t data[8];
    } streams[] = {
        {"type", {0x07}},
        {"stored block", {0x01, 0x06, 0x00, 0xf9, 0xfe}},
        {"before the data", {0x63, 0x04, 0x22, 0x00}}, // a literal, then 3 bytes from 5 back
        {"more codes", {0xfd, 0xff, 0xff}},
        {"code lengths", {0x05, 0x20, 0x92, 0x24, 0x49}}, // every one of them of one bit
    };

    for (unsigned i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, expand(streams[i].data, sizeof(streams[i].data)));
        EXPECT_TRUE(result.problem && strstr(result.problem, streams[i].part) != NULL);
        if (!result.problem || !strstr(result.problem, streams[i].part))
            printf("# %s: %s\n", streams[i].part, result.problem ? result.problem : "none");
    }
}

TEST(what_gzip_makes_is_expanded)
{
    static const char *const commands[] = {"gzip -n -1 -c", "gzip -n -6 -c", "gzip -n -9 -c"};

    for (unsigned i = 0; i < 3; i++) {
        pack(commands[i]);
        EXPECT_TRUE(gzip_matches(packed, packed_bytes));
        EXPECT_OK(unpack());
        EXPECT_EQ(output_bytes, sizeof(plain));
        EXPECT_BYTES_EQ(output, plain, sizeof(plain));
    }
}

// Extra field, name, comment and the header's own CRC, before the data.
TEST(header_with_every_field_is_skipped)
{
    static const uint8_t header[] = {0x1f, 0x8b, 8,   0x1e, 0,   0, 0,   0, 0, 3, 3,
                                     0,    'x',  'y', 0,    'n', 0, 'c', 0, 0, 0};
    uint8_t saved[PLAIN_BYTES];

    pack("gzip -n -c");
    memcpy(saved, packed + 10, packed_bytes - 10);
    memcpy(packed, header, sizeof(header));
    memcpy(packed + sizeof(header), saved, packed_bytes - 10);
    packed_bytes += sizeof(header) - 10;
    EXPECT_OK(unpack());
    for (size_t cut = 0; cut < sizeof(header); cut++) {
        packed_bytes = cut;
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, unpack());
    }
}

TEST(damage_is_told)
{
    pack("gzip -n -c");
    packed_bytes--;
    expect_damaged("trailer is cut off");
    packed_bytes += 2;
    expect_damaged("follows");
    packed_bytes--;
    packed[packed_bytes - 1] ^= 1;
    expect_damaged("length");
    packed[packed_bytes - 1] ^= 1;
    packed[packed_bytes - 8] ^= 1;
    expect_damaged("CRC");
    packed[packed_bytes - 8] ^= 1;
    packed[2] = 7;
    expect_damaged("method");
    packed[2] = 8;
    packed[3] = 0x20;
    expect_damaged("method");
}

TEST(file_that_does_not_fit_is_told_and_can_be_peeked_at)
{
    pack("gzip -n -c");
    EXPECT_STATUS(
        MX_ERR_BUFFER_TOO_SMALL,
        gzip_decompress(packed, packed_bytes, output, PLAIN_BYTES - 1, &output_bytes, &problem));
    memset(output, 0xee, sizeof(output));
    EXPECT_OK(gzip_peek(packed, packed_bytes, output, 64, &output_bytes, &problem));
    EXPECT_EQ(output_bytes, 64);
    EXPECT_BYTES_EQ(output, plain, 64);
    EXPECT_EQ(output[64], 0xee);
}
