// The ps command: all processes of the machine.

#include <stdio.h>
#include <stdlib.h>

#include <machina/syscalls.h>

#include <machina_user/startup.h>

#include "user/portable/list_format.h"

// Processes that start while the list is read.
#define SPARE_COUNT 16

static mx_status_t read_processes(mx_handle_t job, struct mx_info_process **out, size_t *out_count)
{
    struct mx_info_job info;
    size_t actual = 0, bytes;
    mx_status_t status = mx_object_get_info(job, MX_INFO_JOB, &info, sizeof(info), NULL);

    if (status != MX_OK)
        return status;
    bytes = (info.process_count + SPARE_COUNT) * sizeof(struct mx_info_process);
    struct mx_info_process *processes = malloc(bytes);
    if (!processes)
        return MX_ERR_NO_MEMORY;
    status = mx_object_get_info(job, MX_INFO_JOB_PROCESSES, processes, bytes, &actual);
    if (status != MX_OK) {
        free(processes);
        return status;
    }
    *out = processes;
    *out_count = (actual < bytes ? actual : bytes) / sizeof(*processes);
    return MX_OK;
}

int main(void)
{
    struct mx_info_process *processes;
    size_t count;
    char buffer[256];
    struct text text = text_begin(buffer, sizeof(buffer));
    mx_status_t status = read_processes(startup_handle_look(MX_STARTUP_JOB, 1), &processes, &count);

    if (status != MX_OK) {
        printf("ps: %s\n", mx_status_string(status));
        return EXIT_FAILURE;
    }
    process_list_header(&text);
    fputs(buffer, stdout);
    for (size_t i = 0; i < count; i++) {
        text = text_begin(buffer, sizeof(buffer));
        process_list_row(&text, &processes[i]);
        fputs(buffer, stdout);
    }
    free(processes);
    return 0;
}
