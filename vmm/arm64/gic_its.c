#include "vmm/arm64/gic_its.h"

#include "vmm/arm64/gic_bank.h"
#include "vmm/arm64/gic_id.h"

#include <stddef.h>
#include <string.h>

#define GITS_CTLR    0x000
#define GITS_TYPER   0x008
#define GITS_CBASER  0x080
#define GITS_CWRITER 0x088
#define GITS_CREADR  0x090
#define GITS_BASER   0x100
#define GITS_ID      (0x10000u - GIC_ID_BYTES)

#define CTLR_ENABLED   (1u << 0)
#define CTLR_QUIESCENT (1u << 31)

#define TABLE_ENTRY_BYTES 8u

#define TYPER_PHYSICAL             UINT64_C(1)
#define TYPER_ITT_ENTRY_SIZE_SHIFT 4
#define TYPER_ID_BITS_SHIFT        8
#define TYPER_DEVBITS_SHIFT        13
#define TYPER_CIDBITS_SHIFT        32
#define TYPER_CIL                  (UINT64_C(1) << 36)

#define CBASER_SIZE      UINT64_C(0xff)
#define CBASER_ADDRESS   UINT64_C(0x000ffffffffff000)
#define CBASER_VALID     (UINT64_C(1) << 63)
#define CBASER_WRITABLE  UINT64_C(0xb8effffffffffcff)
#define QUEUE_PAGE_BYTES 0x1000u

#define CWRITER_OFFSET UINT64_C(0xfffe0)

#define BASER_VALID            (UINT64_C(1) << 63)
#define BASER_WRITABLE         UINT64_C(0xf8e0ffffffffffff) // all but Type and Entry_Size
#define BASER_TYPE_SHIFT       56
#define BASER_ENTRY_SIZE_SHIFT 48
#define BASER_TYPE_DEVICES     UINT64_C(1)
#define BASER_TYPE_COLLECTIONS UINT64_C(4)

#define REVISION 3

// A command, its fields not yet judged.
struct command {
    uint64_t words[4];
};

enum command_number {
    COMMAND_MOVI = 0x01,
    COMMAND_INT = 0x03,
    COMMAND_CLEAR = 0x04,
    COMMAND_SYNC = 0x05,
    COMMAND_MAPD = 0x08,
    COMMAND_MAPC = 0x09,
    COMMAND_MAPTI = 0x0a,
    COMMAND_MAPI = 0x0b,
    COMMAND_INV = 0x0c,
    COMMAND_INVALL = 0x0d,
    COMMAND_MOVALL = 0x0e,
    COMMAND_DISCARD = 0x0f,
    COMMAND_COUNT,
};

static uint32_t command_number(const struct command *command)
{
    return command->words[0] & 0xff;
}

static uint32_t command_device_id(const struct command *command)
{
    return (uint32_t)(command->words[0] >> 32);
}

static uint32_t command_event_id(const struct command *command)
{
    return (uint32_t)command->words[1];
}

static uint32_t command_intid(const struct command *command)
{
    return (uint32_t)(command->words[1] >> 32);
}

static uint32_t command_event_bits(const struct command *command)
{
    return (command->words[1] & 0x1f) + 1;
}

static uint32_t command_collection_id(const struct command *command)
{
    return command->words[2] & 0xffff;
}

// RDbase is the number of the redistributor, since GITS_TYPER.PTA is zero.
static uint64_t command_rdbase(const struct command *command)
{
    return command->words[2] >> 16 & 0x7ffffffff;
}

static bool command_is_valid(const struct command *command)
{
    return command->words[2] >> 63;
}

// --- what is mapped -----------------------------------------------------------------------------

static const struct gic_its_device *find_mapped_device(const struct gic_its *its,
                                                       uint32_t device_id)
{
    if (device_id >> GIC_ITS_DEVICE_BITS || its->slots[device_id] == 0)
        return NULL;
    return &its->devices[its->slots[device_id] - 1];
}

// The index of the LPI of an event. False: it has none.
static bool find_lpi(const struct gic_its *its, uint32_t device_id, uint32_t event_id,
                     uint32_t *lpi_index)
{
    const struct gic_its_device *device = find_mapped_device(its, device_id);

    if (!device || event_id >= device->event_count || device->lpis[event_id] == 0)
        return false;
    *lpi_index = device->lpis[event_id] - 1u;
    return true;
}

static bool find_command_lpi(const struct gic_its *its, const struct command *command,
                             uint32_t *lpi_index)
{
    return find_lpi(its, command_device_id(command), command_event_id(command), lpi_index);
}

static bool is_collection_mapped(const struct gic_its *its, uint32_t collection_id)
{
    return collection_id < GIC_ITS_COLLECTIONS_MAX && its->collections[collection_id].is_mapped;
}

static void tell_routes(const struct gic_its *its, uint32_t device_id, uint32_t event_id)
{
    its->host.routes_changed(its->host.context, device_id, event_id);
}

// Sends an LPI to where its collection goes, with the configuration as it is now.
static void route_lpi(const struct gic_its *its, uint32_t lpi_index)
{
    const struct gic_its_collection *collection =
        &its->collections[its->lpi_events[lpi_index].collection_id];

    if (collection->is_mapped)
        gic_lpis_route(its->lpis, GIC_LPI_BASE + lpi_index, collection->vcpu_id);
    else
        gic_lpis_drop(its->lpis, GIC_LPI_BASE + lpi_index);
}

static void unmap_lpi(struct gic_its *its, uint32_t lpi_index)
{
    struct gic_its_lpi *event = &its->lpi_events[lpi_index];

    gic_lpis_drop(its->lpis, GIC_LPI_BASE + lpi_index);
    its->devices[event->device_slot].lpis[event->event_id] = 0;
    event->is_mapped = false;
}

static void unmap_device(struct gic_its *its, uint32_t device_id)
{
    if (its->slots[device_id] == 0)
        return;
    struct gic_its_device *device = &its->devices[its->slots[device_id] - 1];
    for (uint32_t i = 0; i < device->event_count; i++) {
        if (device->lpis[i] != 0)
            unmap_lpi(its, device->lpis[i] - 1u);
    }
    device->is_mapped = false;
    its->slots[device_id] = 0;
    tell_routes(its, device_id, GIC_ITS_ALL);
}

static void change_collection(struct gic_its *its, uint32_t collection_id, bool is_mapped,
                              uint32_t vcpu_id)
{
    its->collections[collection_id] =
        (struct gic_its_collection){.is_mapped = is_mapped, .is_changed = true, .vcpu_id = vcpu_id};
    its->has_changed_collections = true;
}

// Once after any number of commands, so that those that name a collection cost no more than others.
static void settle_collections(struct gic_its *its)
{
    if (!its->has_changed_collections)
        return;
    for (uint32_t i = 0; i < GIC_LPI_COUNT; i++) {
        const struct gic_its_lpi *event = &its->lpi_events[i];
        if (event->is_mapped && its->collections[event->collection_id].is_changed)
            route_lpi(its, i);
    }
    for (uint32_t i = 0; i < GIC_ITS_COLLECTIONS_MAX; i++)
        its->collections[i].is_changed = false;
    its->has_changed_collections = false;
    tell_routes(its, GIC_ITS_ALL, GIC_ITS_ALL);
}

// --- commands -----------------------------------------------------------------------------------

static void map_device(struct gic_its *its, uint32_t device_id, uint32_t event_count)
{
    uint32_t slot = 0;

    while (slot < GIC_ITS_DEVICES_MAX && its->devices[slot].is_mapped)
        slot++;
    if (slot == GIC_ITS_DEVICES_MAX)
        return;
    its->devices[slot] = (struct gic_its_device){.is_mapped = true, .event_count = event_count};
    its->slots[device_id] = (uint8_t)(slot + 1);
}

static void do_mapd(struct gic_its *its, const struct command *command)
{
    const uint32_t device_id = command_device_id(command);
    const uint32_t event_bits = command_event_bits(command);

    if (device_id >> GIC_ITS_DEVICE_BITS || !(its->baser[GIC_ITS_TABLE_DEVICES] & BASER_VALID) ||
        (command_is_valid(command) && event_bits > GIC_ITS_EVENT_BITS))
        return;
    unmap_device(its, device_id);
    if (command_is_valid(command))
        map_device(its, device_id, 1u << event_bits);
}

static void do_mapc(struct gic_its *its, const struct command *command)
{
    const uint32_t collection_id = command_collection_id(command);
    const uint64_t rdbase = command_rdbase(command);
    const bool is_valid = command_is_valid(command);

    if (collection_id >= GIC_ITS_COLLECTIONS_MAX ||
        !(its->baser[GIC_ITS_TABLE_COLLECTIONS] & BASER_VALID) ||
        (is_valid && rdbase >= its->machine->vcpu_count))
        return;
    change_collection(its, collection_id, is_valid, is_valid ? (uint32_t)rdbase : 0);
}

// An event that has an LPI gives it up; an LPI of another event is refused.
static void map_event(struct gic_its *its, const struct command *command, uint32_t intid)
{
    const uint32_t device_id = command_device_id(command), event_id = command_event_id(command);
    const struct gic_its_device *device = find_mapped_device(its, device_id);
    const uint32_t collection_id = command_collection_id(command);
    const uint32_t lpi_index = intid - GIC_LPI_BASE;
    uint32_t old_index;

    if (!device || event_id >= device->event_count || collection_id >= GIC_ITS_COLLECTIONS_MAX ||
        !gic_lpi_exists(intid))
        return;
    if (find_lpi(its, device_id, event_id, &old_index))
        unmap_lpi(its, old_index);
    if (!its->lpi_events[lpi_index].is_mapped) {
        const uint8_t slot = its->slots[device_id] - 1;
        its->lpi_events[lpi_index] = (struct gic_its_lpi){.is_mapped = true,
                                                          .device_slot = slot,
                                                          .event_id = (uint8_t)event_id,
                                                          .collection_id = (uint8_t)collection_id};
        its->devices[slot].lpis[event_id] = (uint16_t)(lpi_index + 1);
        route_lpi(its, lpi_index);
    }
    tell_routes(its, device_id, event_id);
}

static void do_mapti(struct gic_its *its, const struct command *command)
{
    map_event(its, command, command_intid(command));
}

static void do_mapi(struct gic_its *its, const struct command *command)
{
    map_event(its, command, command_event_id(command));
}

static void do_movi(struct gic_its *its, const struct command *command)
{
    const uint32_t collection_id = command_collection_id(command);
    uint32_t lpi_index;

    if (!find_command_lpi(its, command, &lpi_index) || !is_collection_mapped(its, collection_id))
        return;
    its->lpi_events[lpi_index].collection_id = (uint8_t)collection_id;
    route_lpi(its, lpi_index);
    tell_routes(its, command_device_id(command), command_event_id(command));
}

static void do_discard(struct gic_its *its, const struct command *command)
{
    uint32_t lpi_index;

    if (!find_command_lpi(its, command, &lpi_index))
        return;
    unmap_lpi(its, lpi_index);
    tell_routes(its, command_device_id(command), command_event_id(command));
}

static void do_inv(struct gic_its *its, const struct command *command)
{
    uint32_t lpi_index;

    if (find_command_lpi(its, command, &lpi_index))
        route_lpi(its, lpi_index);
}

static void do_invall(struct gic_its *its, const struct command *command)
{
    const uint32_t collection_id = command_collection_id(command);

    if (!is_collection_mapped(its, collection_id))
        return;
    its->collections[collection_id].is_changed = true;
    its->has_changed_collections = true;
}

static void set_pending(const struct gic_its *its, const struct command *command, bool is_pending)
{
    uint32_t lpi_index;

    if (find_command_lpi(its, command, &lpi_index) &&
        is_collection_mapped(its, its->lpi_events[lpi_index].collection_id))
        gic_lpis_set_pending(its->lpis, GIC_LPI_BASE + lpi_index, is_pending);
}

static void do_int(struct gic_its *its, const struct command *command)
{
    set_pending(its, command, true);
}

static void do_clear(struct gic_its *its, const struct command *command)
{
    set_pending(its, command, false);
}

// SYNC waits for what is done already. MOVALL moves the interrupts that are pending at a
// redistributor after MAPC has given their collection another one; here they moved along.
static void do_nothing(struct gic_its *its, const struct command *command)
{
    (void)its;
    (void)command;
}

static void (*const commands[COMMAND_COUNT])(struct gic_its *, const struct command *) = {
    [COMMAND_MOVI] = do_movi,     [COMMAND_INT] = do_int,        [COMMAND_CLEAR] = do_clear,
    [COMMAND_SYNC] = do_nothing,  [COMMAND_MAPD] = do_mapd,      [COMMAND_MAPC] = do_mapc,
    [COMMAND_MAPTI] = do_mapti,   [COMMAND_MAPI] = do_mapi,      [COMMAND_INV] = do_inv,
    [COMMAND_INVALL] = do_invall, [COMMAND_MOVALL] = do_nothing, [COMMAND_DISCARD] = do_discard,
};

static void do_command(struct gic_its *its, uint64_t address)
{
    struct command command;

    if (guest_memory_read(its->lpis->memory, address, &command, sizeof(command)) != MX_OK)
        return;
    if (command_number(&command) < COMMAND_COUNT && commands[command_number(&command)])
        commands[command_number(&command)](its, &command);
}

// The queue has at most 256 pages, so this ends.
static void do_commands(struct gic_its *its)
{
    const uint64_t queue_bytes = ((its->cbaser & CBASER_SIZE) + 1) * QUEUE_PAGE_BYTES;

    if (!its->is_enabled || !(its->cbaser & CBASER_VALID) || its->cwriter >= queue_bytes)
        return;
    while (its->creadr != its->cwriter) {
        do_command(its, (its->cbaser & CBASER_ADDRESS) + its->creadr);
        its->creadr = (its->creadr + sizeof(struct command)) % queue_bytes;
    }
    settle_collections(its);
}

// --- registers ----------------------------------------------------------------------------------

static uint64_t read_typer(void)
{
    return TYPER_PHYSICAL | (uint64_t)(TABLE_ENTRY_BYTES - 1) << TYPER_ITT_ENTRY_SIZE_SHIFT |
           (uint64_t)(GIC_ITS_EVENT_BITS - 1) << TYPER_ID_BITS_SHIFT |
           (uint64_t)(GIC_ITS_DEVICE_BITS - 1) << TYPER_DEVBITS_SHIFT |
           (uint64_t)(GIC_ITS_COLLECTION_BITS - 1) << TYPER_CIDBITS_SHIFT | TYPER_CIL;
}

static uint64_t read_baser(const struct gic_its *its, uint64_t table)
{
    static const uint64_t types[GIC_ITS_TABLE_COUNT] = {
        [GIC_ITS_TABLE_DEVICES] = BASER_TYPE_DEVICES,
        [GIC_ITS_TABLE_COLLECTIONS] = BASER_TYPE_COLLECTIONS,
    };

    return its->baser[table] | types[table] << BASER_TYPE_SHIFT |
           (uint64_t)(TABLE_ENTRY_BYTES - 1) << BASER_ENTRY_SIZE_SHIFT;
}

// The register of 64 bits at `offset`, of which GITS_CTLR is the lower half of one.
static uint64_t read_register(const struct gic_its *its, uint64_t offset)
{
    switch (offset) {
    case GITS_CTLR:
        return its->is_enabled ? CTLR_ENABLED : CTLR_QUIESCENT;
    case GITS_TYPER:
        return read_typer();
    case GITS_CBASER:
        return its->cbaser;
    case GITS_CWRITER:
        return its->cwriter;
    case GITS_CREADR:
        return its->creadr;
    default:
        if (offset - GITS_BASER < GIC_ITS_TABLE_COUNT * sizeof(uint64_t))
            return read_baser(its, (offset - GITS_BASER) / sizeof(uint64_t));
        return 0;
    }
}

static void show_register(const struct gic_its *its, uint64_t offset)
{
    const uint64_t value = read_register(its, offset);

    memcpy(its->shown + offset, &value, sizeof(value));
}

// After each change of what a read gives.
static void update_shown(const struct gic_its *its)
{
    if (!its->shown)
        return;
    for (uint64_t offset = GITS_CTLR; offset <= GITS_TYPER; offset += 8)
        show_register(its, offset);
    for (uint64_t offset = GITS_CBASER; offset <= GITS_CREADR; offset += 8)
        show_register(its, offset);
    for (uint64_t i = 0; i < GIC_ITS_TABLE_COUNT; i++)
        show_register(its, GITS_BASER + 8 * i);
}

static uint64_t gic_its_read(void *device, uint64_t offset, unsigned width_bytes)
{
    const struct gic_its *its = device;

    if (width_bytes < 4 || (offset & (width_bytes - 1)))
        return 0;
    if (offset - GITS_ID < GIC_ID_BYTES)
        return gic_id_read(offset - GITS_ID, width_bytes, REVISION);
    return gic_part_read(read_register(its, offset & ~7ULL), offset, width_bytes);
}

static void write_ctlr(struct gic_its *its, uint32_t value)
{
    const bool is_enabled = value & CTLR_ENABLED;

    if (its->is_enabled == is_enabled)
        return;
    its->is_enabled = is_enabled;
    tell_routes(its, GIC_ITS_ALL, GIC_ITS_ALL);
    do_commands(its);
}

static void empty_table(struct gic_its *its, uint64_t table)
{
    for (uint32_t i = 0; table == GIC_ITS_TABLE_DEVICES && i < 1u << GIC_ITS_DEVICE_BITS; i++)
        unmap_device(its, i);
    if (table != GIC_ITS_TABLE_COLLECTIONS)
        return;
    for (uint32_t i = 0; i < GIC_ITS_COLLECTIONS_MAX; i++)
        change_collection(its, i, false, 0);
    settle_collections(its);
}

static void write_baser(struct gic_its *its, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    const uint64_t table = (offset - GITS_BASER) / sizeof(uint64_t);

    if (table >= GIC_ITS_TABLE_COUNT)
        return;
    its->baser[table] =
        gic_part_written(its->baser[table], offset, width_bytes, value) & BASER_WRITABLE;
    empty_table(its, table);
}

static void write_cbaser(struct gic_its *its, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    its->cbaser = gic_part_written(its->cbaser, offset, width_bytes, value) & CBASER_WRITABLE;
    its->creadr = 0;
}

static void write_cwriter(struct gic_its *its, uint64_t offset, unsigned width_bytes,
                          uint64_t value)
{
    its->cwriter = gic_part_written(its->cwriter, offset, width_bytes, value) & CWRITER_OFFSET;
    do_commands(its);
}

// Queue and tables stay where they are while the ITS is enabled.
static void gic_its_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    struct gic_its *its = device;
    const uint64_t place = offset & ~7ULL;

    if (width_bytes < 4 || (offset & (width_bytes - 1)))
        return;
    if (offset == GITS_CTLR && width_bytes == 4)
        write_ctlr(its, (uint32_t)value);
    else if (place == GITS_CWRITER)
        write_cwriter(its, offset, width_bytes, value);
    else if (place == GITS_CBASER && !its->is_enabled)
        write_cbaser(its, offset, width_bytes, value);
    else if (place >= GITS_BASER && !its->is_enabled)
        write_baser(its, offset, width_bytes, value);
    update_shown(its);
}

static void gic_its_reset(void *device)
{
    struct gic_its *its = device;

    its->is_enabled = false;
    for (uint64_t i = 0; i < GIC_ITS_TABLE_COUNT; i++) {
        its->baser[i] = 0;
        empty_table(its, i);
    }
    its->cbaser = its->cwriter = its->creadr = 0;
    update_shown(its);
}

const struct device_ops gic_its_ops = {
    .read = gic_its_read,
    .write = gic_its_write,
    .reset = gic_its_reset,
};

void gic_its_init(struct gic_its *its, const struct gic_its_host *host, struct gic_lpis *lpis)
{
    memset(its, 0, sizeof(*its));
    its->machine = lpis->machine;
    its->host = *host;
    its->lpis = lpis;
}

void gic_its_show_registers(struct gic_its *its, uint8_t *page)
{
    its->shown = page;
    update_shown(its);
}

bool gic_its_translate(const struct gic_its *its, uint64_t offset, uint32_t device_id,
                       uint32_t data, uint32_t *intid)
{
    uint32_t lpi_index;

    if (!its->is_enabled || offset != GIC_ITS_GITS_TRANSLATER ||
        !find_lpi(its, device_id, data, &lpi_index) ||
        !is_collection_mapped(its, its->lpi_events[lpi_index].collection_id))
        return false;
    *intid = GIC_LPI_BASE + lpi_index;
    return true;
}
