// One guest as its VMM process holds it: memory, the machine, vCPUs, devices, and how it ended.
//
// Locks: `lock` is the machine's lock; device models, the transports of virtio devices, the serial
// terminal and the timers are used under it. It is never held while a vCPU runs. What is set up
// before the first vCPU runs (memory, tables of devices) is constant afterwards and needs no lock.
//
// Threads: the main thread sets up and then waits on `port` (events.h); one thread per vCPU runs
// the guest.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/hypervisor.h>
#include <machina/types.h>

#include <machina_user/mutex.h>
#include <machina_user/thread.h>

#include "vmm/config/guest_config.h"
#include "vmm/manager/vmm_protocol.h"
#include "vmm/memory/guest_memory.h"

#define GUEST_VIRTIO_DEVICES_MAX 24

struct guest;
struct machine;
struct virtio_device_link;

struct guest_vcpu {
    struct guest *guest;
    uint32_t id;
    struct thread *thread;
    mx_handle_t handle; // set by its thread
    mx_status_t create_status;
};

// How packets of the event port are told apart: what in the upper half of the key, an index in the
// lower.
enum guest_event {
    GUEST_EVENT_CONTROL = 1,
    GUEST_EVENT_TIMER = 2,
    GUEST_EVENT_ENDED = 3,
    GUEST_EVENT_SERIAL = 4,         // index 0: input, 1: room for output
    GUEST_EVENT_DEVICE_MESSAGE = 5, // index: of the device
    GUEST_EVENT_DEVICE_INTX = 6,    // index: device << 16 | source
};

static inline uint64_t guest_event_key(enum guest_event event, uint32_t index)
{
    return (uint64_t)event << 32 | index;
}

struct guest {
    struct guest_config config;
    mx_handle_t manager; // channel, vmm_protocol.h
    mx_handle_t job;
    mx_handle_t hypervisor; // resource
    mx_handle_t log;
    mx_time_t utc_at_zero_s;

    mx_handle_t port;   // events
    mx_handle_t handle; // the guest object
    mx_handle_t aspace;
    mx_handle_t ram;
    uint64_t low_bytes; // RAM from address 0
    uint64_t high_base;
    uint64_t high_bytes; // RAM from high_base, behind the low RAM in the memory object
    struct guest_memory memory;

    struct mutex lock;
    struct machine *machine;
    struct virtio_device_link *devices[GUEST_VIRTIO_DEVICES_MAX];
    size_t device_count;
    struct guest_vcpu vcpus[GUEST_CONFIG_CPUS_MAX];

    struct mutex start_lock; // of the fields below
    struct condition start_condition;
    uint32_t created_count; // vCPUs that their threads have created, or failed to
    bool may_run;

    struct mutex end_lock; // of `end`
    bool is_ended;         // read without the lock by vCPU threads; set once
    struct vmm_ended end;
};

// Makes the guest object and its RAM, for the configuration's memory_bytes of which at most
// low_max_bytes go below the devices and the rest to high_base. NOT_SUPPORTED: this host cannot run
// guests. NO_MEMORY.
MX_MUST_CHECK mx_status_t guest_create(struct guest *guest, uint64_t low_max_bytes,
                                       uint64_t high_base);

// Records why the guest ended, if it has not yet, and wakes the main thread, which tells the
// manager and ends the process. Any thread.
void guest_end(struct guest *guest, enum vmm_outcome outcome, mx_status_t status,
               const char *format, ...) __attribute__((format(printf, 4, 5)));
// The guest did so itself, in whatever way its machine has.
void guest_power_off(struct guest *guest);
void guest_reboot(struct guest *guest);
static inline bool guest_is_ended(const struct guest *guest)
{
    return __atomic_load_n(&guest->is_ended, __ATOMIC_ACQUIRE);
}

// One line in the kernel's log. A guest can cause only so many of them; the rest is dropped.
void guest_log(struct guest *guest, const char *format, ...) __attribute__((format(printf, 2, 3)));
