#include "vmm/arm64/gic_lpi.h"

#include "vmm/arm64/gic_bank.h"

#include <string.h>

#define PROPBASER_IDBITS  UINT64_C(0x1f)
#define PROPBASER_ADDRESS UINT64_C(0x000ffffffffff000)

// An entry of the configuration table.
#define CONFIG_ENABLE   0x01u
#define CONFIG_PRIORITY (0xfcu & GIC_PRIORITY_MASK)

void gic_lpis_init(struct gic_lpis *lpis, const struct gic_machine *machine,
                   const struct guest_memory *memory)
{
    memset(lpis, 0, sizeof(*lpis));
    lpis->machine = machine;
    lpis->memory = memory;
}

// What is outside the table, or has a table outside of RAM, is disabled.
static uint8_t read_config(const struct gic_lpis *lpis, uint32_t vcpu_id, uint32_t intid)
{
    const struct gic_lpi_redistributor *target = &lpis->redistributors[vcpu_id];
    const uint64_t intid_count = UINT64_C(2) << (target->propbaser & PROPBASER_IDBITS);
    uint8_t config;

    if (!target->is_enabled || intid >= intid_count ||
        guest_memory_read(lpis->memory,
                          (target->propbaser & PROPBASER_ADDRESS) + (intid - GIC_LPI_BASE), &config,
                          sizeof(config)) != MX_OK)
        return 0;
    return config;
}

static void tell(struct gic_lpis *lpis, uint32_t intid, const struct gic_lpi *now)
{
    struct gic_lpi *lpi = &lpis->lpis[intid - GIC_LPI_BASE];

    if (memcmp(lpi, now, sizeof(*lpi)) == 0)
        return;
    *lpi = *now;
    lpis->machine->ops->set_lpi(lpis->machine->context, intid, lpi->vcpu_id, lpi->priority,
                                lpi->is_enabled);
}

void gic_lpis_route(struct gic_lpis *lpis, uint32_t intid, uint32_t vcpu_id)
{
    const uint8_t config = read_config(lpis, vcpu_id, intid);

    tell(lpis, intid,
         &(struct gic_lpi){.vcpu_id = (uint8_t)vcpu_id,
                           .priority = config & CONFIG_PRIORITY,
                           .is_routed = true,
                           .is_enabled = config & CONFIG_ENABLE});
}

void gic_lpis_drop(struct gic_lpis *lpis, uint32_t intid)
{
    struct gic_lpi now = lpis->lpis[intid - GIC_LPI_BASE];

    if (!now.is_routed)
        return;
    now.is_routed = now.is_enabled = false;
    tell(lpis, intid, &now);
    gic_lpis_set_pending(lpis, intid, false);
}

void gic_lpis_set_pending(const struct gic_lpis *lpis, uint32_t intid, bool is_pending)
{
    const uint32_t bit = 1u << (intid & 31);

    gic_state_write(lpis->machine, 0, GIC_PENDING, intid & ~31u, is_pending ? bit : 0, bit);
}

void gic_lpis_invalidate(struct gic_lpis *lpis, uint32_t intid)
{
    const struct gic_lpi *lpi = &lpis->lpis[intid - GIC_LPI_BASE];

    if (lpi->is_routed)
        gic_lpis_route(lpis, intid, lpi->vcpu_id);
}

void gic_lpis_invalidate_vcpu(struct gic_lpis *lpis, uint32_t vcpu_id)
{
    for (uint32_t i = 0; i < GIC_LPI_COUNT; i++) {
        if (lpis->lpis[i].is_routed && lpis->lpis[i].vcpu_id == vcpu_id)
            gic_lpis_route(lpis, GIC_LPI_BASE + i, vcpu_id);
    }
}
