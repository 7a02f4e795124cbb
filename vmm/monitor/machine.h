// The machine that a guest finds: what every architecture implements once (vmm/monitor/ARCH/).
//
// Unless said otherwise, calls are made by the main thread before the first vCPU runs.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/hypervisor.h>

#include "vmm/loader/boot.h"
#include "vmm/monitor/guest.h"
#include "vmm/pci/pci_device.h"

struct device_bus;

// How much RAM may lie below the machine's devices, from address 0.
extern const uint64_t machine_low_ram_bytes;
// Where RAM goes that does not fit there.
extern const uint64_t machine_high_ram_base;
// Whether a doorbell is cheaper by an I/O port than in memory.
extern const bool machine_has_io_ports;

// Makes all platform devices and their traps. On failure `reason` may get a line for the user;
// NOT_SUPPORTED: the machine cannot be as the configuration has it.
MX_MUST_CHECK mx_status_t machine_create(struct guest *guest, struct machine **out, char *reason,
                                         size_t reason_bytes);
// Puts a PCI device on the bus, with its pin connected. NO_RESOURCES: no slot is free.
MX_MUST_CHECK mx_status_t machine_add_pci(struct machine *machine, struct pci_device *device);
// Where a message that a device may send, from its MSI-X table, goes; lock held. False: nothing
// takes it. What it says may change until virtio_device_route_again is called.
bool machine_route_message(const struct machine *machine, const struct pci_device *device,
                           uint64_t address, uint64_t data, struct mx_irq_route *route);
// Loads the kernel; every device is there. The request has all but the ranges of RAM, which are the
// machine's to choose. On failure its reason is filled.
MX_MUST_CHECK mx_status_t machine_load(struct machine *machine, struct boot_request *request);

// By the thread of the vCPU: its state before it runs for the first time. Only vCPU 0 starts by
// itself.
MX_MUST_CHECK mx_status_t machine_start_vcpu(struct machine *machine, struct guest_vcpu *vcpu);
// By the thread of the vCPU, lock not held: does what a packet of kind IO, MEM, EOI or INTACK asks
// for and puts the answer into it. May end the guest.
void machine_handle_packet(struct machine *machine, struct guest_vcpu *vcpu,
                           struct mx_vcpu_packet *packet);

// By the main thread at any time, lock not held.
void machine_press_power_button(struct machine *machine);

// What it has in common with other machines; lives as long.
struct device_bus *machine_bus(struct machine *machine);
