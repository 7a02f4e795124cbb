// Decompresses a gzip file of one member (RFC 1952), as compressed kernels are.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <machina/status.h>

// Whether the file begins like a gzip file.
bool gzip_matches(const void *file, size_t size_bytes);

// Decompresses the first `capacity` bytes without checking the rest: to look at what is in the
// file. *output_bytes is less if there is less. IO_DATA_INTEGRITY: *problem says what is wrong, for
// a message.
mx_status_t gzip_peek(const void *file, size_t size_bytes, void *output, size_t capacity,
                      size_t *output_bytes, const char **problem) MX_MUST_CHECK;

// Decompresses the whole file, whose CRC and length must be right and which must end there.
// IO_DATA_INTEGRITY: *problem says what is wrong; BUFFER_TOO_SMALL: more than `capacity`.
mx_status_t gzip_decompress(const void *file, size_t size_bytes, void *output, size_t capacity,
                            size_t *output_bytes, const char **problem) MX_MUST_CHECK;
