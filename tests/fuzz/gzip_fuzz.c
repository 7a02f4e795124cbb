// Arbitrary bytes as a gzip file and as DEFLATE data, into memory of several sizes.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/loader/gzip.h"
#include "vmm/loader/inflate.h"

static void require(int condition)
{
    if (!condition)
        abort();
}

// What fits into less memory must be the beginning of what fits into more.
static void expand(const uint8_t *data, size_t size, size_t capacity, const uint8_t *whole,
                   size_t whole_bytes)
{
    uint8_t *output = malloc(capacity + !capacity);
    struct inflate_result result;
    const mx_status_t status = inflate(data, size, output, capacity, &result);

    require(result.input_bytes <= size && result.output_bytes <= capacity);
    require((status == MX_ERR_IO_DATA_INTEGRITY) == (result.problem != NULL));
    if (status == MX_ERR_BUFFER_TOO_SMALL)
        require(result.output_bytes == capacity);
    require(result.output_bytes <= whole_bytes || capacity > whole_bytes);
    if (result.output_bytes <= whole_bytes)
        require(memcmp(output, whole, result.output_bytes) == 0);
    free(output);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t output[1 << 20];
    struct inflate_result result;
    const char *problem;
    size_t output_bytes;

    mx_status_t status =
        gzip_decompress(data, size, output, sizeof(output), &output_bytes, &problem);
    require(output_bytes <= sizeof(output));
    require((status == MX_ERR_IO_DATA_INTEGRITY) == (problem != NULL));
    status = inflate(data, size, output, sizeof(output), &result);
    require(status != MX_ERR_BUFFER_TOO_SMALL || result.output_bytes == sizeof(output));
    expand(data, size, 0, output, result.output_bytes);
    expand(data, size, 100, output, result.output_bytes);
    expand(data, size, result.output_bytes, output, result.output_bytes);
    return 0;
}
