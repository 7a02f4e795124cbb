// Starting a program in a new process.
//
// A program gets what its launcher names and nothing else: the handles below, and handles to
// itself. The program file is untrusted (boot/elf.h): a bad one gives an error with its reason.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <machina/startup.h>

// A handle for the new process (kinds: <machina/startup.h>).
struct process_handle {
    uint32_t kind;
    uint32_t arg;
    mx_handle_t handle;
};

// The kinds SELF_PROCESS and SELF_ASPACE come on top.
#define PROCESS_HANDLES_MAX (MX_STARTUP_MAX_HANDLES - 2)
#define PROCESS_STACK_BYTES ((size_t)256 * 1024)

struct process_launch {
    mx_handle_t job;        // where the process is made; needs MANAGE
    const char *name;       // for ps and the log; NULL: argv[0] behind its last slash
    mx_handle_t executable; // memory object with the file from offset 0; needs READ, MAP, EXECUTE
    uint64_t executable_bytes; // size of the file

    const char *const *argv;
    size_t argc; // at least 1
    const char *const *env;
    size_t envc;

    // Given to the process; closed in any case, also when the launch fails. Entries with
    // MX_HANDLE_INVALID are left out.
    const struct process_handle *handles;
    size_t handle_count;

    mx_handle_t *out_channel; // gets the launcher's end of the start-up channel, or NULL
    const char **reason;      // gets a static string that says why the program was refused, or NULL
};

// The process runs when this returns MX_OK; *out_process is to be closed. INVALID_ARGS: no program
// file. NOT_SUPPORTED, IO_DATA_INTEGRITY: one that is not accepted. OUT_OF_RANGE: too many handles
// or strings. Also the errors of making processes and memory.
MX_MUST_CHECK mx_status_t process_launch(const struct process_launch *spec,
                                         mx_handle_t *out_process);

// process_launch with the program file `path` of the boot image in place of executable and
// executable_bytes. NOT_FOUND.
MX_MUST_CHECK mx_status_t process_launch_file(const struct process_launch *spec, const char *path,
                                              mx_handle_t *out_process);

// Waits for the end of a process. Needs WAIT and INSPECT. TIMED_OUT.
MX_MUST_CHECK mx_status_t process_wait(mx_handle_t process, mx_time_t deadline, int32_t *exit_code);

// Closes a handle of this process; MX_HANDLE_INVALID is allowed. A bad handle is a bug, which ends
// the program.
void handle_close(mx_handle_t handle);
