// What of an arm64 machine the tests may touch.
#pragma once

// External interrupts that no driver has, of QEMU's virtual machine: SPIs of virtio slots without
// devices.
#define TEST_IRQ 60
// Interrupt numbers that are no external interrupts.
#define TEST_IRQ_INTERNAL 27
#define TEST_HAS_PORTS    false
