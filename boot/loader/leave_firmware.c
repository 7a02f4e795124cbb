// Leaving the firmware; see leave_firmware.h.
#include "boot/loader/leave_firmware.h"

// What firmware does at its first signal that it ends may change the map, and makes the key stale.
uint64_t firmware_leave(const struct firmware_exit_ops *ops, struct firmware_map *map)
{
    uint64_t status = LEAVE_DONE;

    for (unsigned i = 0; i < LEAVE_ATTEMPTS; i++) {
        // In and out: a map that did not fit says what it wanted.
        map->size_bytes = map->capacity_bytes;
        status = ops->read_map(map);
        if (status == LEAVE_DONE)
            status = ops->exit(map->key);
        if (status == LEAVE_DONE)
            break;
    }
    return status;
}
