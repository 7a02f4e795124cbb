// Random accesses by random vCPUs to the distributor of both versions; the kernel is asked for
// nothing that does not exist, and targets read back what interrupts are told.
#include "tests/unit/gic_fixture.h"
#include "vmm/arm64/gic_distributor.h"

#include <stddef.h>

struct step {
    uint8_t kind, accessor;
    uint16_t offset;
    uint64_t value;
};

static struct fake_gic fake;
static struct gic_distributor gic;

static void check_targets_v2(void)
{
    for (uint32_t i = 0; i < fake.machine.spi_count; i++) {
        const uint64_t targets = gic_distributor_ops.read(&gic, 0x820 + i, 1);
        const uint32_t first = targets ? (uint32_t)__builtin_ctzll(targets) : GIC_TARGET_NONE;
        if (targets >> fake.machine.vcpu_count || fake.spis[i].target != first)
            __builtin_trap();
    }
}

static void check_targets_v3(void)
{
    for (uint32_t i = 0; i < fake.machine.spi_count; i++) {
        const uint64_t route = gic_distributor_ops.read(&gic, 0x6100 + 8 * i, 8);
        const uint32_t target = fake.spis[i].target;
        if (target != GIC_TARGET_NONE && fake.machine.affinities[target] != route)
            __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const bool is_v2 = size % 2;
    struct step step;

    fake_gic_start(&fake, is_v2 ? 1 + size % 8 : 1 + size % 64, 32 + size / 2 % 4 * 32);
    if (is_v2)
        gic_distributor_init_v2(&gic, &fake.machine);
    else
        gic_distributor_init_v3(&gic, &fake.machine, size % 4 == 0);
    for (; size >= sizeof(step); data += sizeof(step), size -= sizeof(step)) {
        memcpy(&step, data, sizeof(step));
        const unsigned width = 1u << (step.kind >> 6);
        const uint64_t frame =
            is_v2 ? GIC_V2_DISTRIBUTOR_SIZE_BYTES : GIC_V3_DISTRIBUTOR_SIZE_BYTES;
        gic_distributor_set_accessor(&gic, is_v2 ? step.accessor % fake.machine.vcpu_count : 0);
        if (step.kind & 1)
            gic_distributor_ops.write(&gic, step.offset % frame, width, step.value);
        else if (width < 8 &&
                 gic_distributor_ops.read(&gic, step.offset % frame, width) >> (8 * width))
            __builtin_trap();
        if ((step.kind & 0x3e) == 0x3e && step.accessor == 0x77)
            gic_distributor_ops.reset(&gic);
    }
    if (fake.was_asked_nonsense)
        __builtin_trap();
    is_v2 ? check_targets_v2() : check_targets_v3();
    return 0;
}
