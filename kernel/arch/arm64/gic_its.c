// The Interrupt Translation Service of a GICv3: devices' messages become LPIs (Arm GIC Architecture
// Specification, IHI 0069H.b, chapter 5). All go to the boot CPU. LPIs are enabled for good, and
// are interrupts only while an event of a device is mapped to them (portable/its_commands.c). The
// mutex of message_interrupts.c protects everything.
#include <string.h>

#include <arch/mmu.h>

#include "kernel/arch/arm64/boot.h"
#include "kernel/arch/arm64/gic.h"
#include "kernel/arch/arm64/message_interrupts.h"
#include "kernel/arch/arm64/portable/its_commands.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/gic.h"
#include "kernel/arch/arm64/regs/its.h"
#include "kernel/arch/arm64/regs/mmio.h"
#include "kernel/core/cpu.h"
#include "kernel/memory/phys.h"

#define INTID_BITS     14 // of the LPI tables: numbers up to 16383
#define PROPERTY_BYTES (((size_t)1 << INTID_BITS) - GIC_INTID_LPI_BASE)
#define PROPERTY_ORDER 1
#define PENDING_ORDER  4 // 64 KiB, its alignment
#define QUEUE_ORDER    0
#define WAIT_LOOPS     1000000

static struct its commands;
static volatile void *its;
static uint64_t its_base;
static const struct machine *described;
static uint8_t *queue;
static uint32_t device_id_end;

_Static_assert(PROPERTY_BYTES <= PAGE_SIZE << PROPERTY_ORDER, "the LPIs' properties");
_Static_assert(LPI_IRQ_BASE + LPI_COUNT <= 1280, "ARCH_INTERRUPT_END");
_Static_assert(ITS_LPI_COUNT == LPI_COUNT && ITS_QUEUE_BYTES == PAGE_SIZE << QUEUE_ORDER &&
                   ITS_EVENT_BYTES_MAX == PAGE_SIZE,
               "its_commands.h");

static uint64_t read_register(void *context, uint64_t offset)
{
    (void)context;
    return mmio_read64(its, offset);
}

static void write_register(void *context, uint64_t offset, uint64_t value)
{
    (void)context;
    // The queue and the tables are seen by the ITS before it is told of the command.
    dsb_ishst();
    mmio_write64(its, offset, value);
}

static paddr_t alloc_table(void *context)
{
    (void)context;
    return phys_alloc_zeroed(0, PHYS_USE_HEAP);
}

static const struct its_ops commands_ops = {
    .read = read_register, .write = write_register, .alloc_table = alloc_table};

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

static bool init(const struct machine *machine, const struct arm64_cpu *boot_cpu, const char **why)
{
    uint64_t redistributor = mmio_read64(boot_cpu->gicr, GICR_TYPER);

    *why = "no room to map it, or it does not answer";
    its = arch_map_device(PADDR(machine->its.base), GITS_SIZE);
    if (!its || !switch_off())
        return false;
    described = machine;
    its_base = machine->its.base;
    uint64_t type = mmio_read64(its, GITS_TYPER);
    // The boot CPU's redistributor.
    uint64_t target = type & GITS_TYPER_PTA
                          ? gic_v3_redistributor_base(boot_cpu)
                          : (uint64_t)GICR_TYPER_NUMBER(redistributor) << ITS_TARGET_NUMBER_SHIFT;
    *why = "no memory for its tables, or it does not see the caches";
    if (!(redistributor & GICR_TYPER_PLPIS) || !init_redistributor(boot_cpu->gicr) ||
        !init_tables(type) || !init_queue())
        return false;
    mmio_write32(its, GITS_CTLR, GITS_CTLR_ENABLED);
    *why = "it refuses commands";
    return its_start(&commands, &commands_ops, NULL, queue, target);
}

// --- devices
// ------------------------------------------------------------------------------------------

// What the ITS calls a PCI function. False: firmware does not say, or the table is too small.
static bool find_device_id(uint32_t requester, uint32_t *id)
{
    uint32_t function = requester & UINT16_MAX;

    for (uint32_t i = 0; i < described->pci_count; i++) {
        const struct machine_pci_host *host = &described->pci[i];

        if (host->segment != requester >> 16 || function < host->msi_first_requester ||
            function - host->msi_first_requester >= host->msi_count)
            continue;
        *id = function - host->msi_first_requester + host->msi_first_device;
        return *id < device_id_end;
    }
    return false;
}

static mx_status_t take(uint32_t requester, uint32_t *irq, struct mx_interrupt_message *message)
{
    uint32_t id, event, lpi;

    if (!find_device_id(requester, &id))
        return MX_ERR_NOT_SUPPORTED;
    mx_status_t status = its_take(&commands, id, &event, &lpi);
    if (status != MX_OK)
        return status;
    *irq = LPI_IRQ_BASE + lpi;
    *message = (struct mx_interrupt_message){.address = its_base + GITS_TRANSLATER, .data = event};
    return MX_OK;
}

static void give_back(uint32_t irq)
{
    its_give_back(&commands, irq - LPI_IRQ_BASE);
}

const struct message_ops gic_its = {.name = "ITS", .init = init, .take = take, .free = give_back};
