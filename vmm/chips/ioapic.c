#include "vmm/chips/ioapic.h"

#include <string.h>

#define IOREGSEL 0x00
#define IOWIN    0x10

#define IOAPICID   0x00
#define IOAPICVER  0x01
#define IOAPICARB  0x02
#define IOREDTBL_0 0x10

#define IOAPICID_SHIFT    24
#define IOAPICID_MASK     0x0f
#define IOAPICVER_82093AA (0x11u | (IOAPIC_INPUT_COUNT - 1) << 16)

#define RTE_INTVEC        0xffULL
#define RTE_DELMOD_SHIFT  8
#define RTE_DELMOD_MASK   7
#define RTE_DESTMOD       (1ULL << 11)
#define RTE_REMOTE_IRR    (1ULL << 14)
#define RTE_TRIGGER_LEVEL (1ULL << 15)
#define RTE_MASK          (1ULL << 16)
#define RTE_LOW_WRITABLE  0x0001afffULL
#define RTE_HIGH_WRITABLE 0xff00000000000000ULL
#define RTE_DEST_SHIFT    56

#define DELMOD_FIXED           0
#define DELMOD_LOWEST_PRIORITY 1
#define DELMOD_SMI             2
#define DELMOD_NMI             4
#define DELMOD_INIT            5
#define DELMOD_EXTINT          7

#define MESSAGE_ADDRESS             0xfee00000ULL
#define MESSAGE_DEST_SHIFT          12
#define MESSAGE_REDIRECTION_HINT    (1ULL << 3)
#define MESSAGE_DESTINATION_LOGICAL (1ULL << 2)
#define MESSAGE_ASSERT              (1u << 14)
#define MESSAGE_TRIGGER_LEVEL       (1u << 15)

static uint32_t read_register(const struct ioapic *ioapic)
{
    unsigned entry_register = ioapic->ioregsel - IOREDTBL_0;

    if (ioapic->ioregsel == IOAPICID || ioapic->ioregsel == IOAPICARB)
        return (uint32_t)ioapic->id << IOAPICID_SHIFT;
    if (ioapic->ioregsel == IOAPICVER)
        return IOAPICVER_82093AA;
    if (ioapic->ioregsel < IOREDTBL_0 || entry_register / 2 >= IOAPIC_INPUT_COUNT)
        return 0;
    return (uint32_t)(ioapic->redirtbl[entry_register / 2] >> (entry_register % 2 * 32));
}

// After each change of what a read gives.
static void update_shown(const struct ioapic *ioapic)
{
    const uint32_t index = ioapic->ioregsel, window = read_register(ioapic);

    if (!ioapic->shown)
        return;
    memcpy(ioapic->shown + IOREGSEL, &index, sizeof(index));
    memcpy(ioapic->shown + IOWIN, &window, sizeof(window));
}

static unsigned delivery_mode(uint64_t entry)
{
    return entry >> RTE_DELMOD_SHIFT & RTE_DELMOD_MASK;
}

// SMI, NMI, INIT and ExtINT are edges whatever the trigger bit says; only the other two await an
// EOI.
static bool is_level_triggered(uint64_t entry)
{
    unsigned mode = delivery_mode(entry);

    return (entry & RTE_TRIGGER_LEVEL) && (mode == DELMOD_FIXED || mode == DELMOD_LOWEST_PRIORITY);
}

static void send_entry(const struct ioapic *ioapic, uint64_t entry)
{
    unsigned mode = delivery_mode(entry);
    uint64_t address = MESSAGE_ADDRESS | (entry >> RTE_DEST_SHIFT) << MESSAGE_DEST_SHIFT;
    uint32_t data = (uint32_t)(entry & RTE_INTVEC) | mode << RTE_DELMOD_SHIFT | MESSAGE_ASSERT;

    if (mode != DELMOD_FIXED && mode != DELMOD_LOWEST_PRIORITY && mode != DELMOD_SMI &&
        mode != DELMOD_NMI && mode != DELMOD_INIT && mode != DELMOD_EXTINT)
        return; // reserved: nothing is delivered
    if (entry & RTE_DESTMOD)
        address |= MESSAGE_DESTINATION_LOGICAL;
    if (mode == DELMOD_LOWEST_PRIORITY)
        address |= MESSAGE_REDIRECTION_HINT;
    if (is_level_triggered(entry))
        data |= MESSAGE_TRIGGER_LEVEL;
    ioapic->host.send_message(ioapic->host.context, address, data);
}

// Sends what input `index` has to send now. State changes come before the message.
static void deliver(struct ioapic *ioapic, unsigned index)
{
    uint64_t entry = ioapic->redirtbl[index];
    uint32_t bit = 1u << index;

    if (entry & RTE_MASK)
        return;
    if (is_level_triggered(entry)) {
        if (!(ioapic->lines & bit) || (entry & RTE_REMOTE_IRR))
            return;
        ioapic->redirtbl[index] |= RTE_REMOTE_IRR;
    } else {
        if (!(ioapic->edges_pending & bit))
            return;
    }
    ioapic->edges_pending &= ~bit;
    send_entry(ioapic, entry);
}

void ioapic_set_input(void *context, unsigned input, bool level)
{
    struct ioapic *ioapic = context;
    uint32_t bit;

    if (input >= IOAPIC_INPUT_COUNT)
        return;
    bit = 1u << input;
    if (!level) {
        ioapic->lines &= ~bit;
        return;
    }
    if (!(ioapic->lines & bit) && !is_level_triggered(ioapic->redirtbl[input]))
        ioapic->edges_pending |= bit;
    ioapic->lines |= bit;
    deliver(ioapic, input);
    update_shown(ioapic);
}

void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
    for (unsigned i = 0; i < IOAPIC_INPUT_COUNT; i++) {
        uint64_t entry = ioapic->redirtbl[i];
        if ((entry & RTE_INTVEC) != vector || !(entry & RTE_REMOTE_IRR))
            continue;
        ioapic->redirtbl[i] &= ~RTE_REMOTE_IRR;
        deliver(ioapic, i);
    }
    update_shown(ioapic);
}

void ioapic_level_vectors(const struct ioapic *ioapic, uint64_t vectors[4])
{
    for (unsigned i = 0; i < IOAPIC_INPUT_COUNT; i++) {
        uint64_t entry = ioapic->redirtbl[i];
        unsigned vector = entry & RTE_INTVEC;
        bool is_in_use = !(entry & RTE_MASK) || (entry & RTE_REMOTE_IRR);
        if (is_in_use && is_level_triggered(entry))
            vectors[vector / 64] |= 1ULL << (vector % 64);
    }
}

// An entry that becomes edge-triggered forgets its remote IRR: that is how software without an EOI
// register ends a level-triggered interrupt itself.
static void write_entry(struct ioapic *ioapic, unsigned index, bool is_high, uint32_t value)
{
    uint64_t *entry = &ioapic->redirtbl[index];

    if (is_high) {
        *entry = (*entry & ~RTE_HIGH_WRITABLE) | ((uint64_t)value << 32 & RTE_HIGH_WRITABLE);
    } else {
        *entry = (*entry & ~RTE_LOW_WRITABLE) | (value & RTE_LOW_WRITABLE);
        if (!is_level_triggered(*entry))
            *entry &= ~RTE_REMOTE_IRR;
        else
            ioapic->edges_pending &= ~(1u << index);
    }
    if (ioapic->host.routes_changed && !is_high)
        ioapic->host.routes_changed(ioapic->host.context);
    deliver(ioapic, index);
}

static void write_register(struct ioapic *ioapic, uint32_t value)
{
    unsigned entry_register = ioapic->ioregsel - IOREDTBL_0;

    if (ioapic->ioregsel == IOAPICID)
        ioapic->id = value >> IOAPICID_SHIFT & IOAPICID_MASK;
    else if (ioapic->ioregsel >= IOREDTBL_0 && entry_register / 2 < IOAPIC_INPUT_COUNT)
        write_entry(ioapic, entry_register / 2, entry_register % 2, value);
}

// "All registers are accessed as 32 bits": the registers answer at their own address only, and the
// window takes only writes that cover it.
static uint64_t ioapic_read(void *device, uint64_t offset, unsigned width_bytes)
{
    const struct ioapic *ioapic = device;
    uint32_t value = 0;

    if (offset == IOREGSEL)
        value = ioapic->ioregsel;
    else if (offset == IOWIN)
        value = read_register(ioapic);
    return width_bytes >= 4 ? value : value & ((1u << (width_bytes * 8)) - 1);
}

static void ioapic_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    struct ioapic *ioapic = device;

    if (offset == IOREGSEL)
        ioapic->ioregsel = (uint8_t)value;
    else if (offset == IOWIN && width_bytes >= 4)
        write_register(ioapic, (uint32_t)value);
    update_shown(ioapic);
}

static void ioapic_reset(void *device)
{
    struct ioapic *ioapic = device;

    for (unsigned i = 0; i < IOAPIC_INPUT_COUNT; i++)
        ioapic->redirtbl[i] = RTE_MASK;
    ioapic->edges_pending = 0;
    ioapic->ioregsel = 0;
    ioapic->id = 0;
    if (ioapic->host.routes_changed)
        ioapic->host.routes_changed(ioapic->host.context);
    update_shown(ioapic);
}

const struct device_ops ioapic_ops = {
    .read = ioapic_read,
    .write = ioapic_write,
    .reset = ioapic_reset,
};

void ioapic_show_registers(struct ioapic *ioapic, uint8_t *page)
{
    ioapic->shown = page;
    update_shown(ioapic);
}

void ioapic_init(struct ioapic *ioapic, const struct ioapic_host *host)
{
    memset(ioapic, 0, sizeof(*ioapic));
    ioapic->host = *host;
    ioapic_reset(ioapic);
}
