// The commands of an Interrupt Translation Service: which LPI each event of a device becomes (Arm
// GIC Architecture Specification, IHI 0069H.b, section 5.3 "ITS commands"). Portable, and tested on
// the host.
//
// The ITS works through its queue by itself, and may be slow or stop. So what it was once told may
// still happen: a device's table of events is never given back, an event or an LPI whose command
// was not seen to be done is not given to anybody else, and no command is added while one is in the
// queue.
#pragma once

#include <stdbool.h>

#include "kernel/lib/types.h"

#define ITS_QUEUE_BYTES     4096
#define ITS_DEVICES_MAX     64
#define ITS_EVENTS_MAX      32u // of a device
#define ITS_LPI_COUNT       256u
#define ITS_EVENT_BYTES_MAX 4096 // of a device's table

struct its_ops {
    uint64_t (*read)(void *context, uint64_t offset); // a register of 64 bits
    // The ITS sees first what was written to memory before.
    void (*write)(void *context, uint64_t offset, uint64_t value);
    // For a device's events: ITS_EVENT_BYTES_MAX, zeroed, aligned to 256 bytes, for good.
    // PADDR_NONE: no memory.
    paddr_t (*alloc_table)(void *context);
};

struct its_device {
    uint32_t id;
    bool is_mapped; // the ITS was seen to know the table
    paddr_t table;
    uint32_t taken_events; // bits
};

struct its {
    const struct its_ops *ops;
    void *context;
    uint8_t *queue;
    uint64_t write_offset; // in the queue
    uint64_t target;
    struct its_device devices[ITS_DEVICES_MAX];
    uint32_t device_count;
    // Of each LPI: the device and event that are mapped to it, or may be.
    struct {
        bool is_taken;
        uint8_t device_index, event;
    } lpis[ITS_LPI_COUNT];
};

// Sends all LPIs to the redistributor `target` (as SYNC has it). `queue`: ITS_QUEUE_BYTES, which
// the ITS was told of; it is enabled. False: it does not answer.
bool its_start(struct its *its, const struct its_ops *ops, void *context, uint8_t *queue,
               uint64_t target);

// A new event of the device, and the LPI that it becomes (counted from 0). One caller at a time.
// NO_RESOURCES: too many devices, events or LPIs. NO_MEMORY. IO: the ITS does not answer.
MUST_CHECK mx_status_t its_take(struct its *its, uint32_t device_id, uint32_t *event,
                                uint32_t *lpi);
// The event becomes nothing any more. It stays taken if the ITS does not answer.
void its_give_back(struct its *its, uint32_t lpi);
