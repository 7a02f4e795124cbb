#include "vmm/arm64/gic_bank.h"

#define ALL_SGIS 0xffffu

// `first` is the first interrupt of a word; `mask` says which bits of the word are written, `value`
// has no others.
struct gic_block {
    uint16_t offset_mask; // within the registers of the kind
    uint8_t irqs_shift;   // a byte has 1 << irqs_shift interrupts
    uint8_t widths;       // the sum of those that are answered
    enum gic_field field;
    uint32_t (*read)(const struct gic_bank *bank, enum gic_field field, uint32_t first);
    void (*write)(const struct gic_bank *bank, enum gic_field field, uint32_t first, uint32_t value,
                  uint32_t mask);
};

static uint32_t read_field(const struct gic_bank *bank, enum gic_field field, uint32_t first)
{
    return gic_state_read(bank->machine, bank->vcpu_id, field, first);
}

static void write_field(const struct gic_bank *bank, enum gic_field field, uint32_t first,
                        uint32_t value, uint32_t mask)
{
    gic_state_write(bank->machine, bank->vcpu_id, field, first, value, mask);
}

static void write_ones(const struct gic_bank *bank, enum gic_field field, uint32_t first,
                       uint32_t ones, bool level)
{
    if (field == GIC_PENDING && first == 0 && bank->has_sgi_sources)
        ones &= ~ALL_SGIS;
    if (ones != 0)
        write_field(bank, field, first, level ? ones : 0, ones);
}

static void set_bits(const struct gic_bank *bank, enum gic_field field, uint32_t first,
                     uint32_t value, uint32_t mask)
{
    (void)mask;
    write_ones(bank, field, first, value, true);
}

static void clear_bits(const struct gic_bank *bank, enum gic_field field, uint32_t first,
                       uint32_t value, uint32_t mask)
{
    (void)mask;
    write_ones(bank, field, first, value, false);
}

static void write_priorities(const struct gic_bank *bank, enum gic_field field, uint32_t first,
                             uint32_t value, uint32_t mask)
{
    write_field(bank, field, first, value & GIC_PRIORITY_MASK * 0x01010101u, mask);
}

// ICFGR has two bits for each of 16 interrupts, of which the upper says "edge-triggered".
static uint32_t edges_to_icfgr(uint32_t edges)
{
    edges = (edges | edges << 8) & 0x00ff00ff;
    edges = (edges | edges << 4) & 0x0f0f0f0f;
    edges = (edges | edges << 2) & 0x33333333;
    edges = (edges | edges << 1) & 0x55555555;
    return edges << 1;
}

static uint32_t icfgr_to_edges(uint32_t icfgr)
{
    uint32_t edges = icfgr >> 1 & 0x55555555;

    edges = (edges | edges >> 1) & 0x33333333;
    edges = (edges | edges >> 2) & 0x0f0f0f0f;
    edges = (edges | edges >> 4) & 0x00ff00ff;
    return (edges | edges >> 8) & 0xffff;
}

static uint32_t read_config(const struct gic_bank *bank, enum gic_field field, uint32_t first)
{
    const uint32_t edges = read_field(bank, field, first & ~31u);

    return edges_to_icfgr(edges >> (first & 16) & 0xffff);
}

// SGIs are edge-triggered whatever is written.
static void write_config(const struct gic_bank *bank, enum gic_field field, uint32_t first,
                         uint32_t value, uint32_t mask)
{
    const unsigned shift = first & 16;

    (void)mask;
    if (first >= GIC_SGI_COUNT)
        write_field(bank, field, first & ~31u, icfgr_to_edges(value) << shift, 0xffffu << shift);
}

#define BITS(gic_field, writer)                                                                    \
    {                                                                                              \
        .offset_mask = 0x7f, .irqs_shift = 3, .widths = 4, .field = gic_field, .read = read_field, \
        .write = writer                                                                            \
    }

static const struct gic_block group = BITS(GIC_GROUP, write_field);
static const struct gic_block set_enable = BITS(GIC_ENABLE, set_bits);
static const struct gic_block clear_enable = BITS(GIC_ENABLE, clear_bits);
static const struct gic_block set_pending = BITS(GIC_PENDING, set_bits);
static const struct gic_block clear_pending = BITS(GIC_PENDING, clear_bits);
static const struct gic_block set_active = BITS(GIC_ACTIVE, set_bits);
static const struct gic_block clear_active = BITS(GIC_ACTIVE, clear_bits);
static const struct gic_block priority = {.offset_mask = 0x3ff,
                                          .irqs_shift = 0,
                                          .widths = 1 | 4,
                                          .field = GIC_PRIORITY,
                                          .read = read_field,
                                          .write = write_priorities};
static const struct gic_block config = {.offset_mask = 0xff,
                                        .irqs_shift = 2,
                                        .widths = 4,
                                        .field = GIC_EDGE,
                                        .read = read_config,
                                        .write = write_config};

const struct gic_block *const gic_blocks[GIC_BLOCK_COUNT] = {
    [1] = &group,         // GICD_IGROUPR<n>, 0x080
    [2] = &set_enable,    // GICD_ISENABLER<n>, 0x100
    [3] = &clear_enable,  // GICD_ICENABLER<n>, 0x180
    [4] = &set_pending,   // GICD_ISPENDR<n>, 0x200
    [5] = &clear_pending, // GICD_ICPENDR<n>, 0x280
    [6] = &set_active,    // GICD_ISACTIVER<n>, 0x300
    [7] = &clear_active,  // GICD_ICACTIVER<n>, 0x380
    [8] = &priority,      // GICD_IPRIORITYR<n>, 0x400 to 0x7ff
    [9] = &priority,      [10] = &priority, [11] = &priority, [12] = &priority,
    [13] = &priority,     [14] = &priority, [15] = &priority,
    [24] = &config, // GICD_ICFGR<n>, 0xc00 to 0xcff
    [25] = &config,
};

// The first interrupt of the word that an access lies in.
static uint32_t first_of(const struct gic_block *block, uint64_t offset)
{
    return ((uint32_t)offset & block->offset_mask & ~3u) << block->irqs_shift;
}

// Otherwise the access reads zero or is ignored.
static bool is_answered(const struct gic_bank *bank, const struct gic_block *block, uint64_t offset,
                        unsigned width_bytes, uint32_t first)
{
    return (block->widths & width_bytes) && (offset & (width_bytes - 1)) == 0 &&
           first - bank->first < bank->count;
}

uint64_t gic_bank_read(const struct gic_bank *bank, const struct gic_block *block, uint64_t offset,
                       unsigned width_bytes)
{
    const uint32_t first = first_of(block, offset);

    if (!is_answered(bank, block, offset, width_bytes, first))
        return 0;
    return (block->read(bank, block->field, first) & gic_lane_mask(offset, width_bytes)) >>
           (8 * (offset & 3));
}

void gic_bank_write(const struct gic_bank *bank, const struct gic_block *block, uint64_t offset,
                    unsigned width_bytes, uint64_t value)
{
    const uint32_t first = first_of(block, offset);

    if (!is_answered(bank, block, offset, width_bytes, first))
        return;
    const uint32_t mask = gic_lane_mask(offset, width_bytes);
    block->write(bank, block->field, first, (uint32_t)value << (8 * (offset & 3)) & mask, mask);
}

void gic_bank_reset(const struct gic_bank *bank)
{
    const uint32_t end = bank->first + bank->count;

    for (uint32_t first = bank->first; first < end; first += 32) {
        write_field(bank, GIC_ENABLE, first, 0, UINT32_MAX);
        write_field(bank, GIC_PENDING, first, 0, UINT32_MAX);
        write_field(bank, GIC_ACTIVE, first, 0, UINT32_MAX);
        write_field(bank, GIC_GROUP, first, 0, UINT32_MAX);
        write_field(bank, GIC_EDGE, first, first == 0 ? ALL_SGIS : 0, UINT32_MAX);
    }
    for (uint32_t first = bank->first; first < end; first += 4)
        write_field(bank, GIC_PRIORITY, first, 0, UINT32_MAX);
}
