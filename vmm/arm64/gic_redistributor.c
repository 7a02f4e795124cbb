#include "vmm/arm64/gic_redistributor.h"

#include "vmm/arm64/gic_id.h"

#include <string.h>

#define FRAME_BYTES 0x10000u

#define GICR_CTLR      0x00
#define GICR_TYPER     0x08
#define GICR_WAKER     0x14
#define GICR_PROPBASER 0x70
#define GICR_PENDBASER 0x78
#define GICR_INVLPIR   0xa0
#define GICR_INVALLR   0xb0
#define GICR_ID        (FRAME_BYTES - GIC_ID_BYTES)

#define CTLR_ENABLE_LPIS (1u << 0)
#define CTLR_CES         (1u << 1)
#define CTLR_IR          (1u << 2)

#define TYPER_PLPIS           UINT64_C(0x1)
#define TYPER_LAST            UINT64_C(0x10)
#define TYPER_PROCESSOR_SHIFT 8
#define TYPER_AFFINITY_SHIFT  32

#define WAKER_PROCESSOR_SLEEP (1u << 1)
#define WAKER_CHILDREN_ASLEEP (1u << 2)

#define PROPBASER_WRITABLE UINT64_C(0x070fffffffffff9f)
#define PENDBASER_WRITABLE UINT64_C(0x070fffffffff0f80) // PTZ reads as zero

#define REVISION 3

static uint64_t read_typer(const struct gic_redistributors *gic, uint32_t vcpu_id)
{
    return (uint64_t)gic->bank.machine->affinities[vcpu_id] << TYPER_AFFINITY_SHIFT |
           (uint64_t)vcpu_id << TYPER_PROCESSOR_SHIFT | (gic->lpis ? TYPER_PLPIS : 0) |
           (vcpu_id + 1 == gic->bank.machine->vcpu_count ? TYPER_LAST : 0);
}

// The registers that come with LPIs.
static uint64_t read_lpi_register(const struct gic_lpi_redistributor *lpis, uint64_t offset,
                                  unsigned width_bytes)
{
    if (offset == GICR_CTLR && width_bytes == 4)
        return CTLR_CES | CTLR_IR | (lpis->is_enabled ? CTLR_ENABLE_LPIS : 0);
    if ((offset & ~7ULL) == GICR_PROPBASER)
        return gic_part_read(lpis->propbaser, offset, width_bytes);
    if ((offset & ~7ULL) == GICR_PENDBASER)
        return gic_part_read(lpis->pendbaser, offset, width_bytes);
    return 0; // GICR_SYNCR, too: what was invalidated is
}

static uint64_t read_rd_frame(const struct gic_redistributors *gic, uint32_t vcpu_id,
                              uint64_t offset, unsigned width_bytes)
{
    if (width_bytes < 4)
        return 0;
    if ((offset & ~7ULL) == GICR_TYPER)
        return gic_part_read(read_typer(gic, vcpu_id), offset, width_bytes);
    if (offset == GICR_WAKER && width_bytes == 4)
        return gic->is_asleep[vcpu_id] ? WAKER_PROCESSOR_SLEEP | WAKER_CHILDREN_ASLEEP : 0;
    if (offset >= GICR_ID)
        return gic_id_read(offset - GICR_ID, width_bytes, REVISION);
    return gic->lpis ? read_lpi_register(&gic->lpis->redistributors[vcpu_id], offset, width_bytes)
                     : 0;
}

// After each change of what a read gives.
static void update_shown(const struct gic_redistributors *gic, uint32_t vcpu_id)
{
    static const uint16_t offsets[] = {GICR_CTLR,      GICR_TYPER,        GICR_TYPER + 4,
                                       GICR_WAKER,     GICR_PROPBASER,    GICR_PROPBASER + 4,
                                       GICR_PENDBASER, GICR_PENDBASER + 4};

    for (size_t i = 0; gic->shown[vcpu_id] && i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        const uint32_t value = (uint32_t)read_rd_frame(gic, vcpu_id, offsets[i], sizeof(value));
        memcpy(gic->shown[vcpu_id] + offsets[i], &value, sizeof(value));
    }
}

static void enable_lpis(struct gic_lpis *lpis, uint32_t vcpu_id, bool is_enabled)
{
    struct gic_lpi_redistributor *redistributor = &lpis->redistributors[vcpu_id];

    if (redistributor->is_enabled == is_enabled)
        return;
    redistributor->is_enabled = is_enabled;
    gic_lpis_invalidate_vcpu(lpis, vcpu_id);
}

// The tables do not move while LPIs are enabled.
static void write_base(const struct gic_lpi_redistributor *lpis, uint64_t *base, uint64_t writable,
                       uint64_t offset, unsigned width_bytes, uint64_t value)
{
    if (!lpis->is_enabled)
        *base = gic_part_written(*base, offset, width_bytes, value) & writable;
}

static void invalidate_lpi(struct gic_lpis *lpis, uint32_t vcpu_id, uint32_t intid)
{
    if (gic_lpi_exists(intid) && lpis->lpis[intid - GIC_LPI_BASE].vcpu_id == vcpu_id)
        gic_lpis_invalidate(lpis, intid);
}

// GICR_INVLPIR and GICR_INVALLR act on the write of their lower half.
static void write_lpi_register(struct gic_lpis *lpis, uint32_t vcpu_id, uint64_t offset,
                               unsigned width_bytes, uint64_t value)
{
    struct gic_lpi_redistributor *redistributor = &lpis->redistributors[vcpu_id];

    if (offset == GICR_CTLR && width_bytes == 4)
        enable_lpis(lpis, vcpu_id, value & CTLR_ENABLE_LPIS);
    else if ((offset & ~7ULL) == GICR_PROPBASER)
        write_base(redistributor, &redistributor->propbaser, PROPBASER_WRITABLE, offset,
                   width_bytes, value);
    else if ((offset & ~7ULL) == GICR_PENDBASER)
        write_base(redistributor, &redistributor->pendbaser, PENDBASER_WRITABLE, offset,
                   width_bytes, value);
    else if (offset == GICR_INVLPIR)
        invalidate_lpi(lpis, vcpu_id, (uint32_t)value);
    else if (offset == GICR_INVALLR)
        gic_lpis_invalidate_vcpu(lpis, vcpu_id);
}

static void write_rd_frame(struct gic_redistributors *gic, uint32_t vcpu_id, uint64_t offset,
                           unsigned width_bytes, uint64_t value)
{
    if (width_bytes < 4)
        return;
    if (offset == GICR_WAKER && width_bytes == 4)
        gic->is_asleep[vcpu_id] = value & WAKER_PROCESSOR_SLEEP;
    else if (gic->lpis)
        write_lpi_register(gic->lpis, vcpu_id, offset, width_bytes, value);
    update_shown(gic, vcpu_id);
}

// The SGI frame of the vCPU that the bank is set to.
static uint64_t read_sgi_frame(const struct gic_redistributors *gic, uint64_t offset,
                               unsigned width_bytes)
{
    const struct gic_block *block = gic_find_block(offset);

    return block ? gic_bank_read(&gic->bank, block, offset, width_bytes) : 0;
}

static void write_sgi_frame(const struct gic_redistributors *gic, uint64_t offset,
                            unsigned width_bytes, uint64_t value)
{
    const struct gic_block *block = gic_find_block(offset);

    if (block)
        gic_bank_write(&gic->bank, block, offset, width_bytes, value);
}

// Sets the bank to the vCPU whose frames an access lies in. False: no such vCPU, or not aligned.
static bool select_vcpu(struct gic_redistributors *gic, uint64_t offset, unsigned width_bytes)
{
    const uint64_t index = offset / GIC_REDISTRIBUTOR_STRIDE_BYTES;

    gic->bank.vcpu_id = (uint32_t)index;
    return index < gic->bank.machine->vcpu_count && (offset & (width_bytes - 1)) == 0;
}

static uint64_t gic_redistributors_read(void *device, uint64_t offset, unsigned width_bytes)
{
    struct gic_redistributors *gic = device;

    if (!select_vcpu(gic, offset, width_bytes))
        return 0;
    if (offset & FRAME_BYTES)
        return read_sgi_frame(gic, offset % FRAME_BYTES, width_bytes);
    return read_rd_frame(gic, gic->bank.vcpu_id, offset % FRAME_BYTES, width_bytes);
}

static void gic_redistributors_write(void *device, uint64_t offset, unsigned width_bytes,
                                     uint64_t value)
{
    struct gic_redistributors *gic = device;

    if (!select_vcpu(gic, offset, width_bytes))
        return;
    if (offset & FRAME_BYTES)
        write_sgi_frame(gic, offset % FRAME_BYTES, width_bytes, value);
    else
        write_rd_frame(gic, gic->bank.vcpu_id, offset % FRAME_BYTES, width_bytes, value);
}

static void gic_redistributors_reset(void *device)
{
    struct gic_redistributors *gic = device;

    for (uint32_t i = 0; i < gic->bank.machine->vcpu_count; i++) {
        gic->bank.vcpu_id = i;
        gic_bank_reset(&gic->bank);
        gic->is_asleep[i] = true;
        if (gic->lpis) {
            enable_lpis(gic->lpis, i, false);
            gic->lpis->redistributors[i] = (struct gic_lpi_redistributor){0};
        }
        update_shown(gic, i);
    }
}

const struct device_ops gic_redistributors_ops = {
    .read = gic_redistributors_read,
    .write = gic_redistributors_write,
    .reset = gic_redistributors_reset,
};

void gic_redistributors_init(struct gic_redistributors *gic, const struct gic_machine *machine,
                             struct gic_lpis *lpis)
{
    memset(gic, 0, sizeof(*gic));
    gic->bank = (struct gic_bank){.machine = machine, .count = GIC_PRIVATE_COUNT};
    gic->lpis = lpis;
    memset(gic->is_asleep, true, sizeof(gic->is_asleep));
}

void gic_redistributors_show(struct gic_redistributors *gic, uint32_t vcpu_id, uint8_t *page)
{
    gic->shown[vcpu_id] = page;
    update_shown(gic, vcpu_id);
}
