// Decompresses DEFLATE data (RFC 1951) into memory that is there as a whole.
//
// Nothing is allocated; the output itself is the window that matches refer to. The work is bounded
// by the input and the output: each turn consumes a bit at least or writes a byte.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <machina/status.h>

struct inflate_result {
    size_t input_bytes;  // consumed, with the last byte's unused bits
    size_t output_bytes; // written
    const char *problem; // for messages: what is wrong with the data; NULL if nothing is
};

// Decodes from `input` until its final block ends. IO_DATA_INTEGRITY: malformed or cut off.
// BUFFER_TOO_SMALL: there is more than `output_capacity`; that many bytes were written. *result is
// filled in every case.
mx_status_t inflate(const uint8_t *input, size_t input_bytes, uint8_t *output,
                    size_t output_capacity, struct inflate_result *result) MX_MUST_CHECK;
