// The main() of every test program, on the host and on the target; see test.h.

#include "tests/test.h"

#include <stdarg.h>

extern const struct test_case __start_test_cases[];
extern const struct test_case __stop_test_cases[];

static bool current_failed;

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    current_failed = true;
    printf("# %s:%d: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static bool is_selected(const char *name, int argc, char **argv)
{
    if (argc < 2)
        return true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    unsigned passed_count = 0, failed_count = 0;

    for (const struct test_case *test = __start_test_cases; test < __stop_test_cases; test++) {
        if (!is_selected(test->name, argc, argv))
            continue;
        current_failed = false;
        test->run();
        printf("%s %s\n", current_failed ? "FAIL" : "ok", test->name);
        fflush(stdout);
        if (current_failed)
            failed_count++;
        else
            passed_count++;
    }
    printf("%u passed, %u failed\n", passed_count, failed_count);
    return failed_count != 0 || passed_count == 0;
}
