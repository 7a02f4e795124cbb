// The disk service's protocol: what guest packages are on the machine's disks, and their files as
// extents (machina_user/block.h). Its client is the guest manager.
#pragma once

#include <stdint.h>

#include <machina/types.h>

#include <machina_user/guest_manager.h>

#define DISK_PATH_SIZE      256 // with the NUL
#define DISK_READ_BYTES_MAX 65536

enum disk_operation {
    DISK_PACKAGES = 1, // reply: names
    DISK_OPEN = 2,     // reply: size, and the channel of the file's extent as handle
    DISK_READ = 3,     // reply: size, and a memory object with the file's content as handle
};

struct disk_request {
    uint32_t transaction;
    uint32_t operation;   // enum disk_operation
    uint32_t is_writable; // OPEN: else the extent is read-only
    uint32_t reserved;
    char package[GUEST_NAME_SIZE]; // OPEN, READ
    char path[DISK_PATH_SIZE];     // OPEN, READ; in the package
};
_Static_assert(sizeof(struct disk_request) == 336, "protocol");

// NOT_FOUND: no such file. ACCESS_DENIED: OPEN to write, on a disk that is read-only. IO: the disk
// failed. FILE_TOO_BIG: READ, of more than
// DISK_READ_BYTES_MAX.
struct disk_reply {
    uint32_t transaction;
    mx_status_t status;
    uint64_t size_bytes; // OPEN, READ: of the file; the extent is rounded up to whole blocks
    uint32_t count;      // PACKAGES: names that follow
    uint32_t reserved;
    char names[GUEST_PACKAGES_MAX][GUEST_NAME_SIZE]; // PACKAGES: `count` of them are sent
};
