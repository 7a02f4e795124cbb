// The Interrupt Translation Service of a GICv3: devices' messages become LPIs (Arm GIC Architecture
// Specification, IHI 0069H.b, chapter 5). All go to the boot CPU. LPIs are enabled for good, and
// are interrupts only while an event of a device is mapped to them.
//
// Each device that was given an interrupt has a table of MESSAGES_PER_DEVICE events of its own,
// kept for good. The mutex of message_interrupts.c protects everything.
#include <string.h>

#include <arch/mmu.h>

#include "kernel/arch/arm64/boot.h"
#include "kernel/arch/arm64/gic.h"
#include "kernel/arch/arm64/message_interrupts.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/gic.h"
#include "kernel/arch/arm64/regs/its.h"
#include "kernel/arch/arm64/regs/mmio.h"
#include "kernel/core/cpu.h"
#include "kernel/memory/phys.h"

#define INTID_BITS          14 // of the LPI tables: numbers up to 16383
#define PROPERTY_BYTES      (((size_t)1 << INTID_BITS) - GIC_INTID_LPI_BASE)
#define PROPERTY_ORDER      1
#define PENDING_ORDER       4 // 64 KiB, its alignment
#define QUEUE_ORDER         0
#define QUEUE_BYTES         PAGE_SIZE
#define DEVICES_MAX         64
#define MESSAGES_PER_DEVICE 32u
#define EVENT_BITS          5
#define WAIT_LOOPS          1000000

struct its_device {
    uint32_t id;
    uint32_t taken_events; // bits
};

static volatile void *its;
static uint64_t its_base;
static const struct machine_tree *tree;
static uint64_t target; // of SYNC and MAPC: the boot CPU's redistributor
static uint8_t *queue;
static uint64_t queue_write;
static uint32_t device_id_end;
static struct its_device devices[DEVICES_MAX];
static uint32_t device_count;

// Of each LPI: the device and event that are mapped to it.
static struct {
    bool is_taken;
    uint8_t device_index, event;
} lpis[LPI_COUNT];

_Static_assert(PROPERTY_BYTES <= PAGE_SIZE << PROPERTY_ORDER, "the LPIs' properties");
_Static_assert(LPI_IRQ_BASE + LPI_COUNT <= 1280, "ARCH_INTERRUPT_END");
_Static_assert(MESSAGES_PER_DEVICE == 1u << EVENT_BITS, "events");

static bool wait_for_queue(void)
{
    for (uint32_t i = 0; i < WAIT_LOOPS; i++) {
        uint64_t read = mmio_read64(its, GITS_CREADR);

        if (read == queue_write)
            return true;
        if (read & GITS_CREADR_STALLED)
            return false;
    }
    return false;
}

// Carries one command out. False: it was refused, or the ITS does not answer.
static bool run_command(uint64_t word0, uint64_t word1, uint64_t word2)
{
    const uint64_t words[4] = {word0, word1, word2, 0};

    memcpy(queue + queue_write, words, sizeof(words));
    // Seen by the ITS before it is told of the command.
    dsb_ishst();
    queue_write = (queue_write + ITS_COMMAND_SIZE) % QUEUE_BYTES;
    mmio_write64(its, GITS_CWRITER, queue_write);
    return wait_for_queue();
}

static bool sync(void)
{
    return run_command(ITS_SYNC, 0, target);
}

// --- start-up
// -----------------------------------------------------------------------------------------

static bool init_redistributor(volatile uint8_t *gicr)
{
    paddr_t properties = phys_alloc_zeroed(PROPERTY_ORDER, PHYS_USE_HEAP);
    paddr_t pending = phys_alloc_zeroed(PENDING_ORDER, PHYS_USE_HEAP);

    if (paddr_is_none(properties) || paddr_is_none(pending))
        return false;
    memset(arch_phys_to_virt(properties), GIC_PRIORITY | LPI_PROPERTY_ENABLED, LPI_COUNT);
    mmio_write64(gicr, GICR_PROPBASER,
                 properties.raw | GICR_TABLE_CACHED | GICR_TABLE_SHAREABLE | (INTID_BITS - 1));
    mmio_write64(gicr, GICR_PENDBASER,
                 pending.raw | GICR_PENDBASER_ZERO | GICR_TABLE_CACHED | GICR_TABLE_SHAREABLE);
    // Without coherent access to the tables each change would need to be cleaned out of the caches.
    if ((mmio_read64(gicr, GICR_PROPBASER) & GICR_TABLE_SHARE_MASK) == 0)
        return false;
    dsb_sy();
    mmio_write32(gicr, GICR_CTLR, mmio_read32(gicr, GICR_CTLR) | GICR_CTLR_ENABLE_LPIS);
    dsb_sy();
    return (mmio_read32(gicr, GICR_CTLR) & GICR_CTLR_ENABLE_LPIS) != 0;
}

// A table of `bytes`, in pages of 4 KiB. False: it does not fit, no memory, or not coherent.
static bool init_table(uint32_t index, uint64_t baser, uint64_t bytes)
{
    unsigned order = 0;

    while (PAGE_SIZE << order < bytes)
        order++;
    if ((uint64_t)1 << order > GITS_BASER_PAGES_MAX)
        return false;
    paddr_t table = phys_alloc_zeroed(order, PHYS_USE_HEAP);
    if (paddr_is_none(table))
        return false;
    uint64_t value = (baser & GITS_BASER_READ_ONLY) | GITS_TABLE_VALID | GITS_TABLE_CACHED |
                     GITS_TABLE_SHAREABLE | GITS_BASER_PAGE_4K | table.raw |
                     (((uint64_t)1 << order) - 1);
    mmio_write64(its, GITS_BASER(index), value);
    value = mmio_read64(its, GITS_BASER(index));
    return (value & GITS_BASER_PAGE_MASK) == GITS_BASER_PAGE_4K &&
           (value & GITS_TABLE_SHARE_MASK) != 0;
}

// Devices: those of segment 0's buses at most, and no more than the table has pages for.
static bool init_tables(uint64_t type)
{
    uint32_t bits = GITS_TYPER_DEVICE_BITS(type) < 16 ? GITS_TYPER_DEVICE_BITS(type) : 16;

    for (uint32_t i = 0; i < GITS_BASER_COUNT; i++) {
        uint64_t baser = mmio_read64(its, GITS_BASER(i));
        uint64_t entry = GITS_BASER_ENTRY_SIZE(baser),
                 room = GITS_BASER_PAGES_MAX * PAGE_SIZE / entry;

        if (GITS_BASER_TYPE(baser) == GITS_BASER_TYPE_DEVICES) {
            device_id_end = (uint64_t)1 << bits < room ? (uint32_t)1 << bits : (uint32_t)room;
            if (!init_table(i, baser, device_id_end * entry))
                return false;
        } else if (GITS_BASER_TYPE(baser) == GITS_BASER_TYPE_COLLECTIONS &&
                   !init_table(i, baser, PAGE_SIZE)) {
            return false;
        }
    }
    return device_id_end != 0;
}

static bool init_queue(void)
{
    paddr_t page = phys_alloc_zeroed(QUEUE_ORDER, PHYS_USE_HEAP);

    if (paddr_is_none(page))
        return false;
    queue = arch_phys_to_virt(page);
    mmio_write64(its, GITS_CBASER,
                 GITS_TABLE_VALID | GITS_TABLE_CACHED | GITS_TABLE_SHAREABLE | page.raw);
    mmio_write64(its, GITS_CWRITER, 0);
    return (mmio_read64(its, GITS_CBASER) & GITS_TABLE_SHARE_MASK) != 0;
}

static bool switch_off(void)
{
    mmio_write32(its, GITS_CTLR, 0);
    for (uint32_t i = 0; i < WAIT_LOOPS; i++) {
        if (mmio_read32(its, GITS_CTLR) & GITS_CTLR_QUIESCENT)
            return true;
    }
    return false;
}

static bool init(const struct machine_tree *machine, const struct arm64_cpu *boot_cpu,
                 const char **why)
{
    uint64_t redistributor = mmio_read64(boot_cpu->gicr, GICR_TYPER);

    *why = "no room to map it, or it does not answer";
    its = arch_map_device(PADDR(machine->its.base), GITS_SIZE);
    if (!its || !switch_off())
        return false;
    tree = machine;
    its_base = machine->its.base;
    uint64_t type = mmio_read64(its, GITS_TYPER);
    target = type & GITS_TYPER_PTA
                 ? gic_v3_redistributor_base(boot_cpu)
                 : (uint64_t)GICR_TYPER_NUMBER(redistributor) << ITS_TARGET_NUMBER_SHIFT;
    *why = "no memory for its tables, or it does not see the caches";
    if (!(redistributor & GICR_TYPER_PLPIS) || !init_redistributor(boot_cpu->gicr) ||
        !init_tables(type) || !init_queue())
        return false;
    mmio_write32(its, GITS_CTLR, GITS_CTLR_ENABLED);
    *why = "it refuses commands";
    return run_command(ITS_MAPC, 0, ITS_VALID | target) && sync();
}

// --- devices
// ------------------------------------------------------------------------------------------

// What the ITS calls a PCI function. False: the tree does not say, or the table is too small.
static bool find_device_id(uint32_t requester, uint32_t *id)
{
    uint32_t function = requester & UINT16_MAX;

    for (uint32_t i = 0; i < tree->pci_count; i++) {
        const struct machine_pci_host *host = &tree->pci[i];

        if (host->segment != requester >> 16 || function < host->msi_first_requester ||
            function - host->msi_first_requester >= host->msi_count)
            continue;
        *id = function - host->msi_first_requester + host->msi_first_device;
        return *id < device_id_end;
    }
    return false;
}

// The device with a table of events, made if need be. DEVICES_MAX: there is none.
static uint32_t find_device(uint32_t id)
{
    for (uint32_t i = 0; i < device_count; i++) {
        if (devices[i].id == id)
            return i;
    }
    if (device_count == DEVICES_MAX)
        return DEVICES_MAX;
    uint32_t entry = GITS_TYPER_ITT_SIZE(mmio_read64(its, GITS_TYPER));
    paddr_t events =
        entry * MESSAGES_PER_DEVICE <= PAGE_SIZE ? phys_alloc_zeroed(0, PHYS_USE_HEAP) : PADDR_NONE;
    if (paddr_is_none(events))
        return DEVICES_MAX;
    if (!run_command(ITS_MAPD | ITS_DEVICE(id), EVENT_BITS - 1, ITS_VALID | events.raw)) {
        phys_free(events, 0, PHYS_USE_HEAP);
        return DEVICES_MAX;
    }
    devices[device_count] = (struct its_device){.id = id};
    return device_count++;
}

static uint32_t find_free_lpi(void)
{
    uint32_t lpi = 0;

    while (lpi < LPI_COUNT && lpis[lpi].is_taken)
        lpi++;
    return lpi;
}

static mx_status_t take(uint32_t requester, uint32_t *irq, struct mx_interrupt_message *message)
{
    uint32_t id, index, lpi = find_free_lpi();

    if (!find_device_id(requester, &id))
        return MX_ERR_NOT_SUPPORTED;
    index = find_device(id);
    if (lpi == LPI_COUNT || index == DEVICES_MAX || devices[index].taken_events == UINT32_MAX)
        return MX_ERR_NO_RESOURCES;
    uint32_t event = (uint32_t)__builtin_ctz(~devices[index].taken_events);
    if (!run_command(ITS_MAPTI | ITS_DEVICE(id), event | (uint64_t)(GIC_INTID_LPI_BASE + lpi) << 32,
                     0) ||
        !sync())
        return MX_ERR_IO;
    devices[index].taken_events |= (uint32_t)1 << event;
    lpis[lpi].is_taken = true;
    lpis[lpi].device_index = (uint8_t)index;
    lpis[lpi].event = (uint8_t)event;
    *irq = LPI_IRQ_BASE + lpi;
    *message = (struct mx_interrupt_message){.address = its_base + GITS_TRANSLATER, .data = event};
    return MX_OK;
}

static void give_back(uint32_t irq)
{
    uint32_t lpi = irq - LPI_IRQ_BASE;
    struct its_device *device = &devices[lpis[lpi].device_index];

    // Taken for good if the ITS does not forget it.
    if (!run_command(ITS_DISCARD | ITS_DEVICE(device->id), lpis[lpi].event, 0) || !sync())
        return;
    device->taken_events &= ~((uint32_t)1 << lpis[lpi].event);
    lpis[lpi].is_taken = false;
}

const struct message_ops gic_its = {.name = "ITS", .init = init, .take = take, .free = give_back};
