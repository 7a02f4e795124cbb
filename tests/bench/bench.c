// Executed instructions of what matters, printed as `bench: NAME MINIMUM MEDIAN` for
// tests/bench/run.
//
// Run under -icount, where the machine's clock counts instructions (ARCH/bench_arch.h). Without
// arguments all rows are measured; `bench linux` only starts the Linux guest, `bench device` is the
// program's own second process.

#include <stdio.h>
#include <string.h>

#include "tests/bench/device_process.h"
#include "tests/bench/rows.h"

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "all";

    if (strcmp(what, "device") == 0)
        return device_process_run();
    memory_rows_measure();
    if (strcmp(what, "linux") != 0) {
        host_rows_measure();
        guest_rows_measure();
    }
    if (strcmp(what, "quick") != 0)
        linux_rows_measure();
    printf("bench: end 0 0\n");
    return 0;
}
