// Commands of an ITS; see its_commands.h.
#include "kernel/arch/arm64/portable/its_commands.h"

#include <string.h>

#include "kernel/arch/arm64/regs/gic.h"
#include "kernel/arch/arm64/regs/its.h"

#define EVENT_BITS 5
#define WAIT_LOOPS 1000000

_Static_assert(ITS_EVENTS_MAX == 1u << EVENT_BITS, "events");

static uint64_t read_register(const struct its *its, uint64_t offset)
{
    return its->ops->read(its->context, offset);
}

static bool is_idle(const struct its *its)
{
    return read_register(its, GITS_CREADR) == its->write_offset;
}

static bool wait_until_idle(const struct its *its)
{
    for (uint32_t i = 0; i < WAIT_LOOPS; i++) {
        uint64_t read = read_register(its, GITS_CREADR);

        if (read == its->write_offset)
            return true;
        if (read & GITS_CREADR_STALLED)
            return false;
    }
    return false;
}

// Carries one command out; the queue was empty. False: it was refused, or is not done yet.
static bool run_command(struct its *its, uint64_t word0, uint64_t word1, uint64_t word2)
{
    const uint64_t words[4] = {word0, word1, word2, 0};

    memcpy(its->queue + its->write_offset, words, sizeof(words));
    its->write_offset = (its->write_offset + ITS_COMMAND_SIZE) % ITS_QUEUE_BYTES;
    its->ops->write(its->context, GITS_CWRITER, its->write_offset);
    return wait_until_idle(its);
}

static bool sync(struct its *its)
{
    return run_command(its, ITS_SYNC, 0, its->target);
}

bool its_start(struct its *its, const struct its_ops *ops, void *context, uint8_t *queue,
               uint64_t target)
{
    *its = (struct its){.ops = ops, .context = context, .queue = queue, .target = target};
    return run_command(its, ITS_MAPC, 0, ITS_VALID | target) && sync(its);
}

// The device's place, made if need be.
static mx_status_t find_device(struct its *its, uint32_t id, uint32_t *index)
{
    for (*index = 0; *index < its->device_count; (*index)++) {
        if (its->devices[*index].id == id)
            return MX_OK;
    }
    uint32_t entry_bytes = GITS_TYPER_ITT_SIZE(read_register(its, GITS_TYPER));
    if (its->device_count == ITS_DEVICES_MAX || entry_bytes * ITS_EVENTS_MAX > ITS_EVENT_BYTES_MAX)
        return MX_ERR_NO_RESOURCES;
    paddr_t table = its->ops->alloc_table(its->context);
    if (paddr_is_none(table))
        return MX_ERR_NO_MEMORY;
    its->devices[its->device_count++] = (struct its_device){.id = id, .table = table};
    return MX_OK;
}

// The table is the same in a second attempt, so whichever the ITS knows, it is that.
static mx_status_t map_device(struct its *its, struct its_device *device)
{
    if (!device->is_mapped)
        device->is_mapped = run_command(its, ITS_MAPD | ITS_DEVICE(device->id), EVENT_BITS - 1,
                                        ITS_VALID | device->table.raw);
    return device->is_mapped ? MX_OK : MX_ERR_IO;
}

static uint32_t find_free_lpi(const struct its *its)
{
    uint32_t lpi = 0;

    while (lpi < ITS_LPI_COUNT && its->lpis[lpi].is_taken)
        lpi++;
    return lpi;
}

mx_status_t its_take(struct its *its, uint32_t device_id, uint32_t *event, uint32_t *lpi)
{
    uint32_t index;

    if (!is_idle(its))
        return MX_ERR_IO;
    mx_status_t status = find_device(its, device_id, &index);
    if (status != MX_OK)
        return status;
    struct its_device *device = &its->devices[index];
    *lpi = find_free_lpi(its);
    if (*lpi == ITS_LPI_COUNT || device->taken_events == UINT32_MAX)
        return MX_ERR_NO_RESOURCES;
    status = map_device(its, device);
    if (status != MX_OK)
        return status;
    *event = (uint32_t)__builtin_ctz(~device->taken_events);
    device->taken_events |= (uint32_t)1 << *event;
    its->lpis[*lpi].is_taken = true;
    its->lpis[*lpi].device_index = (uint8_t)index;
    its->lpis[*lpi].event = (uint8_t)*event;
    if (!run_command(its, ITS_MAPTI | ITS_DEVICE(device_id),
                     *event | (uint64_t)(GIC_INTID_LPI_BASE + *lpi) << 32, 0) ||
        !sync(its))
        return MX_ERR_IO;
    return MX_OK;
}

void its_give_back(struct its *its, uint32_t lpi)
{
    struct its_device *device = &its->devices[its->lpis[lpi].device_index];
    uint32_t event = its->lpis[lpi].event;

    if (!is_idle(its) || !run_command(its, ITS_DISCARD | ITS_DEVICE(device->id), event, 0) ||
        !sync(its))
        return;
    device->taken_events &= ~((uint32_t)1 << event);
    its->lpis[lpi].is_taken = false;
}
