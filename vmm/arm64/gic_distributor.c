#include "vmm/arm64/gic_distributor.h"

#include "vmm/arm64/gic_id.h"

#include <string.h>

#define GICD_CTLR           0x000
#define GICD_TYPER          0x004
#define GICD_ITARGETSR      0x800
#define GICD_SGIR           0xf00
#define GICD_CPENDSGIR      0xf10
#define GICD_SPENDSGIR      0xf20
#define GICD_IROUTER        0x6000 // of interrupt 0, which has none
#define GICD_ITARGETS_BYTES 0x400u
#define GICD_PENDSGIR_BYTES 0x10u

#define CTLR_ENABLE_GROUPS 0x3u // EnableGrp0, EnableGrp1
#define CTLR_ARE           (1u << 4)
#define CTLR_DS            (1u << 6)

#define TYPER_CPU_NUMBER_SHIFT 5
#define TYPER_NUM_LPIS_SHIFT   11
#define TYPER_LPIS             (1u << 17)
#define TYPER_IDBITS_SHIFT     19
#define TYPER_A3V              (1u << 24)
#define TYPER_NO1N             (1u << 25)

#define SPI_ID_BITS    10u
#define LPI_ID_BITS    14u
#define LPI_COUNT_LOG2 10u

#define SGIR_FILTER_SHIFT 24
#define SGIR_LIST_SHIFT   16
#define SGIR_INTID        0xfu

#define IROUTER_WRITABLE UINT64_C(0xff00ffffff)

_Static_assert(1u << LPI_COUNT_LOG2 == GIC_LPI_COUNT, "GICD_TYPER.num_LPIs");
_Static_assert(1u << LPI_ID_BITS >= GIC_LPI_BASE + GIC_LPI_COUNT, "GICD_TYPER.IDbits");

// How the two versions differ, besides their sizes.
struct gic_distributor_layout {
    uint32_t first_irq; // that has registers here
    bool has_sgi_sources;
    uint32_t ctlr_fixed; // bits of GICD_CTLR that are always set
    uint32_t id_offset;  // of the identification registers
    uint8_t arch_revision;
    // The other registers: an aligned access of any width.
    uint64_t (*read)(const struct gic_distributor *gic, uint64_t offset, unsigned width_bytes);
    void (*write)(struct gic_distributor *gic, uint64_t offset, unsigned width_bytes,
                  uint64_t value);
    void (*reset_targets)(struct gic_distributor *gic);
};

static void set_target(const struct gic_distributor *gic, uint32_t spi_index, uint32_t vcpu_id)
{
    gic_state_write(gic->bank.machine, 0, GIC_TARGET, GIC_SPI_BASE + spi_index, vcpu_id,
                    UINT32_MAX);
}

// --- GICv2 --------------------------------------------------------------------------------------

// What lies at `offset` in GICD_ITARGETSR: of SGIs and PPIs the vCPU that reads.
static uint8_t read_cpu_targets(const struct gic_distributor *gic, uint32_t irq)
{
    if (irq < GIC_PRIVATE_COUNT)
        return (uint8_t)(1u << gic->bank.vcpu_id);
    irq -= GIC_SPI_BASE;
    return irq < gic->bank.machine->spi_count ? gic->cpu_targets[irq] : 0;
}

static void write_cpu_targets(struct gic_distributor *gic, uint32_t irq, uint8_t targets)
{
    const uint32_t spi_index = irq - GIC_SPI_BASE; // wraps for SGIs and PPIs

    if (spi_index >= gic->bank.machine->spi_count)
        return;
    targets &= (uint8_t)((1u << gic->bank.machine->vcpu_count) - 1);
    if (targets == gic->cpu_targets[spi_index])
        return;
    gic->cpu_targets[spi_index] = targets;
    set_target(gic, spi_index, targets ? (uint32_t)__builtin_ctz(targets) : GIC_TARGET_NONE);
}

static uint64_t read_all_cpu_targets(const struct gic_distributor *gic, uint32_t irq,
                                     unsigned width_bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < width_bytes; i++)
        value |= (uint64_t)read_cpu_targets(gic, irq + i) << (8 * i);
    return value;
}

// The vCPUs that TargetListFilter and CPUTargetList of GICD_SGIR name.
static uint32_t sgi_targets(const struct gic_distributor *gic, uint32_t sgir)
{
    const uint32_t all = (1u << gic->bank.machine->vcpu_count) - 1, self = 1u << gic->bank.vcpu_id;

    switch (sgir >> SGIR_FILTER_SHIFT & 3) {
    case 0:
        return sgir >> SGIR_LIST_SHIFT & all;
    case 1:
        return all & ~self;
    case 2:
        return self;
    default: // reserved
        return 0;
    }
}

static void write_sgir(const struct gic_distributor *gic, uint32_t sgir)
{
    const uint32_t sgi = sgir & SGIR_INTID;
    const uint32_t source = 1u << gic->bank.vcpu_id << (8 * (sgi & 3));

    for (uint32_t targets = sgi_targets(gic, sgir); targets != 0; targets &= targets - 1)
        gic_state_write(gic->bank.machine, (uint32_t)__builtin_ctz(targets), GIC_SGI_SOURCES,
                        sgi & ~3u, source, source);
}

// GICD_CPENDSGIR and GICD_SPENDSGIR read the same.
static bool is_pendsgir(uint64_t offset)
{
    return offset - GICD_CPENDSGIR < 2 * GICD_PENDSGIR_BYTES;
}

static uint64_t read_v2(const struct gic_distributor *gic, uint64_t offset, unsigned width_bytes)
{
    const uint32_t sgi = offset % GICD_PENDSGIR_BYTES;

    if (width_bytes != 1 && width_bytes != 4)
        return 0;
    if (offset - GICD_ITARGETSR < GICD_ITARGETS_BYTES)
        return read_all_cpu_targets(gic, (uint32_t)(offset - GICD_ITARGETSR), width_bytes);
    if (!is_pendsgir(offset))
        return 0;
    return (gic_state_read(gic->bank.machine, gic->bank.vcpu_id, GIC_SGI_SOURCES, sgi & ~3u) &
            gic_lane_mask(sgi, width_bytes)) >>
           (8 * (sgi & 3));
}

static void write_pendsgir(const struct gic_distributor *gic, uint64_t offset, unsigned width_bytes,
                           uint32_t value)
{
    const uint32_t sgi = offset % GICD_PENDSGIR_BYTES;
    const uint32_t ones = value << (8 * (sgi & 3)) & gic_lane_mask(sgi, width_bytes);

    gic_state_write(gic->bank.machine, gic->bank.vcpu_id, GIC_SGI_SOURCES, sgi & ~3u,
                    offset >= GICD_SPENDSGIR ? ones : 0, ones);
}

static void write_v2(struct gic_distributor *gic, uint64_t offset, unsigned width_bytes,
                     uint64_t value)
{
    if (width_bytes != 1 && width_bytes != 4)
        return;
    if (offset == GICD_SGIR && width_bytes == 4)
        write_sgir(gic, (uint32_t)value);
    else if (is_pendsgir(offset))
        write_pendsgir(gic, offset, width_bytes, (uint32_t)value);
    else if (offset - GICD_ITARGETSR < GICD_ITARGETS_BYTES) {
        for (unsigned i = 0; i < width_bytes; i++)
            write_cpu_targets(gic, (uint32_t)(offset - GICD_ITARGETSR) + i,
                              (uint8_t)(value >> (8 * i)));
    }
}

static void clear_cpu_targets(struct gic_distributor *gic)
{
    memset(gic->cpu_targets, 1, sizeof(gic->cpu_targets));
}

// --- GICv3 --------------------------------------------------------------------------------------

static uint32_t find_vcpu(const struct gic_machine *machine, uint32_t affinity)
{
    for (uint32_t i = 0; i < machine->vcpu_count; i++) {
        if (machine->affinities[i] == affinity)
            return i;
    }
    return GIC_TARGET_NONE;
}

// GICD_IROUTER keeps Aff3 apart from the others.
static uint64_t irouter_of(uint32_t affinity)
{
    return (uint64_t)(affinity >> 24) << 32 | (affinity & 0xffffff);
}

static uint32_t affinity_of(uint64_t irouter)
{
    return (uint32_t)(irouter >> 32) << 24 | (uint32_t)(irouter & 0xffffff);
}

// The SPI whose GICD_IROUTER an access lies in; false: it lies in none.
static bool find_route(const struct gic_distributor *gic, uint64_t offset, unsigned width_bytes,
                       uint32_t *spi_index)
{
    *spi_index = (uint32_t)((offset - GICD_IROUTER) / 8 - GIC_SPI_BASE);
    return width_bytes >= 4 && offset >= GICD_IROUTER + 8 * GIC_SPI_BASE &&
           (offset - GICD_IROUTER) / 8 - GIC_SPI_BASE < gic->bank.machine->spi_count;
}

static uint64_t read_v3(const struct gic_distributor *gic, uint64_t offset, unsigned width_bytes)
{
    uint32_t spi_index;

    if (!find_route(gic, offset, width_bytes, &spi_index))
        return 0;
    return gic_part_read(irouter_of(gic->routes[spi_index]), offset, width_bytes);
}

static void write_v3(struct gic_distributor *gic, uint64_t offset, unsigned width_bytes,
                     uint64_t value)
{
    uint32_t spi_index, affinity;

    if (!find_route(gic, offset, width_bytes, &spi_index))
        return;
    value = gic_part_written(irouter_of(gic->routes[spi_index]), offset, width_bytes, value);
    affinity = affinity_of(value & IROUTER_WRITABLE);
    if (affinity == gic->routes[spi_index])
        return;
    gic->routes[spi_index] = affinity;
    set_target(gic, spi_index, find_vcpu(gic->bank.machine, affinity));
}

static void clear_routes(struct gic_distributor *gic)
{
    for (uint32_t i = 0; i < gic->bank.machine->spi_count; i++)
        gic->routes[i] = gic->bank.machine->affinities[0];
}

// --- both ---------------------------------------------------------------------------------------

static const struct gic_distributor_layout layout_v2 = {
    .first_irq = 0,
    .has_sgi_sources = true,
    .ctlr_fixed = 0,
    .id_offset = GIC_V2_DISTRIBUTOR_SIZE_BYTES - GIC_ID_BYTES,
    .arch_revision = 2,
    .read = read_v2,
    .write = write_v2,
    .reset_targets = clear_cpu_targets,
};

static const struct gic_distributor_layout layout_v3 = {
    .first_irq = GIC_SPI_BASE,
    .has_sgi_sources = false,
    .ctlr_fixed = CTLR_ARE | CTLR_DS,
    .id_offset = GIC_V3_DISTRIBUTOR_SIZE_BYTES - GIC_ID_BYTES,
    .arch_revision = 3,
    .read = read_v3,
    .write = write_v3,
    .reset_targets = clear_routes,
};

static uint32_t read_ctlr(const struct gic_distributor *gic)
{
    return gic->layout->ctlr_fixed |
           (gic_state_read(gic->bank.machine, 0, GIC_CONTROL, 0) & CTLR_ENABLE_GROUPS);
}

static uint64_t gic_distributor_read(void *device, uint64_t offset, unsigned width_bytes)
{
    const struct gic_distributor *gic = device;
    const struct gic_block *block = gic_find_block(offset);

    if (block)
        return gic_bank_read(&gic->bank, block, offset, width_bytes);
    if (offset & (width_bytes - 1))
        return 0;
    if (offset == GICD_CTLR && width_bytes == 4)
        return read_ctlr(gic);
    if (offset == GICD_TYPER && width_bytes == 4)
        return gic->typer;
    if (offset >= gic->layout->id_offset)
        return gic_id_read(offset - gic->layout->id_offset, width_bytes,
                           gic->layout->arch_revision);
    return gic->layout->read(gic, offset, width_bytes);
}

static void gic_distributor_write(void *device, uint64_t offset, unsigned width_bytes,
                                  uint64_t value)
{
    struct gic_distributor *gic = device;
    const struct gic_block *block = gic_find_block(offset);

    if (block) {
        gic_bank_write(&gic->bank, block, offset, width_bytes, value);
        return;
    }
    if (offset & (width_bytes - 1))
        return;
    if (offset == GICD_CTLR && width_bytes == 4)
        gic_state_write(gic->bank.machine, 0, GIC_CONTROL, 0, (uint32_t)value & CTLR_ENABLE_GROUPS,
                        CTLR_ENABLE_GROUPS);
    else
        gic->layout->write(gic, offset, width_bytes, value);
}

static void reset_private(const struct gic_distributor *gic, uint32_t vcpu_id)
{
    const struct gic_bank bank = {
        .machine = gic->bank.machine, .vcpu_id = vcpu_id, .first = 0, .count = GIC_PRIVATE_COUNT};

    gic_bank_reset(&bank);
    for (uint32_t sgi = 0; sgi < GIC_SGI_COUNT; sgi += 4)
        gic_state_write(gic->bank.machine, vcpu_id, GIC_SGI_SOURCES, sgi, 0, UINT32_MAX);
}

static void gic_distributor_reset(void *device)
{
    struct gic_distributor *gic = device;
    const struct gic_bank spis = {
        .machine = gic->bank.machine, .first = GIC_SPI_BASE, .count = gic->bank.machine->spi_count};

    gic_state_write(gic->bank.machine, 0, GIC_CONTROL, 0, 0, CTLR_ENABLE_GROUPS);
    gic_bank_reset(&spis);
    gic->layout->reset_targets(gic);
    for (uint32_t i = 0; i < gic->bank.machine->spi_count; i++)
        set_target(gic, i, 0);
    for (uint32_t i = 0; gic->layout->first_irq == 0 && i < gic->bank.machine->vcpu_count; i++)
        reset_private(gic, i);
}

const struct device_ops gic_distributor_ops = {
    .read = gic_distributor_read,
    .write = gic_distributor_write,
    .reset = gic_distributor_reset,
};

static void init(struct gic_distributor *gic, const struct gic_machine *machine,
                 const struct gic_distributor_layout *layout, uint32_t typer)
{
    memset(gic, 0, sizeof(*gic));
    gic->bank = (struct gic_bank){.machine = machine,
                                  .first = layout->first_irq,
                                  .count = GIC_SPI_BASE + machine->spi_count - layout->first_irq,
                                  .has_sgi_sources = layout->has_sgi_sources};
    gic->layout = layout;
    gic->typer = typer | machine->spi_count / 32; // ITLinesNumber
    layout->reset_targets(gic);
}

void gic_distributor_init_v2(struct gic_distributor *gic, const struct gic_machine *machine)
{
    init(gic, machine, &layout_v2, (machine->vcpu_count - 1) << TYPER_CPU_NUMBER_SHIFT);
}

void gic_distributor_init_v3(struct gic_distributor *gic, const struct gic_machine *machine,
                             bool has_lpis)
{
    const uint32_t lpis = TYPER_LPIS | (LPI_COUNT_LOG2 - 1) << TYPER_NUM_LPIS_SHIFT |
                          (LPI_ID_BITS - 1) << TYPER_IDBITS_SHIFT;
    const uint32_t no_lpis = (SPI_ID_BITS - 1) << TYPER_IDBITS_SHIFT;

    init(gic, machine, &layout_v3, TYPER_A3V | TYPER_NO1N | (has_lpis ? lpis : no_lpis));
}
