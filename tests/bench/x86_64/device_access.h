// A memory-mapped load as a VMM completes it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/hypervisor.h>

// Completes the load of 4 or 8 bytes that `packet` reports with `value`, by emulating the
// instruction, as a VMM does; false if it could not.
bool device_access_emulate(struct mx_vcpu_packet *packet, uint8_t *ram, uint64_t ram_bytes,
                           uint64_t value);
