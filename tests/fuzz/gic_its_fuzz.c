// Random accesses to ITS and redistributors, and random commands; the kernel is asked for nothing
// that does not exist, and what translates has a route.
#include "tests/unit/gic_fixture.h"
#include "vmm/arm64/gic_its.h"
#include "vmm/arm64/gic_redistributor.h"

#include <stddef.h>

#define RAM_BASE   UINT64_C(0x40000000)
#define RAM_BYTES  0x4000u
#define PROP       0x2000u
#define VALID      (UINT64_C(1) << 63)
#define VCPU_COUNT 3u

struct step {
    uint8_t kind, number, device, event;
    uint16_t lpi;
    uint8_t collection, vcpu;
    uint64_t value;
};

static struct fake_gic fake;
static struct gic_lpis lpis;
static struct gic_its its;
static struct gic_redistributors redistributors;
static struct guest_memory memory;
static uint8_t ram[RAM_BYTES];

// A guest's lines follow the routes; so does this one, and looks at what it is told.
static void routes_changed(void *context, uint32_t device_id, uint32_t event_id)
{
    uint32_t intid;

    (void)context;
    if ((device_id == GIC_ITS_ALL && event_id != GIC_ITS_ALL) ||
        (device_id != GIC_ITS_ALL && device_id >> GIC_ITS_DEVICE_BITS))
        __builtin_trap();
    if (event_id != GIC_ITS_ALL &&
        gic_its_translate(&its, GIC_ITS_GITS_TRANSLATER, device_id, event_id, &intid) &&
        !gic_lpi_exists(intid))
        __builtin_trap();
}

// A command whose fields are mostly small, at the end of the queue.
static void send_command(const struct step *step)
{
    const uint64_t place = gic_its_ops.read(&its, 0x88, 8);
    const uint64_t rare = step->kind & 0x80 ? step->value : 0;
    const uint64_t words[4] = {
        (step->number & 0xf) | (uint64_t)step->device << 32,
        step->event | (uint64_t)(GIC_LPI_BASE - 8 + step->lpi % (GIC_LPI_COUNT + 16)) << 32,
        (step->collection & 0x4f) | (uint64_t)(step->vcpu & 3) << 16 |
            (step->vcpu & 0x80 ? VALID : 0) | rare,
        step->value,
    };

    if (place < 0x1000)
        memcpy(ram + place, words, sizeof(words));
    gic_its_ops.write(&its, 0x88, 8, (place + sizeof(words)) % 0x1000);
}

static void access_registers(const struct device_ops *ops, void *device, uint64_t size_bytes,
                             const struct step *step)
{
    const unsigned width = 1u << (step->number & 3);
    const uint64_t place = (uint64_t)step->device << 16 | (step->lpi & 0x0fff);
    const uint64_t offset = (step->number & 0x80 ? step->lpi & 0x1ff : place) % size_bytes;

    if (step->kind & 8)
        ops->write(device, offset, width, step->value);
    else if (width < 8 && ops->read(device, offset, width) >> (8 * width))
        __builtin_trap();
}

static void start(bool is_set_up)
{
    const struct gic_its_host host = {.routes_changed = routes_changed};

    fake_gic_start(&fake, VCPU_COUNT, 32);
    memset(ram, 0, sizeof(ram));
    memset(ram + PROP, 0xa1, GIC_LPI_COUNT);
    memory = (struct guest_memory){0};
    if (guest_memory_add_region(&memory, RAM_BASE, sizeof(ram), ram) != MX_OK)
        __builtin_trap();
    gic_lpis_init(&lpis, &fake.machine, &memory);
    gic_its_init(&its, &host, &lpis);
    gic_redistributors_init(&redistributors, &fake.machine, &lpis);
    if (!is_set_up)
        return;
    for (uint64_t i = 0; i < VCPU_COUNT; i++) {
        gic_redistributors_ops.write(&redistributors, i << 17 | 0x70, 8, (RAM_BASE + PROP) | 13);
        gic_redistributors_ops.write(&redistributors, i << 17, 4, 1);
    }
    gic_its_ops.write(&its, 0x100, 8, VALID | RAM_BASE);
    gic_its_ops.write(&its, 0x108, 8, VALID | RAM_BASE);
    gic_its_ops.write(&its, 0x80, 8, VALID | RAM_BASE);
    gic_its_ops.write(&its, 0x00, 4, 1);
}

static void check_routes(void)
{
    uint32_t intid, translated_count = 0, mapped_count = 0;

    for (uint32_t device = 0; device < 1u << GIC_ITS_DEVICE_BITS; device++) {
        for (uint32_t event = 0; its.slots[device] && event < GIC_ITS_EVENTS_MAX; event++) {
            if (!gic_its_translate(&its, GIC_ITS_GITS_TRANSLATER, device, event, &intid))
                continue;
            translated_count++;
            if (!lpis.lpis[intid - GIC_LPI_BASE].is_routed)
                __builtin_trap();
        }
    }
    for (uint32_t i = 0; i < GIC_LPI_COUNT; i++) {
        const struct gic_lpi *lpi = &lpis.lpis[i];
        mapped_count += lpi->is_routed;
        if (lpi->is_enabled != fake.lpis[i].is_enabled ||
            (lpi->is_routed && lpi->vcpu_id != fake.lpis[i].vcpu_id))
            __builtin_trap();
    }
    if (its.is_enabled && translated_count != mapped_count)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct step step;

    start(size % 8 != 0);
    for (; size >= sizeof(step); data += sizeof(step), size -= sizeof(step)) {
        memcpy(&step, data, sizeof(step));
        switch (step.kind & 7) {
        case 0:
            access_registers(&gic_its_ops, &its, GIC_ITS_SIZE_BYTES, &step);
            break;
        case 1:
            access_registers(&gic_redistributors_ops, &redistributors,
                             VCPU_COUNT * GIC_REDISTRIBUTOR_STRIDE_BYTES, &step);
            break;
        case 2: // anything in memory
            memcpy(ram + step.value % (RAM_BYTES - 8), &step.value, sizeof(step.value));
            break;
        case 3:
            if (step.number == 0x77)
                gic_its_ops.reset(&its);
            break;
        default:
            send_command(&step);
            break;
        }
    }
    if (fake.was_asked_nonsense)
        __builtin_trap();
    check_routes();
    return 0;
}
