// The device tree of an arm64 guest: what memory_map.h places, as Linux's bindings describe it.
//
// Devicetree Specification 0.4; Linux, Documentation/devicetree/bindings: arm/cpus.yaml,
// arm/psci.yaml, timer/arm,arch_timer.yaml, interrupt-controller/arm,gic.yaml and arm,gic-v3.yaml,
// pci/host-generic-pci.yaml, serial/pl011.yaml, rtc/arm,pl031.yaml, gpio/pl061-gpio.yaml,
// input/gpio-keys.yaml.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <machina/status.h>

#define DEVICE_TREE_RNG_SEED_BYTES 32u

enum device_tree_gic {
    DEVICE_TREE_GICV2, // with a frame for messages
    DEVICE_TREE_GICV3, // with an ITS
};

struct device_tree_config {
    uint32_t cpu_count; // at most 8 with GICv2
    enum device_tree_gic gic;
    uint64_t low_ram_bytes;   // from 0
    uint64_t high_ram_bytes;  // from ARM64_HIGH_RAM_BASE; 0: none
    const char *command_line; // NULL: none
    uint64_t ramdisk_base;    // below 4 GiB with its end: one cell, as all checkers know it
    uint64_t ramdisk_bytes;   // 0: none
    // Random: of the guest's generator, and where its kernel goes in virtual memory (0: left to
    // itself).
    uint8_t rng_seed[DEVICE_TREE_RNG_SEED_BYTES];
    uint64_t kaslr_seed;
    bool has_symbols; // names for overlays to refer to: intc, msi, pcie, pl011, pl031, pl061, clock
};

// Builds the tree into `buffer`. INVALID_ARGS: no RAM, a count of CPUs that there cannot be, or a
// ramdisk out of place. BUFFER_TOO_SMALL: 16 KiB hold everything but the command line.
MX_MUST_CHECK mx_status_t device_tree_build(const struct device_tree_config *config, void *buffer,
                                            size_t capacity, size_t *size_bytes);
