// A process of its own for a test: bin/test_child doing what one word says
// (tests/system/programs/test_child.c).
#pragma once

#include <machina/types.h>

struct child {
    mx_handle_t process;
    mx_handle_t channel; // to the child's start-up channel
};

// Starts test_child with `what` and `argument` (may be NULL) in the test's own job, or in `job`.
MX_MUST_CHECK mx_status_t child_start(struct child *child, const char *what, const char *argument);
MX_MUST_CHECK mx_status_t child_start_in(struct child *child, mx_handle_t job, const char *what,
                                         const char *argument);
// Waits for its end, at most ten seconds, and closes what is left. INT32_MIN if it did not end, and
// is killed.
int32_t child_finish(struct child *child);
// Starts, waits, and returns the exit code; INT32_MAX if it could not be started.
int32_t child_run(const char *what, const char *argument);

// What the test program itself was given.
mx_handle_t own_job(void);
mx_handle_t own_process(void);
mx_handle_t own_aspace(void);
mx_handle_t root_resource(void);
mx_handle_t system_resource(void);

// The monotonic time `ns` from now.
mx_time_t deadline_after(mx_time_t ns);

// Living kernel objects and handles of the whole machine and its free memory, to see that nothing
// was leaked.
struct machine_counts {
    uint64_t objects, handles, free_bytes;
};
struct machine_counts machine_counts(void);
// Waits until objects and handles are back at `before`, for what ends in the background; false
// after five seconds.
bool machine_counts_return_to(const struct machine_counts *before);

// A copy with exactly `rights`, or MX_HANDLE_INVALID.
mx_handle_t with_rights(mx_handle_t handle, mx_rights_t rights);
void close_handle(mx_handle_t handle);
// New memory mapped readable and writable; NULL if that fails.
void *map_new(size_t size_bytes, mx_handle_t *out_vmo);
void unmap(void *address, size_t size_bytes);
