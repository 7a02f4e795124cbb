// What tests and fuzz targets of the GIC's register models stand in for the kernel with: a fake of
// a guest's interrupt state, which counts what it is asked for and refuses what a kernel would.
#pragma once

#include "vmm/arm64/gic_state.h"

#include <string.h>

#define FAKE_IRQS (GIC_SPI_BASE + GIC_SPIS_MAX)

struct fake_irq {
    bool is_group1, is_enabled, is_pending, is_active, is_edge, line;
    uint8_t priority;
    uint8_t sources;
    uint32_t target;
};

struct fake_lpi {
    bool is_enabled, is_pending;
    uint8_t priority;
    uint32_t vcpu_id;
};

struct fake_gic {
    struct gic_machine machine;
    uint32_t control;
    struct fake_irq banks[GIC_VCPUS_MAX][GIC_PRIVATE_COUNT];
    struct fake_irq spis[GIC_SPIS_MAX];
    struct fake_lpi lpis[GIC_LPI_COUNT];
    unsigned read_count, write_count, set_lpi_count;
    bool was_asked_nonsense;
};

static inline struct fake_irq *fake_gic_irq(struct fake_gic *fake, uint32_t vcpu_id, uint32_t intid)
{
    return intid < GIC_SPI_BASE ? &fake->banks[vcpu_id][intid] : &fake->spis[intid - GIC_SPI_BASE];
}

static inline bool *fake_gic_bit(struct fake_gic *fake, uint32_t vcpu_id, enum gic_field field,
                                 uint32_t intid)
{
    if (intid >= GIC_LPI_BASE)
        return &fake->lpis[intid - GIC_LPI_BASE].is_pending;
    struct fake_irq *irq = fake_gic_irq(fake, vcpu_id, intid);
    return field == GIC_GROUP     ? &irq->is_group1
           : field == GIC_ENABLE  ? &irq->is_enabled
           : field == GIC_PENDING ? &irq->is_pending
           : field == GIC_ACTIVE  ? &irq->is_active
                                  : &irq->is_edge;
}

// How many interrupts a word of the field has.
static inline uint32_t fake_gic_word_irqs(enum gic_field field)
{
    if (field == GIC_TARGET || field == GIC_CONTROL)
        return 1;
    return field == GIC_PRIORITY || field == GIC_SGI_SOURCES ? 4 : 32;
}

static inline bool fake_gic_is_sane(const struct fake_gic *fake, uint32_t vcpu_id,
                                    enum gic_field field, uint32_t first)
{
    const uint32_t end = GIC_SPI_BASE + fake->machine.spi_count;

    if (vcpu_id >= fake->machine.vcpu_count || first % fake_gic_word_irqs(field) != 0)
        return false;
    if (field == GIC_CONTROL)
        return first == 0;
    if (field == GIC_SGI_SOURCES)
        return first < GIC_SGI_COUNT;
    if (field == GIC_TARGET)
        return first >= GIC_SPI_BASE && first < end;
    if (field == GIC_PENDING && first - GIC_LPI_BASE < GIC_LPI_COUNT)
        return true;
    return first < end;
}

static inline uint32_t fake_gic_read(void *context, uint32_t vcpu_id, enum gic_field field,
                                     uint32_t first)
{
    struct fake_gic *fake = context;
    uint32_t value = 0;

    fake->read_count++;
    if (!fake_gic_is_sane(fake, vcpu_id, field, first)) {
        fake->was_asked_nonsense = true;
        return 0;
    }
    if (field == GIC_CONTROL)
        return fake->control;
    if (field == GIC_TARGET)
        return fake->spis[first - GIC_SPI_BASE].target;
    for (uint32_t i = 0; i < fake_gic_word_irqs(field); i++) {
        if (field == GIC_PRIORITY)
            value |= (uint32_t)fake_gic_irq(fake, vcpu_id, first + i)->priority << (8 * i);
        else if (field == GIC_SGI_SOURCES)
            value |= (uint32_t)fake_gic_irq(fake, vcpu_id, first + i)->sources << (8 * i);
        else
            value |= (uint32_t)(*fake_gic_bit(fake, vcpu_id, field, first + i) ||
                                (field == GIC_PENDING && first < GIC_LPI_BASE &&
                                 fake_gic_irq(fake, vcpu_id, first + i)->line))
                     << i;
    }
    return value;
}

static inline void fake_gic_write(void *context, uint32_t vcpu_id, enum gic_field field,
                                  uint32_t first, uint32_t value, uint32_t mask)
{
    struct fake_gic *fake = context;

    fake->write_count++;
    if (!fake_gic_is_sane(fake, vcpu_id, field, first) || (value & ~mask)) {
        fake->was_asked_nonsense = true;
        return;
    }
    if (field == GIC_CONTROL)
        fake->control = (fake->control & ~mask) | value;
    if (field == GIC_TARGET) {
        fake->spis[first - GIC_SPI_BASE].target = value;
        if (value >= fake->machine.vcpu_count && value != GIC_TARGET_NONE)
            fake->was_asked_nonsense = true;
    }
    for (uint32_t i = 0; i < fake_gic_word_irqs(field); i++) {
        const uint8_t byte_mask = (uint8_t)(mask >> (8 * (i & 3)));
        const uint8_t byte = (uint8_t)(value >> (8 * (i & 3)));
        if (field == GIC_PRIORITY) {
            uint8_t *priority = &fake_gic_irq(fake, vcpu_id, first + i)->priority;
            *priority = (uint8_t)((*priority & ~byte_mask) | byte);
        } else if (field == GIC_SGI_SOURCES) {
            uint8_t *sources = &fake_gic_irq(fake, vcpu_id, first + i)->sources;
            *sources = (uint8_t)((*sources & ~byte_mask) | byte);
        } else if (field != GIC_CONTROL && field != GIC_TARGET && (mask & 1u << i)) {
            *fake_gic_bit(fake, vcpu_id, field, first + i) = value >> i & 1;
        }
    }
}

static inline void fake_gic_set_lpi(void *context, uint32_t intid, uint32_t vcpu_id,
                                    uint8_t priority, bool is_enabled)
{
    struct fake_gic *fake = context;

    fake->set_lpi_count++;
    if (intid - GIC_LPI_BASE >= GIC_LPI_COUNT || vcpu_id >= fake->machine.vcpu_count) {
        fake->was_asked_nonsense = true;
        return;
    }
    struct fake_lpi *lpi = &fake->lpis[intid - GIC_LPI_BASE];
    lpi->vcpu_id = vcpu_id;
    lpi->priority = priority;
    lpi->is_enabled = is_enabled;
}

static const struct gic_state_ops fake_gic_ops = {
    .read = fake_gic_read, .write = fake_gic_write, .set_lpi = fake_gic_set_lpi};

// The state after power-on; vCPUs in clusters of 16, as Linux finds them under KVM.
static inline void fake_gic_start(struct fake_gic *fake, uint32_t vcpu_count, uint32_t spi_count)
{
    memset(fake, 0, sizeof(*fake));
    fake->machine = (struct gic_machine){
        .ops = &fake_gic_ops, .context = fake, .vcpu_count = vcpu_count, .spi_count = spi_count};
    for (uint32_t i = 0; i < vcpu_count; i++) {
        fake->machine.affinities[i] = i / 16 << 8 | i % 16;
        for (uint32_t sgi = 0; sgi < GIC_SGI_COUNT; sgi++)
            fake->banks[i][sgi].is_edge = true;
    }
}
