// Output of a process: a line buffer in front of its stream or the kernel's log; see stdio.h.

#include <stdio.h>

#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/mutex.h>
#include <machina_user/startup.h>
#include <machina_user/stream.h>

#include "user/portable/print_core.h"

#define BUFFER_BYTES 1024

struct stdio_file {
    struct print_sink sink; // first
    struct mutex mutex;
    size_t used_bytes;
    bool holds_newline;
    bool is_dropped; // nobody reads any more
    char buffer[BUFFER_BYTES];
};

static void file_write(struct print_sink *sink, const char *bytes, size_t length);

static struct stdio_file output = {.sink = {file_write}};
FILE *const stdout = &output;
FILE *const stderr = &output;

// The log takes lines without their ends.
static void write_log(mx_handle_t log, const char *bytes, size_t length)
{
    while (length > 0) {
        size_t line = 0;
        while (line < length && line < MX_LOG_LINE_SIZE && bytes[line] != '\n')
            line++;
        if (line > 0)
            mx_log_write(log, bytes, line);
        if (line < length && bytes[line] == '\n')
            line++;
        bytes += line;
        length -= line;
    }
}

static void flush_locked(struct stdio_file *file)
{
    mx_handle_t stream = startup_handle_look(MX_STARTUP_STDOUT, 0);
    mx_handle_t log = startup_handle_look(MX_STARTUP_LOG, 0);

    if (stream != MX_HANDLE_INVALID && !file->is_dropped)
        file->is_dropped = stream_write_all(stream, file->buffer, file->used_bytes) != MX_OK;
    else if (stream == MX_HANDLE_INVALID && log != MX_HANDLE_INVALID)
        write_log(log, file->buffer, file->used_bytes);
    file->used_bytes = 0;
    file->holds_newline = false;
}

// The mutex is held.
static void file_write(struct print_sink *sink, const char *bytes, size_t length)
{
    struct stdio_file *file = (struct stdio_file *)sink;

    if (memchr(bytes, '\n', length))
        file->holds_newline = true;
    while (length > 0) {
        size_t part = BUFFER_BYTES - file->used_bytes;
        if (part > length)
            part = length;
        memcpy(file->buffer + file->used_bytes, bytes, part);
        file->used_bytes += part;
        bytes += part;
        length -= part;
        if (file->used_bytes == BUFFER_BYTES) {
            bool holds_newline = file->holds_newline;
            flush_locked(file);
            file->holds_newline = holds_newline && length > 0;
        }
    }
}

static void begin(FILE *file)
{
    mutex_lock(&file->mutex);
}

static void end(FILE *file)
{
    if (file->holds_newline)
        flush_locked(file);
    mutex_unlock(&file->mutex);
}

int vfprintf(FILE *restrict file, const char *restrict format, va_list args)
{
    begin(file);
    int length = print_core(&file->sink, format, args);
    end(file);
    return length;
}

int vprintf(const char *restrict format, va_list args)
{
    return vfprintf(stdout, format, args);
}

int printf(const char *restrict format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vfprintf(stdout, format, args);
    va_end(args);
    return length;
}

int fprintf(FILE *restrict file, const char *restrict format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vfprintf(file, format, args);
    va_end(args);
    return length;
}

int vsnprintf(char *restrict buffer, size_t size, const char *restrict format, va_list args)
{
    return print_core_buffer(buffer, size, format, args);
}

int snprintf(char *restrict buffer, size_t size, const char *restrict format, ...)
{
    va_list args;

    va_start(args, format);
    int length = print_core_buffer(buffer, size, format, args);
    va_end(args);
    return length;
}

size_t fwrite(const void *restrict bytes, size_t size, size_t count, FILE *restrict file)
{
    begin(file);
    file_write(&file->sink, bytes, size * count);
    end(file);
    return count;
}

int fputs(const char *restrict string, FILE *restrict file)
{
    fwrite(string, 1, strlen(string), file);
    return 0;
}

int puts(const char *string)
{
    begin(stdout);
    file_write(&stdout->sink, string, strlen(string));
    file_write(&stdout->sink, "\n", 1);
    end(stdout);
    return 0;
}

int fputc(int character, FILE *file)
{
    char byte = (char)character;

    fwrite(&byte, 1, 1, file);
    return (unsigned char)byte;
}

int putc(int character, FILE *file)
{
    return fputc(character, file);
}

int putchar(int character)
{
    return fputc(character, stdout);
}

int fflush(FILE *file)
{
    if (!file)
        file = stdout;
    mutex_lock(&file->mutex);
    flush_locked(file);
    mutex_unlock(&file->mutex);
    return 0;
}
