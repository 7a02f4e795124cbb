// Records of the kernel's log as text for a terminal.
//
// A record may hold what a process wrote: nothing in it drives the terminal.
#pragma once

#include <stddef.h>

#include <machina/objects.h>

#define LOG_LINE_BYTES (MX_LOG_LINE_SIZE + 32)

// The record's text, each byte that is no character as '?'. Returns its length; there is no NUL.
size_t log_line_text(const struct mx_log_record *record, char text[MX_LOG_LINE_SIZE]);
// "[seconds.milliseconds] text" and a line feed. Returns its length; there is no NUL.
size_t log_line_format(const struct mx_log_record *record, char line[LOG_LINE_BYTES]);
