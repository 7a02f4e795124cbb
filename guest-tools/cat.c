// The cat command: files of the boot image, or what is typed until ^D.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina_user/files.h>
#include <machina_user/stream.h>
#include <machina_user/terminal.h>

#define END_OF_INPUT 0x04 // ^D

static int print_file(const char *path)
{
    const void *bytes;
    size_t size_bytes;
    mx_status_t status = files_map(path, &bytes, &size_bytes);

    if (status == MX_OK) {
        fwrite(bytes, 1, size_bytes, stdout);
        fflush(stdout);
        return 0;
    }
    printf("cat: %s: %s\n", path, mx_status_string(status));
    return EXIT_FAILURE;
}

static int print_input(void)
{
    char chunk[256];
    size_t length;

    if (terminal_input() == MX_HANDLE_INVALID)
        return 0;
    while (stream_read_some(terminal_input(), chunk, sizeof(chunk), MX_TIME_INFINITE, &length) ==
           MX_OK) {
        const char *end = memchr(chunk, END_OF_INPUT, length);
        size_t part = end ? (size_t)(end - chunk) : length;
        for (size_t i = 0; i < part; i++)
            putchar(chunk[i] == '\r' ? '\n' : chunk[i]);
        fflush(stdout);
        if (end)
            break;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int result = 0;

    if (argc < 2)
        return print_input();
    for (int i = 1; i < argc; i++)
        result |= print_file(argv[i]);
    return result;
}
