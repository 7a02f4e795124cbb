// The interrupt translation service of a GICv3: which LPI a device's message becomes, and to which
// vCPU that goes, as a guest says by commands in a queue in its memory.
//
// Devices do not write to GITS_TRANSLATER themselves: the VMM routes their lines to what
// gic_its_translate says of the message, and again when the guest has changed that, so an interrupt
// needs no VMM. Commands are done when the write that announces them returns.
//
// What a real ITS keeps in tables in the guest's memory is kept here, so there is a bound: devices
// with numbers below 256, of which GIC_ITS_DEVICES_MAX can be mapped at a time, GIC_ITS_EVENTS_MAX
// events each, GIC_ITS_COLLECTIONS_MAX collections, and one event for each LPI. The guest provides
// the tables all the same, as GITS_BASER asks, and giving a new one empties it. A command that is
// wrong, beyond the bound or about something that is not mapped is skipped, the choice for an ITS
// without SEIS.
//
// Spec: Arm IHI 0069, "The ITS", "ITS commands", "ITS register descriptions".
#pragma once

#include "vmm/arm64/gic_lpi.h"
#include "vmm/device.h"

#define GIC_ITS_SIZE_BYTES      0x20000u // control frame and translation frame
#define GIC_ITS_SHOWN_BYTES     0x1000u
#define GIC_ITS_GITS_TRANSLATER 0x10040u // what devices are given as their message's address
#define GIC_ITS_DEVICE_BITS     8u
#define GIC_ITS_DEVICES_MAX     32u
#define GIC_ITS_EVENT_BITS      7u
#define GIC_ITS_EVENTS_MAX      (1u << GIC_ITS_EVENT_BITS)
#define GIC_ITS_COLLECTION_BITS 6u
#define GIC_ITS_COLLECTIONS_MAX (1u << GIC_ITS_COLLECTION_BITS)
#define GIC_ITS_ALL             UINT32_MAX

// What the owner provides.
struct gic_its_host {
    // What gic_its_translate says of an event, of all of a device, or (GIC_ITS_ALL for both) of all
    // of all devices may have changed. Must not access the ITS' registers.
    void (*routes_changed)(void *context, uint32_t device_id, uint32_t event_id);
    void *context;
};

struct gic_its_device {
    bool is_mapped;
    uint32_t event_count;
    uint16_t lpis[GIC_ITS_EVENTS_MAX]; // of each event the index of its LPI + 1, or 0
};

struct gic_its_collection {
    bool is_mapped;
    bool is_changed; // its LPIs do not know yet
    uint32_t vcpu_id;
};

// Of each LPI the event that it belongs to.
struct gic_its_lpi {
    bool is_mapped;
    uint8_t device_slot, event_id, collection_id;
};

enum gic_its_table {
    GIC_ITS_TABLE_DEVICES,
    GIC_ITS_TABLE_COLLECTIONS,
    GIC_ITS_TABLE_COUNT,
};

struct gic_its {
    const struct gic_machine *machine;
    struct gic_its_host host;
    struct gic_lpis *lpis;
    uint8_t *shown; // a page that has what a read would give; NULL: none
    bool is_enabled;
    bool has_changed_collections;
    uint64_t cbaser, cwriter, creadr;
    uint64_t baser[GIC_ITS_TABLE_COUNT];
    uint8_t slots[1u << GIC_ITS_DEVICE_BITS]; // of each device number its slot + 1, or 0
    struct gic_its_device devices[GIC_ITS_DEVICES_MAX];
    struct gic_its_collection collections[GIC_ITS_COLLECTIONS_MAX];
    struct gic_its_lpi lpi_events[GIC_LPI_COUNT];
};

extern const struct device_ops gic_its_ops; // memory-mapped

// Models of a state as after power-on. `lpis` must outlive it.
void gic_its_init(struct gic_its *its, const struct gic_its_host *host, struct gic_lpis *lpis);

// Keeps in `page`, GIC_ITS_SHOWN_BYTES of zeros, what reads of the first page give, so that a guest
// who can read it there needs no exit. It is told of writes as ever.
void gic_its_show_registers(struct gic_its *its, uint8_t *page);

// The LPI that a message with `data`, written by a device at `offset` in the ITS' range, raises.
// False: none, the message is lost.
bool gic_its_translate(const struct gic_its *its, uint64_t offset, uint32_t device_id,
                       uint32_t data, uint32_t *intid);
