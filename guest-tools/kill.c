// The kill command: ends a process, whatever it is doing.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "user/portable/format.h"

#define EXIT_KILLED (-1)

static int complain(const char *word, mx_status_t status)
{
    if (status == MX_ERR_NOT_FOUND)
        printf("kill: there is no process %s; ps shows them\n", word);
    else
        printf("kill: %s: %s\n", word, mx_status_string(status));
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    mx_handle_t process;
    const char *reason;
    uint64_t id;

    if (argc != 2) {
        printf("kill: name a process by its id; ps shows them\n");
        return EXIT_FAILURE;
    }
    if (parse_number(argv[1], strlen(argv[1]), UINT64_MAX, &id, &reason) != MX_OK) {
        printf("kill: \"%.32s\" is not a process's id; ps shows them\n", argv[1]);
        return EXIT_FAILURE;
    }
    mx_status_t status = mx_job_open_process(startup_handle_look(MX_STARTUP_JOB, 1), id, &process);
    if (status == MX_OK) {
        status = mx_task_kill(process, EXIT_KILLED);
        handle_close(process);
    }
    return status == MX_OK ? 0 : complain(argv[1], status);
}
