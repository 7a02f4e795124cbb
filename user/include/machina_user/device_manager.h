// How the device manager tells services of devices: it writes one message for each into the channel
// that the service got from init, with the channel to the device's driver as its only handle. What
// is spoken in that channel is the protocol of that kind of device; it is closed when the driver
// ends.
#pragma once

#include <stdint.h>

enum device_operation {
    DEVICE_ANNOUNCE = 1,
};

#define DEVICE_NAME_SIZE 32

struct device_announcement {
    uint32_t operation; // enum device_operation
    uint32_t reserved;
    char driver[DEVICE_NAME_SIZE]; // the program, with a NUL
    char device[DEVICE_NAME_SIZE]; // "0000:00:03.0"
};
_Static_assert(sizeof(struct device_announcement) == 72, "protocol");
