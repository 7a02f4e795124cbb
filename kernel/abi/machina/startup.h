// The start-up message: how a process learns what it was given.
//
// A new process's first thread starts with a channel in its first argument register
// (mx_process_start). The first message in that channel is
//
//     struct mx_startup_message
//     struct mx_startup_handle[handle_count]     one for each handle of the message, in the same
//     order argc + envc strings                        each ending in NUL, arguments first; nothing
//     behind them
//
// The kernel sends it to the first process, launchers (<machina_user/process.h>) to every other.
// The second argument register is zero. The channel stays open for whatever the launcher and the
// program agree on; the launcher closes its end if there is nothing.
//
// The first process is the file bin/init of the boot image's bootfs: a static ELF64 executable
// (ET_EXEC) whose page-aligned PT_LOAD segments are never both writable and executable and lie in
// user memory. It gets argv[0] "bin/init", argv[1] the kernel's whole command line (perhaps empty),
// no environment, and one handle of each kind of: SELF_PROCESS, SELF_ASPACE, JOB (the root job),
// RESOURCE with argument MX_RESOURCE_ROOT, BOOT_IMAGE, LOG.
#pragma once

#include <machina/objects.h>
#include <machina/types.h>

#define MX_STARTUP_MAGIC UINT32_C(0x5453584d) // "MXST"

#define MX_STARTUP_MAX_BYTES   16384
#define MX_STARTUP_MAX_HANDLES MX_CHANNEL_MAX_HANDLES
#define MX_STARTUP_MAX_STRINGS 256 // argc + envc

// What a handle is for. `arg` tells handles of one kind apart and is zero unless said otherwise.
enum mx_startup_kind {
    MX_STARTUP_NONE = 0,
    MX_STARTUP_SELF_PROCESS = 1, // the process itself
    MX_STARTUP_SELF_ASPACE = 2,  // its address space
    MX_STARTUP_JOB = 3,          // the job for processes that it starts
    MX_STARTUP_STDIN = 4,        // stream, read
    MX_STARTUP_STDOUT = 5,       // stream, written; may be the same stream as the one above
    MX_STARTUP_LOG = 6,          // kernel log
    MX_STARTUP_BOOT_IMAGE = 7,   // memory object: the whole boot image (ZBI); read, map, execute
    MX_STARTUP_BOOTFS = 8,       // memory object: the file archive in it; read, map, execute
    MX_STARTUP_RESOURCE = 9,     // arg: enum mx_resource_kind
    MX_STARTUP_SERVICE = 10,     // channel to a service; arg: enum mx_startup_service
    MX_STARTUP_CONTROL = 11,     // channel that is the program's own business with its launcher
    MX_STARTUP_USER = 256,       // this and above: agreed between launcher and program
};

// Services of the host (arg of MX_STARTUP_SERVICE).
enum mx_startup_service {
    MX_SERVICE_GUEST_MANAGER = 1, // <machina_user/guest_manager.h>
    // To and in services that use devices, the device manager's channel:
    // <machina_user/device_manager.h>
    MX_SERVICE_DISKS = 2,
    MX_SERVICE_KEYBOARDS = 3,
};

struct mx_startup_message {
    uint32_t magic;
    uint32_t size_bytes;   // of the whole message
    uint32_t handle_count; // handles and their records
    uint32_t argc;
    uint32_t envc;
    uint32_t strings_bytes; // of all strings with their NULs
    uint32_t reserved[2];   // zero
};
_Static_assert(sizeof(struct mx_startup_message) == 32, "ABI");
_Static_assert(offsetof(struct mx_startup_message, strings_bytes) == 20, "ABI");

struct mx_startup_handle {
    uint32_t kind; // enum mx_startup_kind
    uint32_t arg;
};
_Static_assert(sizeof(struct mx_startup_handle) == 8, "ABI");
_Static_assert(MX_STARTUP_MAX_BYTES <= MX_CHANNEL_MAX_BYTES, "it is one message");
