// See log_line.h.
#include "user/portable/log_line.h"

#include <stdint.h>
#include <stdio.h>

size_t log_line_text(const struct mx_log_record *record, char text[MX_LOG_LINE_SIZE])
{
    size_t size = record->size_bytes < MX_LOG_LINE_SIZE ? record->size_bytes : MX_LOG_LINE_SIZE;

    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)record->text[i];
        text[i] = byte < ' ' || byte == 0x7f ? '?' : (char)byte;
    }
    return size;
}

size_t log_line_format(const struct mx_log_record *record, char line[LOG_LINE_BYTES])
{
    uint64_t ms = (uint64_t)(record->timestamp / MX_MSEC(1));
    size_t length =
        (size_t)snprintf(line, LOG_LINE_BYTES - MX_LOG_LINE_SIZE, "[%5llu.%03llu] ",
                         (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));

    length += log_line_text(record, line + length);
    line[length++] = '\n';
    return length;
}
