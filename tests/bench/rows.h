// The groups of rows that the bench program measures.
#pragma once

#include <stdint.h>

#include <machina/hypervisor.h>

// System call, channel call and reply.
void host_rows_measure(void);
// Everything with a tiny guest.
void guest_rows_measure(void);
// The process that is the device of the doorbell row: it waits on the port that it was given and
// answers with the interrupt line.
int guest_rows_run_device(void);
// A Linux guest to user space and to its prompt: time, exits, memory.
void linux_rows_measure(void);
// What the system uses after start-up.
void memory_rows_measure(void);

// Completes the load of 4 or 8 bytes that `packet` reports with `value`, by emulating the
// instruction, as a VMM does; false if it could not.
bool device_access_emulate(struct mx_vcpu_packet *packet, uint8_t *ram, uint64_t ram_bytes,
                           uint64_t value);

static inline uint64_t time_stamp(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}
