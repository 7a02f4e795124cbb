#include "vmm/chips/pl031.h"

#include "vmm/chips/chip_clock.h"
#include "vmm/chips/primecell.h"

#include <string.h>

enum {
    RTCDR = 0x00,
    RTCMR = 0x04,
    RTCLR = 0x08,
    RTCCR = 0x0c,
    RTCIMSC = 0x10,
    RTCRIS = 0x14,
    RTCMIS = 0x18,
    RTCICR = 0x1c,
};

#define CR_ENABLED 1u

#define PART     0x031u
#define REVISION 0u

#define COUNTER_HZ 1u

#define COUNTER_HZ      1u
#define COUNTER_SECONDS (UINT64_C(1) << 32) // in which it wraps

static uint64_t now_ns(const struct pl031 *rtc)
{
    return rtc->timer.now_ns(rtc->timer.context);
}

// The counter, as of the last sync.
static uint32_t counter(const struct pl031 *rtc)
{
    return rtc->load + (uint32_t)rtc->counted_seconds;
}

// From the last sync to the next match: at least one, since a match is an event of counting.
static uint64_t seconds_to_match(const struct pl031 *rtc)
{
    const uint32_t distance = rtc->match - counter(rtc);

    return distance == 0 ? COUNTER_SECONDS : distance;
}

static void sync_to_now(struct pl031 *rtc)
{
    const uint64_t seconds = chip_clock_ticks(now_ns(rtc) - rtc->loaded_ns, COUNTER_HZ);

    if (seconds - rtc->counted_seconds >= seconds_to_match(rtc))
        rtc->is_raised = true;
    rtc->counted_seconds = seconds;
}

// After every change: the line says what is raised, the timer waits for what is next.
static void settle(struct pl031 *rtc)
{
    const bool level = rtc->is_raised && rtc->is_unmasked;

    if (level != rtc->irq_level) {
        rtc->irq_level = level;
        irq_line_set(&rtc->irq, level);
    }
    if (rtc->is_unmasked && !rtc->is_raised)
        rtc->timer.arm(rtc->timer.context,
                       rtc->loaded_ns +
                           chip_clock_ns(rtc->counted_seconds + seconds_to_match(rtc), COUNTER_HZ));
    else
        rtc->timer.disarm(rtc->timer.context);
}

void pl031_timer_expired(struct pl031 *rtc)
{
    sync_to_now(rtc);
    settle(rtc);
}

static uint32_t read_register(struct pl031 *rtc, uint64_t offset)
{
    switch (offset) {
    case RTCDR:
        return counter(rtc);
    case RTCMR:
        return rtc->match;
    case RTCLR:
        return rtc->load;
    case RTCCR:
        return CR_ENABLED;
    case RTCIMSC:
        return rtc->is_unmasked;
    case RTCRIS:
        return rtc->is_raised;
    case RTCMIS:
        return rtc->is_raised && rtc->is_unmasked;
    default:
        return offset >= PRIMECELL_ID_OFFSET ? primecell_id_read(offset, PART, REVISION) : 0;
    }
}

static void load_counter(struct pl031 *rtc, uint32_t value)
{
    rtc->load = value;
    rtc->loaded_ns = now_ns(rtc);
    rtc->counted_seconds = 0;
}

static void write_register(struct pl031 *rtc, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case RTCMR:
        rtc->match = value;
        break;
    case RTCLR:
        load_counter(rtc, value);
        break;
    case RTCIMSC:
        rtc->is_unmasked = value & 1;
        return;
    case RTCICR:
        if (value & 1)
            rtc->is_raised = false;
        return;
    default:
        return;
    }
    // A counter or a match set to the other's value is a match, too.
    if (rtc->match == counter(rtc))
        rtc->is_raised = true;
}

// A register answers at its own address, whatever the width of its bus.
static uint64_t pl031_read(void *device, uint64_t offset, unsigned width_bytes)
{
    struct pl031 *rtc = device;

    if (width_bytes > 4 || offset % 4 != 0)
        return 0;
    sync_to_now(rtc);
    settle(rtc);
    return read_register(rtc, offset);
}

static void pl031_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    struct pl031 *rtc = device;

    if (width_bytes > 4 || offset % 4 != 0)
        return;
    sync_to_now(rtc);
    write_register(rtc, offset, (uint32_t)value);
    settle(rtc);
}

// The clock goes on, as a battery would have it.
static void pl031_reset(void *device)
{
    struct pl031 *rtc = device;

    sync_to_now(rtc);
    rtc->match = 0;
    rtc->is_unmasked = rtc->is_raised = false;
    settle(rtc);
}

const struct device_ops pl031_ops = {
    .read = pl031_read,
    .write = pl031_write,
    .reset = pl031_reset,
};

void pl031_init(struct pl031 *rtc, struct irq_line irq, const struct device_timer *timer,
                uint64_t utc_seconds)
{
    memset(rtc, 0, sizeof(*rtc));
    rtc->irq = irq;
    rtc->timer = *timer;
    load_counter(rtc, (uint32_t)utc_seconds);
    settle(rtc);
}
