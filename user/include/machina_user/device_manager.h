// How services are told of devices: by one message for each, with the channel to the device's
// driver as its only handle. What is spoken in that channel is the protocol of that kind of device;
// it is closed when the device goes, or its driver ends.
//
// The device manager writes these messages into the channel that the service got from init. Of a
// driver behind which devices come and go it tells by a message of its own; the driver then
// announces them itself.
#pragma once

#include <stdint.h>

#include <machina/types.h>

enum device_operation {
    DEVICE_ANNOUNCE = 1,
    // From the device manager only; handle: a channel in which a driver announces devices.
    DEVICE_ADD_BUS = 2,
};

#define DEVICE_NAME_SIZE 32

struct device_announcement {
    uint32_t operation; // enum device_operation
    uint32_t reserved;
    char driver[DEVICE_NAME_SIZE]; // the program, with a NUL
    char device[DEVICE_NAME_SIZE]; // "0000:00:03.0", "0000:00:03.0 port 2"
};
_Static_assert(sizeof(struct device_announcement) == 72, "protocol");

// Tells the service at the other end of `users`; *channel is the driver's end of the new channel.
MX_MUST_CHECK mx_status_t device_announce(mx_handle_t users, enum device_operation operation,
                                          const char *driver, const char *device,
                                          mx_handle_t *channel);
