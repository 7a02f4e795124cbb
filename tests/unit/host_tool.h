// A program of the development host as a second opinion: what it makes of some bytes.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/test.h"

// Runs a shell command with `input` as its standard input. Returns how many bytes of its output are
// in `output`; fails the test if it fails or prints more.
static inline size_t host_tool_run(const char *command, const void *input, size_t input_bytes,
                                   void *output, size_t capacity)
{
    char path[] = "/tmp/machina-test-XXXXXX", whole[512];
    const int fd = mkstemp(path);
    EXPECT_TRUE(fd >= 0 && write(fd, input, input_bytes) == (ssize_t)input_bytes);
    snprintf(whole, sizeof(whole), "{ %s; } <%s", command, path);
    FILE *pipe = popen(whole, "r");
    const size_t output_bytes = pipe ? fread(output, 1, capacity, pipe) : 0;
    EXPECT_TRUE(pipe && fgetc(pipe) == EOF);
    const int status = pipe ? pclose(pipe) : -1;
    EXPECT_EQ(status, 0);
    if (status != 0)
        printf("# %s\n", command);
    close(fd);
    unlink(path);
    return output_bytes;
}
