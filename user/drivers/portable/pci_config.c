// Configuration space of a PCI function; see pci_config.h.
#include "user/drivers/portable/pci_config.h"

#define REG_ID           0x00
#define REG_COMMAND      0x04
#define REG_CLASS        0x08
#define REG_HEADER_TYPE  0x0e
#define REG_BARS         0x10
#define REG_CAPABILITIES 0x34

#define COMMAND_PORTS   (1u << 0)
#define COMMAND_MEMORY  (1u << 1)
#define COMMAND_MASTER  (1u << 2)
#define COMMAND_PIN_OFF (1u << 10)
#define STATUS_HAS_LIST (1u << 4)

#define HEADER_TYPE_MASK     0x7f
#define HEADER_TYPE_DEVICE   0
#define HEADER_TYPE_BRIDGE   1
#define HEADER_MULTIFUNCTION 0x80

#define BAR_IS_PORTS       (1u << 0)
#define BAR_TYPE_MASK      (3u << 1)
#define BAR_TYPE_32        (0u << 1)
#define BAR_TYPE_64        (2u << 1)
#define BAR_PORTS_ADDRESS  0xfffffffcu
#define BAR_MEMORY_ADDRESS 0xfffffff0u

#define CAPABILITIES_BASE 0x40
#define CAPABILITIES_END  0x100
#define CAPABILITIES_MAX  ((CAPABILITIES_END - CAPABILITIES_BASE) / 4)

#define MSIX_CONTROL      2
#define MSIX_ENABLE       (1u << 15)
#define MSIX_MASK_ALL     (1u << 14)
#define MSIX_TABLE        4
#define MSIX_TABLE_BAR    7u
#define MSIX_ENTRY_MASKED 1u

#define MSI_CONTROL      2
#define MSI_ENABLE       (1u << 0)
#define MSI_COUNT_MASK   (7u << 4)
#define MSI_IS_64        (1u << 7)
#define MSI_ADDRESS      4
#define MSI_ADDRESS_HIGH 8
#define MSI_DATA_32      8
#define MSI_DATA_64      12

#define VENDOR_NONE 0xffff

static uint32_t read32(const struct pci_config *config, uint32_t offset)
{
    return config->read(config->context, offset);
}

static void write32(const struct pci_config *config, uint32_t offset, uint32_t value)
{
    config->write(config->context, offset, value);
}

uint8_t pci_read8(const struct pci_config *config, uint32_t offset)
{
    return (uint8_t)(read32(config, offset & ~3u) >> 8 * (offset & 3));
}

uint16_t pci_read16(const struct pci_config *config, uint32_t offset)
{
    return (uint16_t)(read32(config, offset & ~3u) >> 8 * (offset & 2));
}

// The other half of the word goes back as it was read; where that is the status register, whose
// bits a one clears, as zeros.
void pci_write16(const struct pci_config *config, uint32_t offset, uint16_t value)
{
    uint32_t shift = 8 * (offset & 2);
    uint32_t word = offset == REG_COMMAND ? 0 : read32(config, offset & ~3u);

    write32(config, offset & ~3u, (word & ~((uint32_t)0xffff << shift)) | (uint32_t)value << shift);
}

bool pci_read_header(const struct pci_config *config, struct pci_header *out)
{
    uint32_t id = read32(config, REG_ID), class = read32(config, REG_CLASS);
    uint8_t type = pci_read8(config, REG_HEADER_TYPE);

    *out = (struct pci_header){
        .vendor = (uint16_t)id,
        .device = (uint16_t)(id >> 16),
        .class_code = (uint8_t)(class >> 24),
        .subclass = (uint8_t)(class >> 16),
        .interface = (uint8_t)(class >> 8),
        .is_multifunction = (type & HEADER_MULTIFUNCTION) != 0,
        .is_bridge = (type & HEADER_TYPE_MASK) == HEADER_TYPE_BRIDGE,
    };
    return out->vendor != VENDOR_NONE && out->vendor != 0 &&
           (type & HEADER_TYPE_MASK) <= HEADER_TYPE_BRIDGE;
}

uint32_t pci_find_capability(const struct pci_config *config, uint8_t id, uint32_t after)
{
    uint32_t at;

    if (!(read32(config, REG_COMMAND) >> 16 & STATUS_HAS_LIST))
        return 0;
    at = after ? pci_read8(config, after + 1) : pci_read8(config, REG_CAPABILITIES);
    for (uint32_t i = 0; i < CAPABILITIES_MAX; i++) {
        at &= ~3u;
        if (at < CAPABILITIES_BASE)
            return 0;
        if (pci_read8(config, at) == id)
            return at;
        at = pci_read8(config, at + 1);
    }
    return 0;
}

// --- registers
// ----------------------------------------------------------------------------------------

// A BAR's word with all address bits written, and put back.
static uint32_t probe(const struct pci_config *config, uint32_t offset)
{
    uint32_t before = read32(config, offset), mask;

    write32(config, offset, UINT32_MAX);
    mask = read32(config, offset);
    write32(config, offset, before);
    return mask;
}

// The lowest address bit that can be set is the size. 0: there is nothing, or bits above it are
// missing.
static uint64_t size_of(uint64_t mask, uint64_t width_mask)
{
    uint64_t size = mask & -mask;

    return size != 0 && (mask | (size - 1)) == width_mask ? size : 0;
}

static struct pci_bar base_of(const struct pci_config *config, uint32_t index, uint32_t count)
{
    uint32_t low = read32(config, REG_BARS + 4 * index), high;

    if (low & BAR_IS_PORTS)
        return (struct pci_bar){.kind = PCI_BAR_PORTS, .base = low & BAR_PORTS_ADDRESS};
    if ((low & BAR_TYPE_MASK) == BAR_TYPE_32)
        return (struct pci_bar){.kind = PCI_BAR_MEMORY32, .base = low & BAR_MEMORY_ADDRESS};
    if ((low & BAR_TYPE_MASK) != BAR_TYPE_64 || index + 1 == count)
        return (struct pci_bar){.kind = PCI_BAR_NONE};
    high = read32(config, REG_BARS + 4 * index + 4);
    return (struct pci_bar){.kind = PCI_BAR_MEMORY64,
                            .base = (low & BAR_MEMORY_ADDRESS) | (uint64_t)high << 32};
}

void pci_read_bases(const struct pci_config *config, uint32_t count,
                    struct pci_bar bars[PCI_BAR_COUNT])
{
    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++) {
        bars[i] = i < count ? base_of(config, i, count) : (struct pci_bar){.kind = PCI_BAR_NONE};
        if (bars[i].kind == PCI_BAR_MEMORY64)
            bars[++i] = (struct pci_bar){.kind = PCI_BAR_NONE};
    }
}

static uint64_t measure(const struct pci_config *config, uint32_t index, enum pci_bar_kind kind)
{
    uint32_t offset = REG_BARS + 4 * index;
    uint64_t mask = probe(config, offset), high;

    switch (kind) {
    case PCI_BAR_PORTS: // the upper half of the word may be missing altogether
        return size_of((mask & BAR_PORTS_ADDRESS) | 0xffff0000u, UINT32_MAX) & 0xffff;
    case PCI_BAR_MEMORY32:
        return size_of(mask & BAR_MEMORY_ADDRESS, UINT32_MAX);
    case PCI_BAR_MEMORY64:
        high = probe(config, offset + 4);
        return size_of((mask & BAR_MEMORY_ADDRESS) | high << 32, UINT64_MAX);
    case PCI_BAR_NONE:
        break;
    }
    return 0;
}

void pci_read_bars(const struct pci_config *config, struct pci_bar bars[PCI_BAR_COUNT])
{
    pci_disable(config);
    pci_write16(config, REG_COMMAND, pci_read16(config, REG_COMMAND) & (uint16_t)~COMMAND_MEMORY);
    pci_read_bases(config, PCI_BAR_COUNT, bars);
    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++) {
        bars[i].size_bytes = measure(config, i, bars[i].kind);
        if (bars[i].size_bytes == 0)
            bars[i] = (struct pci_bar){.kind = PCI_BAR_NONE};
        // The bits below the size are not there.
        bars[i].base &= bars[i].size_bytes ? ~(bars[i].size_bytes - 1) : 0;
    }
}

void pci_set_bar(const struct pci_config *config, uint32_t index, struct pci_bar *bar,
                 uint64_t base)
{
    write32(config, REG_BARS + 4 * index, (uint32_t)base);
    if (bar->kind == PCI_BAR_MEMORY64)
        write32(config, REG_BARS + 4 * index + 4, (uint32_t)(base >> 32));
    bar->base = base;
}

void pci_show_registers(const struct pci_config *config)
{
    pci_write16(config, REG_COMMAND, pci_read16(config, REG_COMMAND) | COMMAND_MEMORY);
}

void pci_enable(const struct pci_config *config)
{
    uint16_t command = pci_read16(config, REG_COMMAND);

    pci_write16(config, REG_COMMAND, command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_PIN_OFF);
}

void pci_disable(const struct pci_config *config)
{
    uint16_t command = pci_read16(config, REG_COMMAND);
    uint32_t msi = pci_find_capability(config, PCI_CAPABILITY_MSI, 0);
    uint32_t msix = pci_find_capability(config, PCI_CAPABILITY_MSIX, 0);

    pci_write16(config, REG_COMMAND,
                (uint16_t)(command & ~(COMMAND_PORTS | COMMAND_MASTER)) | COMMAND_PIN_OFF);
    if (msi)
        pci_write16(config, msi + MSI_CONTROL,
                    pci_read16(config, msi + MSI_CONTROL) & (uint16_t)~MSI_ENABLE);
    if (msix)
        pci_write16(config, msix + MSIX_CONTROL,
                    pci_read16(config, msix + MSIX_CONTROL) & (uint16_t)~MSIX_ENABLE);
}

// --- messages
// -----------------------------------------------------------------------------------------

bool pci_find_msix(const struct pci_config *config, const struct pci_bar bars[PCI_BAR_COUNT],
                   uint32_t *bar_index, uint64_t *offset)
{
    uint32_t at = pci_find_capability(config, PCI_CAPABILITY_MSIX, 0), place;

    if (at == 0 || at + MSIX_TABLE + 4 > CAPABILITIES_END)
        return false;
    place = read32(config, at + MSIX_TABLE);
    *bar_index = place & MSIX_TABLE_BAR;
    *offset = place & ~MSIX_TABLE_BAR;
    if (*bar_index >= PCI_BAR_COUNT)
        return false;
    const struct pci_bar *bar = &bars[*bar_index];
    const uint64_t entry_bytes = PCI_MSIX_ENTRY_WORDS * sizeof(uint32_t);
    return bar->kind >= PCI_BAR_MEMORY32 && *offset < bar->size_bytes &&
           bar->size_bytes - *offset >= entry_bytes &&
           *offset % MX_PAGE_SIZE <= MX_PAGE_SIZE - entry_bytes;
}

void pci_write_msix_entry(volatile uint32_t entry[PCI_MSIX_ENTRY_WORDS],
                          const struct mx_interrupt_message *message)
{
    entry[3] = MSIX_ENTRY_MASKED;
    entry[0] = (uint32_t)message->address;
    entry[1] = (uint32_t)(message->address >> 32);
    entry[2] = message->data;
    entry[3] = 0;
}

void pci_enable_msix(const struct pci_config *config)
{
    uint32_t at = pci_find_capability(config, PCI_CAPABILITY_MSIX, 0);

    if (at) {
        uint16_t control = pci_read16(config, at + MSIX_CONTROL);
        pci_write16(config, at + MSIX_CONTROL, (uint16_t)(control & ~MSIX_MASK_ALL) | MSIX_ENABLE);
    }
}

bool pci_enable_msi(const struct pci_config *config, const struct mx_interrupt_message *message)
{
    uint32_t at = pci_find_capability(config, PCI_CAPABILITY_MSI, 0);

    if (at == 0 || at + MSI_DATA_64 + 4 > CAPABILITIES_END)
        return false;
    uint16_t control = pci_read16(config, at + MSI_CONTROL);
    bool is_64 = (control & MSI_IS_64) != 0;
    if (!is_64 && message->address > UINT32_MAX)
        return false;
    write32(config, at + MSI_ADDRESS, (uint32_t)message->address);
    if (is_64)
        write32(config, at + MSI_ADDRESS_HIGH, (uint32_t)(message->address >> 32));
    pci_write16(config, at + (is_64 ? MSI_DATA_64 : MSI_DATA_32), (uint16_t)message->data);
    pci_write16(config, at + MSI_CONTROL, (uint16_t)(control & ~MSI_COUNT_MASK) | MSI_ENABLE);
    return true;
}
