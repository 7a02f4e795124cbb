// The disks on a USB controller: each is served (user/drivers/lib/disk.h) and announced
// (machina_user/device_manager.h) for as long as it is plugged in.
//
// A disk carries out one request at a time; the others wait here for their turn.
#pragma once

#include "user/drivers/lib/disk.h"
#include "user/drivers/usb/portable/xhci.h"

// Before the first disk comes. `device->service` is where disks are announced; XHCI_DEVICES_MAX *
// DISK_KEYS keys of packets on `port` are theirs.
void usb_disks_init(const struct driver_device *device, struct xhci *xhci, mx_handle_t port,
                    uint64_t key_first);

// As xhci_host_ops has them.
bool usb_disk_added(void *context, uint32_t index, const struct xhci_disk_info *info);
void usb_disk_request_done(void *context, uint32_t index, mx_status_t status);
void usb_disk_removed(void *context, uint32_t index);

// For packets with the disks' keys.
void usb_disks_serve_packet(uint64_t key);
// Before the driver waits.
void usb_disks_serve_stalled(void);
