// What a driver process has of its device, and memory that the device reaches.
//
// The device manager (user/drivers/device_manager.c) starts one process for each device and gives
// it only what is named here: it sees configuration space but cannot change it (the addresses of
// the registers are the manager's business), and its interrupt is set up: MSI-X entry 0, or MSI.
// The device is on, and may reach memory, when the driver starts; the manager switches it off when
// the driver ends, and keeps the memory that was attached until then.
//
//     int main(int argc, char **argv)
//     {
//         struct driver_device device;
//         if (driver_start(&device, argc, argv) != MX_OK) ...
//         volatile uint8_t *registers = driver_map_bar(&device, 0);
//         driver_allocate(&device, bytes, &memory) ...
//         mx_interrupt_bind(device.interrupt, port, key) ...
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/startup.h>
#include <machina/syscalls.h>

#include "user/drivers/portable/pci_config.h"

// Kinds of the start-up message from the device manager.
enum driver_startup_kind {
    DRIVER_STARTUP_CONFIG =
        MX_STARTUP_USER, // memory object, read only: 4 KiB of configuration space
    DRIVER_STARTUP_BAR = MX_STARTUP_USER + 1, // memory object; arg: index of the BAR
    DRIVER_STARTUP_INTERRUPT = MX_STARTUP_USER + 2,
    DRIVER_STARTUP_DMA = MX_STARTUP_USER + 3,
    DRIVER_STARTUP_SERVICE =
        MX_STARTUP_USER + 4, // channel: whoever uses the device has the other end
};

#define DRIVER_NAME_SIZE 16 // "0000:00:03.0"

struct driver_bar {
    mx_handle_t vmo; // MX_HANDLE_INVALID: there is none
    uint64_t size_bytes;
    volatile uint8_t *registers; // NULL until mapped
};

struct driver_device {
    char name[DRIVER_NAME_SIZE]; // of the PCI function, for the log
    struct pci_config config;    // writes do nothing
    struct driver_bar bars[PCI_BAR_COUNT];
    mx_handle_t interrupt, dma;
    mx_handle_t service; // MX_HANDLE_INVALID: nobody uses devices of this kind
};

// Takes everything out of the start-up message. NOT_FOUND: the process was not started by the
// device manager.
MX_MUST_CHECK mx_status_t driver_start(struct driver_device *device, int argc, char **argv);
// Closes all of it. For those who give a device away, too.
void driver_close(struct driver_device *device);

// The registers behind a BAR, mapped for as long as the process lives. NULL: there are none, or no
// memory.
volatile uint8_t *driver_map_bar(struct driver_device *device, uint32_t index);

// Memory that driver and device share: contiguous, zero, and page-aligned.
struct driver_memory {
    void *bytes;
    uint64_t address; // the device's
    uint64_t size_bytes;
    mx_handle_t vmo;
    uint32_t id; // of mx_dma_attach
};
MX_MUST_CHECK mx_status_t driver_allocate(struct driver_device *device, uint64_t size_bytes,
                                          struct driver_memory *memory);
// Once the device does not use it any more.
void driver_free(struct driver_device *device, struct driver_memory *memory);
