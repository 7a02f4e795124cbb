// gzip files; the contract is in the header. References are to RFC 1952.
#include "vmm/loader/gzip.h"

#include <string.h>

#include "vmm/loader/inflate.h"

// 2.3 "Member format".
#define MAGIC            "\x1f\x8b"
#define METHOD_OFFSET    2
#define METHOD_DEFLATE   8
#define FLAGS_OFFSET     3
#define HEADER_BYTES     10
#define TRAILER_BYTES    8
#define FLAG_HCRC        0x02
#define FLAG_EXTRA       0x04
#define FLAG_NAME        0x08
#define FLAG_COMMENT     0x10
#define FLAGS_RESERVED   0xe0
#define CRC32_POLYNOMIAL 0xedb88320

static uint32_t get32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

// A byte at a time by a table: tens of megabytes go through here. 8 "Appendix: Sample CRC Code".
static uint32_t crc32(const uint8_t *bytes, size_t size_bytes)
{
    uint32_t table[256], crc = UINT32_MAX;

    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (unsigned bit = 0; bit < 8; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? CRC32_POLYNOMIAL : 0);
    }
    for (size_t i = 0; i < size_bytes; i++)
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xff];
    return ~crc;
}

bool gzip_matches(const void *file, size_t size_bytes)
{
    return size_bytes >= 2 && memcmp(file, MAGIC, 2) == 0;
}

// Behind the NUL of a text at *at; false if there is none.
static bool skip_text(const uint8_t *file, size_t size_bytes, size_t *at)
{
    const uint8_t *end = *at < size_bytes ? memchr(file + *at, '\0', size_bytes - *at) : NULL;

    if (!end)
        return false;
    *at = (size_t)(end - file) + 1;
    return true;
}

static bool skip_extra(const uint8_t *file, size_t size_bytes, size_t *at)
{
    if (size_bytes - *at < 2)
        return false;
    const size_t extra_bytes = file[*at] | (size_t)file[*at + 1] << 8;
    *at += 2;
    if (extra_bytes > size_bytes - *at)
        return false;
    *at += extra_bytes;
    return true;
}

// Where the compressed data begins, or NULL; *problem says why.
static const uint8_t *find_data(const uint8_t *file, size_t size_bytes, const char **problem)
{
    size_t at = HEADER_BYTES;

    *problem = "its gzip header is cut off";
    if (size_bytes < HEADER_BYTES)
        return NULL;
    const uint8_t flags = file[FLAGS_OFFSET];
    if ((flags & FLAG_EXTRA && !skip_extra(file, size_bytes, &at)) ||
        (flags & FLAG_NAME && !skip_text(file, size_bytes, &at)) ||
        (flags & FLAG_COMMENT && !skip_text(file, size_bytes, &at)))
        return NULL;
    if (flags & FLAG_HCRC)
        at += 2;
    if (at > size_bytes)
        return NULL;
    *problem = "its gzip header asks for a method that does not exist";
    return memcmp(file, MAGIC, 2) == 0 && file[METHOD_OFFSET] == METHOD_DEFLATE &&
                   !(flags & FLAGS_RESERVED)
               ? file + at
               : NULL;
}

mx_status_t gzip_peek(const void *file, size_t size_bytes, void *output, size_t capacity,
                      size_t *output_bytes, const char **problem)
{
    struct inflate_result result;
    const uint8_t *data = find_data(file, size_bytes, problem);

    *output_bytes = 0;
    if (!data)
        return MX_ERR_IO_DATA_INTEGRITY;
    const size_t data_bytes = size_bytes - (size_t)(data - (const uint8_t *)file);
    const mx_status_t status = inflate(data, data_bytes, output, capacity, &result);
    *output_bytes = result.output_bytes;
    *problem = result.problem;
    return status == MX_ERR_BUFFER_TOO_SMALL ? MX_OK : status;
}

mx_status_t gzip_decompress(const void *file, size_t size_bytes, void *output, size_t capacity,
                            size_t *output_bytes, const char **problem)
{
    struct inflate_result result;
    const uint8_t *data = find_data(file, size_bytes, problem);

    *output_bytes = 0;
    if (!data)
        return MX_ERR_IO_DATA_INTEGRITY;
    const size_t data_bytes = size_bytes - (size_t)(data - (const uint8_t *)file);
    const mx_status_t status = inflate(data, data_bytes, output, capacity, &result);
    *output_bytes = result.output_bytes;
    *problem = result.problem;
    if (status != MX_OK)
        return status;
    const uint8_t *trailer = data + result.input_bytes;
    const size_t trailer_bytes = data_bytes - result.input_bytes;
    if (trailer_bytes < TRAILER_BYTES)
        *problem = "its gzip trailer is cut off";
    else if (trailer_bytes > TRAILER_BYTES)
        *problem = "something follows its end";
    else if (get32(trailer + 4) != (uint32_t)result.output_bytes)
        *problem = "its length is not what its trailer says";
    else if (get32(trailer) != crc32(output, result.output_bytes))
        *problem = "its CRC is wrong";
    return *problem ? MX_ERR_IO_DATA_INTEGRITY : MX_OK;
}
