#include "vmm/arm64/gicv2m.h"

#include "vmm/arm64/gic_id.h"

#define MSI_TYPER 0x008
#define MSI_ID    (GICV2M_SIZE_BYTES - GIC_ID_BYTES)

#define TYPER_BASE_SHIFT 16

static uint64_t gicv2m_read(void *device, uint64_t offset, unsigned width_bytes)
{
    const struct gicv2m *frame = device;

    if (width_bytes != 4 || offset % 4 != 0)
        return 0;
    if (offset == MSI_TYPER)
        return frame->first_spi << TYPER_BASE_SHIFT | frame->spi_count;
    return offset >= MSI_ID ? gic_id_read(offset - MSI_ID, width_bytes, 0) : 0;
}

static void gicv2m_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    const struct gicv2m *frame = device;
    uint32_t intid, bit;

    if ((width_bytes != 2 && width_bytes != 4) ||
        !gicv2m_translate(frame, offset, (uint32_t)value, &intid))
        return;
    bit = 1u << (intid & 31);
    gic_state_write(frame->machine, 0, GIC_PENDING, intid & ~31u, bit, bit);
}

static void gicv2m_reset(void *device)
{
    (void)device; // nothing is kept here
}

const struct device_ops gicv2m_ops = {
    .read = gicv2m_read,
    .write = gicv2m_write,
    .reset = gicv2m_reset,
};

void gicv2m_init(struct gicv2m *frame, const struct gic_machine *machine, uint32_t first_spi,
                 uint32_t spi_count)
{
    *frame = (struct gicv2m){.machine = machine, .first_spi = first_spi, .spi_count = spi_count};
}

bool gicv2m_translate(const struct gicv2m *frame, uint64_t offset, uint32_t data, uint32_t *intid)
{
    if (offset != GICV2M_SETSPI_NS || data - frame->first_spi >= frame->spi_count)
        return false;
    *intid = data;
    return true;
}
