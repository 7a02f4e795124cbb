#include "vmm/chips/i8254.h"

#include "vmm/chips/byte_port.h"
#include "vmm/chips/chip_clock.h"

#include <string.h>

#define CONTROL_PORT 3

#define CONTROL_BCD           0x01
#define CONTROL_MODE_SHIFT    1
#define CONTROL_ACCESS_SHIFT  4
#define CONTROL_CHANNEL_SHIFT 6
#define CONTROL_READ_BACK     3 // as channel
#define READ_BACK_NO_COUNT    0x20
#define READ_BACK_NO_STATUS   0x10
#define READ_BACK_CHANNEL_0   0x02
#define STATUS_OUTPUT         0x80
#define STATUS_NULL_COUNT     0x40

#define ACCESS_LATCH 0
#define ACCESS_LOW   1
#define ACCESS_HIGH  2
#define ACCESS_BOTH  3

#define PORT61_GATE2          0x01
#define PORT61_WRITABLE       0x0f
#define PORT61_REFRESH        0x10
#define PORT61_OUT2           0x20
#define REFRESH_PERIOD_CLOCKS 18 // channel 1's count on every PC

#define NO_EDGE UINT64_MAX

static uint64_t clock_now(const struct i8254 *pit)
{
    return chip_clock_ticks(pit->timer.now_ns(pit->timer.context), I8254_HZ);
}

static bool is_periodic(const struct i8254_channel *channel)
{
    return channel->mode == 2 || channel->mode == 3;
}

// Modes 1 and 5 start at a rising gate, not when the count is written.
static bool is_gate_triggered(const struct i8254_channel *channel)
{
    return channel->mode == 1 || channel->mode == 5;
}

static uint64_t elapsed_clocks(const struct i8254_channel *channel, uint64_t clock)
{
    if (!channel->is_running)
        return channel->start_clock;
    return clock > channel->start_clock ? clock - channel->start_clock : 0;
}

static void start_counting(struct i8254_channel *channel, uint64_t clock)
{
    if (channel->is_next_pending)
        channel->count = channel->next_count;
    channel->is_next_pending = false;
    channel->is_running = true;
    channel->start_clock = clock;
}

// A new count of a periodic mode takes effect when the period in which it was written ends.
static void channel_sync(struct i8254_channel *channel, uint64_t clock)
{
    if (channel->is_next_pending && channel->is_running && is_periodic(channel) &&
        clock >= channel->switch_clock)
        start_counting(channel, channel->switch_clock);
}

static bool channel_output(const struct i8254_channel *channel, uint64_t clock)
{
    uint64_t elapsed = elapsed_clocks(channel, clock);

    switch (channel->mode) {
    case 0:
        return channel->is_loaded && elapsed >= channel->count;
    case 1:
        return !channel->is_running || elapsed >= channel->count;
    case 2:
        return !channel->is_running || channel->count == 1 ||
               elapsed % channel->count != channel->count - 1;
    case 3:
        return !channel->is_running || elapsed % channel->count < (channel->count + 1) / 2;
    default: // 4 and 5
        return !channel->is_running || elapsed != channel->count;
    }
}

// Mode 3 counts down by two, once for each half of the period.
static uint32_t square_wave_count(const struct i8254_channel *channel, uint64_t elapsed)
{
    uint32_t high_clocks = (channel->count + 1) / 2;
    uint32_t phase = (uint32_t)(elapsed % channel->count);

    if (phase >= high_clocks)
        phase -= high_clocks;
    return (channel->count & ~1u) - 2 * phase;
}

static uint16_t to_bcd(uint32_t value)
{
    return (uint16_t)(value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 |
                      value / 1000 % 10 << 12);
}

static uint32_t from_bcd(uint16_t bcd)
{
    return ((bcd & 15) + (bcd >> 4 & 15) * 10u + (bcd >> 8 & 15) * 100u + (bcd >> 12) * 1000u) %
           10000;
}

// The counting element as the guest reads it.
static uint16_t channel_count(const struct i8254_channel *channel, uint64_t clock)
{
    uint64_t elapsed = elapsed_clocks(channel, clock);
    uint32_t modulus = channel->bcd ? 10000 : 0x10000;
    uint32_t value;

    if (channel->mode == 2)
        value = channel->count - (uint32_t)(elapsed % channel->count);
    else if (channel->mode == 3)
        value = square_wave_count(channel, elapsed);
    else
        value = channel->count + modulus - (uint32_t)(elapsed % modulus);
    return channel->bcd ? to_bcd(value) : (uint16_t)value;
}

static void set_irq0(struct i8254 *pit, bool level)
{
    if (pit->irq_level == level)
        return;
    pit->irq_level = level;
    irq_line_set(&pit->irq0, level);
}

// The first rising edge of the output after `clock`.
static uint64_t next_rising_edge(const struct i8254_channel *channel, uint64_t clock)
{
    uint64_t edge;

    if (!channel->is_running)
        return NO_EDGE;
    if (is_periodic(channel)) {
        if (channel->is_next_pending)
            return channel->switch_clock > clock ? channel->switch_clock : clock + 1;
        return channel->start_clock +
               (elapsed_clocks(channel, clock) / channel->count + 1) * channel->count;
    }
    // The strobe of modes 4 and 5 is low for the clock that reaches zero.
    edge = channel->start_clock + channel->count + (channel->mode >= 4 ? 1 : 0);
    return edge > clock ? edge : NO_EDGE;
}

// Raises IRQ 0 for a rising edge that has come; several that passed meanwhile are one.
static void deliver_edge(struct i8254 *pit, uint64_t clock)
{
    if (!pit->is_armed || clock < pit->edge_clock)
        return;
    pit->is_armed = false;
    set_irq0(pit, false);
    set_irq0(pit, true);
}

static void arm_next_edge(struct i8254 *pit)
{
    const struct i8254_channel *channel = &pit->channels[0];
    uint64_t now_ns = pit->timer.now_ns(pit->timer.context);
    uint64_t earliest = chip_clock_ticks(now_ns + I8254_MIN_PERIOD_NS, I8254_HZ);
    uint64_t edge = next_rising_edge(channel, chip_clock_ticks(now_ns, I8254_HZ));

    if (is_periodic(channel) && edge < earliest)
        edge = next_rising_edge(channel, earliest);
    if (edge != NO_EDGE) {
        pit->edge_clock = edge;
        pit->timer.arm(pit->timer.context, chip_clock_ns(edge, I8254_HZ));
    } else if (pit->is_armed) {
        pit->timer.disarm(pit->timer.context);
    }
    pit->is_armed = edge != NO_EDGE;
}

void i8254_timer_expired(struct i8254 *pit)
{
    uint64_t clock = clock_now(pit);

    if (!pit->is_armed)
        return;
    channel_sync(&pit->channels[0], clock);
    deliver_edge(pit, clock);
    arm_next_edge(pit);
}

static void load_count(struct i8254_channel *channel, uint16_t written, uint64_t clock)
{
    uint32_t count = channel->bcd ? from_bcd(written) : written;

    if (count == 0)
        count = channel->bcd ? 10000 : 0x10000;
    channel->next_count = count;
    channel->is_loaded = true;
    if (is_gate_triggered(channel)) {
        channel->is_next_pending = true;
    } else if (is_periodic(channel) && channel->is_running) {
        if (!channel->is_next_pending)
            channel->switch_clock = next_rising_edge(channel, clock);
        channel->is_next_pending = true;
    } else {
        channel->is_next_pending = true;
        start_counting(channel, clock);
        if (!channel->gate) {
            channel->is_running = false;
            channel->start_clock = 0;
        }
    }
}

static void set_gate(struct i8254_channel *channel, bool gate, uint64_t clock)
{
    if (gate == channel->gate)
        return;
    channel->gate = gate;
    if (!channel->is_loaded)
        return;
    if (gate && (is_periodic(channel) || is_gate_triggered(channel))) {
        start_counting(channel, clock);
    } else if (gate) {
        channel->start_clock = clock - channel->start_clock;
        channel->is_running = true;
    } else if (!is_gate_triggered(channel)) {
        channel->start_clock = elapsed_clocks(channel, clock);
        channel->is_running = false;
    }
}

static void stop_counting(struct i8254_channel *channel)
{
    channel->is_loaded = false;
    channel->is_running = false;
    channel->is_next_pending = false;
    channel->start_clock = 0;
}

static void write_counter(struct i8254_channel *channel, uint8_t value, uint64_t clock)
{
    if (channel->access == ACCESS_LOW) {
        load_count(channel, value, clock);
    } else if (channel->access == ACCESS_HIGH) {
        load_count(channel, (uint16_t)(value << 8), clock);
    } else if (channel->is_high_byte_next_write) {
        channel->is_high_byte_next_write = false;
        load_count(channel, (uint16_t)(value << 8 | channel->write_low), clock);
    } else {
        channel->is_high_byte_next_write = true;
        channel->write_low = value;
        if (channel->mode == 0) // "writing the first byte disables counting"
            stop_counting(channel);
    }
}

// A second latch command before the first value is read is ignored.
static void latch_count(struct i8254_channel *channel, uint64_t clock)
{
    if (channel->is_count_latched)
        return;
    channel->latch = channel_count(channel, clock);
    channel->is_count_latched = true;
}

static void latch_status(struct i8254_channel *channel, uint64_t clock)
{
    bool is_null_count = !channel->is_loaded || channel->is_next_pending;

    if (channel->is_status_latched)
        return;
    channel->status_latch =
        (uint8_t)((channel_output(channel, clock) ? STATUS_OUTPUT : 0) |
                  (is_null_count ? STATUS_NULL_COUNT : 0) |
                  channel->access << CONTROL_ACCESS_SHIFT | channel->mode << CONTROL_MODE_SHIFT |
                  (channel->bcd ? CONTROL_BCD : 0));
    channel->is_status_latched = true;
}

static void program_mode(struct i8254_channel *channel, uint8_t control)
{
    uint8_t mode = control >> CONTROL_MODE_SHIFT & 7;

    stop_counting(channel);
    channel->mode = mode > 5 ? mode - 4 : mode;
    channel->access = control >> CONTROL_ACCESS_SHIFT & 3;
    channel->bcd = control & CONTROL_BCD;
    channel->is_high_byte_next_read = channel->is_high_byte_next_write = false;
    channel->is_count_latched = channel->is_status_latched = false;
}

static void read_back(struct i8254 *pit, uint8_t control, uint64_t clock)
{
    for (unsigned i = 0; i < I8254_CHANNEL_COUNT; i++) {
        if (!(control & READ_BACK_CHANNEL_0 << i))
            continue;
        channel_sync(&pit->channels[i], clock);
        if (!(control & READ_BACK_NO_COUNT))
            latch_count(&pit->channels[i], clock);
        if (!(control & READ_BACK_NO_STATUS))
            latch_status(&pit->channels[i], clock);
    }
}

// Channel 0 drives the interrupt: what was due before the change is delivered first.
static void before_channel_change(struct i8254 *pit, unsigned index, uint64_t clock)
{
    channel_sync(&pit->channels[index], clock);
    if (index == 0)
        deliver_edge(pit, clock);
}

static void after_channel_change(struct i8254 *pit, unsigned index, uint64_t clock)
{
    if (index != 0)
        return;
    set_irq0(pit, channel_output(&pit->channels[0], clock));
    arm_next_edge(pit);
}

static void write_control(struct i8254 *pit, uint8_t value, uint64_t clock)
{
    unsigned index = value >> CONTROL_CHANNEL_SHIFT;

    if (index == CONTROL_READ_BACK) {
        read_back(pit, value, clock);
    } else if ((value >> CONTROL_ACCESS_SHIFT & 3) == ACCESS_LATCH) {
        channel_sync(&pit->channels[index], clock);
        latch_count(&pit->channels[index], clock);
    } else {
        before_channel_change(pit, index, clock);
        program_mode(&pit->channels[index], value);
        after_channel_change(pit, index, clock);
    }
}

static void write_byte(void *chip, uint64_t offset, uint8_t value)
{
    struct i8254 *pit = chip;
    uint64_t clock = clock_now(pit);

    if (offset == CONTROL_PORT) {
        write_control(pit, value, clock);
    } else if (offset < CONTROL_PORT) {
        before_channel_change(pit, (unsigned)offset, clock);
        write_counter(&pit->channels[offset], value, clock);
        after_channel_change(pit, (unsigned)offset, clock);
    }
}

static uint8_t read_counter(struct i8254_channel *channel, uint64_t clock)
{
    uint16_t count;
    bool is_high_byte = channel->access == ACCESS_HIGH;

    if (channel->is_status_latched) {
        channel->is_status_latched = false;
        return channel->status_latch;
    }
    count = channel->is_count_latched ? channel->latch : channel_count(channel, clock);
    if (channel->access == ACCESS_BOTH) {
        is_high_byte = channel->is_high_byte_next_read;
        channel->is_high_byte_next_read = !is_high_byte;
    }
    // A latched count is held until it has been read whole.
    if (channel->access != ACCESS_BOTH || is_high_byte)
        channel->is_count_latched = false;
    return (uint8_t)(is_high_byte ? count >> 8 : count);
}

static uint8_t read_byte(void *chip, uint64_t offset)
{
    struct i8254 *pit = chip;
    uint64_t clock = clock_now(pit);

    if (offset >= I8254_CHANNEL_COUNT)
        return 0xff; // the control word cannot be read
    channel_sync(&pit->channels[offset], clock);
    return read_counter(&pit->channels[offset], clock);
}

static uint8_t port61_read_byte(void *chip, uint64_t offset)
{
    struct i8254 *pit = chip;
    uint64_t clock = clock_now(pit);
    uint8_t value = pit->port61;

    if (offset != 0)
        return 0xff;
    channel_sync(&pit->channels[2], clock);
    if (channel_output(&pit->channels[2], clock))
        value |= PORT61_OUT2;
    if (clock / REFRESH_PERIOD_CLOCKS & 1)
        value |= PORT61_REFRESH;
    return value;
}

static void port61_write_byte(void *chip, uint64_t offset, uint8_t value)
{
    struct i8254 *pit = chip;
    uint64_t clock = clock_now(pit);

    if (offset != 0)
        return;
    pit->port61 = value & PORT61_WRITABLE;
    channel_sync(&pit->channels[2], clock);
    set_gate(&pit->channels[2], value & PORT61_GATE2, clock);
}

static uint64_t i8254_read(void *device, uint64_t offset, unsigned width_bytes)
{
    return byte_port_read(device, read_byte, offset, width_bytes);
}

static void i8254_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    byte_port_write(device, write_byte, offset, width_bytes, value);
}

static uint64_t port61_read(void *device, uint64_t offset, unsigned width_bytes)
{
    return byte_port_read(device, port61_read_byte, offset, width_bytes);
}

static void port61_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    byte_port_write(device, port61_write_byte, offset, width_bytes, value);
}

static void i8254_reset(void *device)
{
    struct i8254 *pit = device;

    for (unsigned i = 0; i < I8254_CHANNEL_COUNT; i++) {
        pit->channels[i] = (struct i8254_channel){
            .count = 0x10000, .next_count = 0x10000, .access = ACCESS_BOTH, .gate = i != 2};
    }
    pit->port61 = 0;
    pit->is_armed = false;
    pit->timer.disarm(pit->timer.context);
    set_irq0(pit, false);
}

const struct device_ops i8254_ops = {
    .read = i8254_read,
    .write = i8254_write,
    .reset = i8254_reset,
};

const struct device_ops i8254_port61_ops = {
    .read = port61_read,
    .write = port61_write,
    .reset = i8254_reset,
};

void i8254_init(struct i8254 *pit, struct irq_line irq0, const struct device_timer *timer)
{
    memset(pit, 0, sizeof(*pit));
    pit->irq0 = irq0;
    pit->timer = *timer;
    i8254_reset(pit);
}
