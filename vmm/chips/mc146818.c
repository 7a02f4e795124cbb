#include "vmm/chips/mc146818.h"

#include "vmm/chips/byte_port.h"

#include <string.h>

enum {
    SECONDS = 0,
    SECONDS_ALARM = 1,
    MINUTES = 2,
    MINUTES_ALARM = 3,
    HOURS = 4,
    HOURS_ALARM = 5,
    DAY_OF_WEEK = 6,
    DAY_OF_MONTH = 7,
    MONTH = 8,
    YEAR = 9,
    REGISTER_A = 10,
    REGISTER_B = 11,
    REGISTER_C = 12,
    REGISTER_D = 13,
};

#define A_RS_MASK  0x0f
#define A_DV_RESET 0x60 // both bits set: the divider is held
#define A_UIP      0x80
#define A_POWER_ON 0x26 // 32768 Hz, 1024 interrupts per second

#define B_24_HOURS 0x02
#define B_BINARY   0x04 // DM
#define B_SQWE     0x08
#define B_UIE      0x10
#define B_AIE      0x20
#define B_PIE      0x40
#define B_SET      0x80

#define C_UF   0x10
#define C_AF   0x20
#define C_PF   0x40
#define C_IRQF 0x80

#define D_VRT 0x80

#define HOUR_PM         0x80
#define ALARM_DONT_CARE 0xc0 // both bits set
#define INDEX_MASK      0x7f

// PC firmware's bytes.
#define CMOS_EQUIPMENT       0x14
#define CMOS_BASE_KIB        0x15
#define CMOS_EXTENDED_KIB    0x17
#define CMOS_EXTENDED_KIB_2  0x30
#define CMOS_ABOVE_16M_64KIB 0x34
#define CMOS_ABOVE_4G_64KIB  0x5b
#define CMOS_CHECKSUM        0x2e // of 0x10 to 0x2d, high byte first
#define EQUIPMENT_FPU        0x02

#define CONVENTIONAL_KIB 640
#define KIB              1024ULL
#define MIB              (1024 * KIB)

#define NS_PER_SECOND   1000000000ULL
#define UIP_NS          244000u // UIP is set this long before an update
#define CRYSTAL_HZ      32768u
#define SECONDS_PER_DAY 86400u
#define NEVER           UINT64_MAX

// --- calendar -----------------------------------------------------------------------------------

// Days since 1970-01-01 in the Gregorian calendar; month is 1 to 12, day may exceed the month. The
// year begins in March here, so that the leap day is its last.
static int64_t days_from_date(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2 ? 1 : 0);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (int64_t)((month + 9) % 12) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void date_from_days(struct mc146818_time *time, int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;

    time->day = (uint8_t)(day_of_year - (153 * march_month + 2) / 5 + 1);
    time->month = (uint8_t)month;
    // Two digits of year and two of century hold no more than this.
    time->year = (uint16_t)((year_of_era + era * 400 + (month <= 2 ? 1 : 0)) % 10000);
}

static uint32_t second_of_day(const struct mc146818_time *time)
{
    return time->hour * 3600u + time->minute * 60u + time->second;
}

// The weekday is a counter of its own: it follows what the guest set, not the date.
static void advance_time(struct mc146818_time *time, uint64_t seconds)
{
    uint64_t total = second_of_day(time) + seconds;
    uint64_t days = total / SECONDS_PER_DAY;
    uint32_t rest = (uint32_t)(total % SECONDS_PER_DAY);

    time->hour = (uint8_t)(rest / 3600);
    time->minute = (uint8_t)(rest / 60 % 60);
    time->second = (uint8_t)(rest % 60);
    if (days == 0)
        return;
    time->weekday = (uint8_t)((time->weekday - 1u + days % 7) % 7 + 1);
    date_from_days(time, days_from_date(time->year, time->month, time->day) + (int64_t)days);
}

// --- register formats ---------------------------------------------------------------------------

static uint8_t encode(const struct mc146818 *rtc, unsigned value)
{
    if (rtc->memory[REGISTER_B] & B_BINARY)
        return (uint8_t)value;
    return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

// A value outside the field's range becomes the nearest one inside.
static uint8_t decode(const struct mc146818 *rtc, uint8_t byte, unsigned lowest, unsigned highest)
{
    unsigned value = byte;

    if (!(rtc->memory[REGISTER_B] & B_BINARY))
        value = (byte >> 4) * 10u + (byte & 15);
    return (uint8_t)(value < lowest ? lowest : value > highest ? highest : value);
}

static uint8_t encode_hour(const struct mc146818 *rtc, unsigned hour)
{
    if (rtc->memory[REGISTER_B] & B_24_HOURS)
        return encode(rtc, hour);
    return encode(rtc, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? HOUR_PM : 0);
}

static uint8_t decode_hour(const struct mc146818 *rtc, uint8_t byte)
{
    if (rtc->memory[REGISTER_B] & B_24_HOURS)
        return decode(rtc, byte, 0, 23);
    return (uint8_t)(decode(rtc, byte & (uint8_t)~HOUR_PM, 1, 12) % 12 + (byte & HOUR_PM ? 12 : 0));
}

static bool is_time_byte(uint8_t index)
{
    return index == SECONDS || index == MINUTES || index == HOURS ||
           (index >= DAY_OF_WEEK && index <= YEAR) || index == MC146818_CENTURY;
}

static uint8_t read_time_byte(const struct mc146818 *rtc, uint8_t index)
{
    const struct mc146818_time *time = &rtc->time;

    switch (index) {
    case SECONDS:
        return encode(rtc, time->second);
    case MINUTES:
        return encode(rtc, time->minute);
    case HOURS:
        return encode_hour(rtc, time->hour);
    case DAY_OF_WEEK:
        return encode(rtc, time->weekday);
    case DAY_OF_MONTH:
        return encode(rtc, time->day);
    case MONTH:
        return encode(rtc, time->month);
    case YEAR:
        return encode(rtc, time->year % 100);
    default:
        return encode(rtc, time->year / 100);
    }
}

static void write_time_byte(struct mc146818 *rtc, uint8_t index, uint8_t value)
{
    struct mc146818_time *time = &rtc->time;

    switch (index) {
    case SECONDS:
        time->second = decode(rtc, value, 0, 59);
        break;
    case MINUTES:
        time->minute = decode(rtc, value, 0, 59);
        break;
    case HOURS:
        time->hour = decode_hour(rtc, value);
        break;
    case DAY_OF_WEEK:
        time->weekday = decode(rtc, value, 1, 7);
        break;
    case DAY_OF_MONTH:
        time->day = decode(rtc, value, 1, 31);
        break;
    case MONTH:
        time->month = decode(rtc, value, 1, 12);
        break;
    case YEAR:
        time->year = (uint16_t)(time->year / 100 * 100 + decode(rtc, value, 0, 99));
        break;
    default:
        time->year = (uint16_t)(decode(rtc, value, 0, 99) * 100 + time->year % 100);
        break;
    }
}

// --- alarm --------------------------------------------------------------------------------------

static bool alarm_byte_matches(uint8_t alarm, uint8_t encoded)
{
    return (alarm & ALARM_DONT_CARE) == ALARM_DONT_CARE || alarm == encoded;
}

static bool alarm_hour_matches(const struct mc146818 *rtc, unsigned hour)
{
    return alarm_byte_matches(rtc->memory[HOURS_ALARM], encode_hour(rtc, hour));
}

// The first value from `first` to 59 that the alarm byte matches, or 60.
static unsigned next_alarm_value(const struct mc146818 *rtc, uint8_t alarm_index, unsigned first)
{
    unsigned value = first;

    while (value < 60 && !alarm_byte_matches(rtc->memory[alarm_index], encode(rtc, value)))
        value++;
    return value;
}

// Seconds from the current second to the next alarm (1 to 86400), or NEVER.
static uint64_t seconds_to_alarm(const struct mc146818 *rtc)
{
    uint32_t start = second_of_day(&rtc->time) + 1;
    unsigned hour = start / 3600, minute = start / 60 % 60, second = start % 60;

    // The last round is the first hour again, a day later and from its beginning.
    for (unsigned round = 0; round <= 24; round++, hour++, minute = 0, second = 0) {
        unsigned match_minute, match_second;
        if (!alarm_hour_matches(rtc, hour % 24))
            continue;
        match_minute = next_alarm_value(rtc, MINUTES_ALARM, minute);
        match_second = next_alarm_value(rtc, SECONDS_ALARM, match_minute == minute ? second : 0);
        if (match_second == 60) {
            match_minute = next_alarm_value(rtc, MINUTES_ALARM, match_minute + 1);
            match_second = next_alarm_value(rtc, SECONDS_ALARM, 0);
        }
        if (match_minute < 60 && match_second < 60)
            return hour * 3600ULL + match_minute * 60 + match_second - second_of_day(&rtc->time);
    }
    return NEVER;
}

// --- passing of time ----------------------------------------------------------------------------

static uint64_t now_ns(const struct mc146818 *rtc)
{
    return rtc->timer.now_ns(rtc->timer.context);
}

// Nanoseconds since a past moment; zero for one that is still to come.
static uint64_t ns_since(uint64_t now, uint64_t then)
{
    uint64_t passed = now - then;

    return passed >> 63 ? 0 : passed;
}

static bool is_divider_held(const struct mc146818 *rtc)
{
    return (rtc->memory[REGISTER_A] & A_DV_RESET) == A_DV_RESET;
}

static bool is_updating(const struct mc146818 *rtc)
{
    return !(rtc->memory[REGISTER_B] & B_SET) && !is_divider_held(rtc);
}

// The period in ticks of the crystal, or 0 for no periodic interrupt. Rates 1 and 2 repeat 8 and 9.
static uint32_t periodic_ticks(const struct mc146818 *rtc)
{
    unsigned rate = rtc->memory[REGISTER_A] & A_RS_MASK;

    if (rate == 0 || is_divider_held(rtc))
        return 0;
    return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

// Periods completed in the current second; every period divides a second.
static uint64_t periods_in_second(uint64_t ns_in_second, uint32_t period_ticks)
{
    return ns_in_second * CRYSTAL_HZ / NS_PER_SECOND / period_ticks;
}

static void account_periodic(struct mc146818 *rtc, uint64_t now)
{
    uint32_t ticks = periodic_ticks(rtc);
    uint64_t passed = ns_since(now, rtc->second_ns);
    uint64_t accounted = ns_since(rtc->sync_ns, rtc->second_ns);

    if (ticks != 0 && (passed >= NS_PER_SECOND ||
                       periods_in_second(passed, ticks) != periods_in_second(accounted, ticks)))
        rtc->flags |= C_PF;
    rtc->sync_ns = now;
}

static void account_updates(struct mc146818 *rtc, uint64_t now)
{
    uint64_t seconds = ns_since(now, rtc->second_ns) / NS_PER_SECOND;

    if (seconds == 0)
        return;
    rtc->second_ns += seconds * NS_PER_SECOND;
    if (!is_updating(rtc))
        return;
    rtc->flags |= C_UF;
    if (seconds_to_alarm(rtc) <= seconds)
        rtc->flags |= C_AF;
    advance_time(&rtc->time, seconds);
}

static void sync_to_now(struct mc146818 *rtc)
{
    uint64_t now = now_ns(rtc);

    account_periodic(rtc, now);
    account_updates(rtc, now);
}

static void update_irq(struct mc146818 *rtc)
{
    bool level = (rtc->flags & rtc->memory[REGISTER_B] & (B_PIE | B_AIE | B_UIE)) != 0;

    if (level == rtc->irq_level)
        return;
    rtc->irq_level = level;
    irq_line_set(&rtc->irq8, level);
}

static uint64_t next_periodic_ns(const struct mc146818 *rtc, uint32_t ticks)
{
    uint64_t passed = ns_since(rtc->sync_ns, rtc->second_ns);
    uint64_t next_tick = (periods_in_second(passed, ticks) + 1) * ticks;

    return rtc->second_ns + (next_tick * NS_PER_SECOND + CRYSTAL_HZ - 1) / CRYSTAL_HZ;
}

// The time of the next interrupt to raise: enabled and not pending already. The flags have the same
// places in register C as their enables in B.
static uint64_t next_interrupt_ns(const struct mc146818 *rtc)
{
    uint8_t wanted = rtc->memory[REGISTER_B] & (uint8_t)~rtc->flags;
    uint32_t ticks = periodic_ticks(rtc);
    uint64_t deadline = NEVER;

    if ((wanted & B_PIE) && ticks != 0)
        deadline = next_periodic_ns(rtc, ticks);
    if ((wanted & B_UIE) && is_updating(rtc) && rtc->second_ns + NS_PER_SECOND < deadline)
        deadline = rtc->second_ns + NS_PER_SECOND;
    if ((wanted & B_AIE) && is_updating(rtc)) {
        uint64_t seconds = seconds_to_alarm(rtc);
        if (seconds != NEVER && rtc->second_ns + seconds * NS_PER_SECOND < deadline)
            deadline = rtc->second_ns + seconds * NS_PER_SECOND;
    }
    return deadline;
}

// After every change: the line says what is pending, the timer waits for what is next.
static void settle(struct mc146818 *rtc)
{
    uint64_t deadline;

    update_irq(rtc);
    // With the line up nothing new can be seen before the guest reads register C.
    deadline = rtc->irq_level ? NEVER : next_interrupt_ns(rtc);
    if (deadline == NEVER)
        rtc->timer.disarm(rtc->timer.context);
    else
        rtc->timer.arm(rtc->timer.context, deadline);
}

void mc146818_timer_expired(struct mc146818 *rtc)
{
    sync_to_now(rtc);
    settle(rtc);
}

// --- registers ----------------------------------------------------------------------------------

static uint8_t read_a(const struct mc146818 *rtc)
{
    uint64_t passed = ns_since(rtc->sync_ns, rtc->second_ns);

    return rtc->memory[REGISTER_A] |
           (is_updating(rtc) && passed >= NS_PER_SECOND - UIP_NS ? A_UIP : 0);
}

static uint8_t read_c(struct mc146818 *rtc)
{
    uint8_t value;

    update_irq(rtc);
    value = rtc->flags | (rtc->irq_level ? C_IRQF : 0);
    rtc->flags = 0;
    settle(rtc);
    return value;
}

static uint8_t read_data(struct mc146818 *rtc)
{
    sync_to_now(rtc);
    if (is_time_byte(rtc->index))
        return read_time_byte(rtc, rtc->index);
    if (rtc->index == REGISTER_A)
        return read_a(rtc);
    if (rtc->index == REGISTER_C)
        return read_c(rtc);
    if (rtc->index == REGISTER_D)
        return D_VRT;
    return rtc->memory[rtc->index];
}

// "When the divider reset is removed, the first update cycle begins one-half second later."
static void write_a(struct mc146818 *rtc, uint8_t value)
{
    bool was_held = is_divider_held(rtc);

    rtc->memory[REGISTER_A] = value & (uint8_t)~A_UIP;
    if (was_held && !is_divider_held(rtc))
        rtc->second_ns = rtc->sync_ns - NS_PER_SECOND / 2;
}

static void write_b(struct mc146818 *rtc, uint8_t value)
{
    // "UIE is cleared by SET going high."
    if ((value & B_SET) && !(rtc->memory[REGISTER_B] & B_SET))
        value &= (uint8_t)~B_UIE;
    rtc->memory[REGISTER_B] = value;
}

static void write_data(struct mc146818 *rtc, uint8_t value)
{
    sync_to_now(rtc);
    if (is_time_byte(rtc->index))
        write_time_byte(rtc, rtc->index, value);
    else if (rtc->index == REGISTER_A)
        write_a(rtc, value);
    else if (rtc->index == REGISTER_B)
        write_b(rtc, value);
    else if (rtc->index != REGISTER_C && rtc->index != REGISTER_D)
        rtc->memory[rtc->index] = value;
    if (rtc->index < REGISTER_C || rtc->index == MC146818_CENTURY)
        settle(rtc);
}

static uint8_t read_byte(void *chip, uint64_t offset)
{
    return offset == 1 ? read_data(chip) : 0xff; // the index cannot be read
}

static void write_byte(void *chip, uint64_t offset, uint8_t value)
{
    struct mc146818 *rtc = chip;

    if (offset == 0)
        rtc->index = value & INDEX_MASK;
    else if (offset == 1)
        write_data(rtc, value);
}

static uint64_t mc146818_read(void *device, uint64_t offset, unsigned width_bytes)
{
    return byte_port_read(device, read_byte, offset, width_bytes);
}

static void mc146818_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    byte_port_write(device, write_byte, offset, width_bytes, value);
}

// The RESET pin: interrupts off, time and memory stay, since the battery keeps them.
static void mc146818_reset(void *device)
{
    struct mc146818 *rtc = device;

    sync_to_now(rtc);
    rtc->memory[REGISTER_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    rtc->flags = 0;
    rtc->index = 0;
    settle(rtc);
}

const struct device_ops mc146818_ops = {
    .read = mc146818_read,
    .write = mc146818_write,
    .reset = mc146818_reset,
};

// --- start --------------------------------------------------------------------------------------

static void put_number(uint8_t *bytes, unsigned size_bytes, uint64_t value)
{
    for (unsigned i = 0; i < size_bytes; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t units_above(uint64_t bytes, uint64_t start, uint64_t unit, uint64_t highest)
{
    uint64_t units = bytes > start ? (bytes - start) / unit : 0;

    return units < highest ? units : highest;
}

static void fill_memory(uint8_t *memory, uint64_t low_bytes, uint64_t high_bytes)
{
    uint16_t checksum = 0;
    uint64_t extended_kib = units_above(low_bytes, MIB, KIB, 0xffff);

    memory[CMOS_EQUIPMENT] = EQUIPMENT_FPU;
    put_number(&memory[CMOS_BASE_KIB], 2, CONVENTIONAL_KIB);
    put_number(&memory[CMOS_EXTENDED_KIB], 2, extended_kib);
    put_number(&memory[CMOS_EXTENDED_KIB_2], 2, extended_kib);
    put_number(&memory[CMOS_ABOVE_16M_64KIB], 2,
               units_above(low_bytes, 16 * MIB, 64 * KIB, 0xffff));
    put_number(&memory[CMOS_ABOVE_4G_64KIB], 3, units_above(high_bytes, 0, 64 * KIB, 0xffffff));
    for (unsigned i = 0x10; i < CMOS_CHECKSUM; i++)
        checksum += memory[i];
    memory[CMOS_CHECKSUM] = (uint8_t)(checksum >> 8);
    memory[CMOS_CHECKSUM + 1] = (uint8_t)checksum;
}

static void set_utc(struct mc146818_time *time, uint64_t utc_seconds)
{
    uint64_t days = utc_seconds / SECONDS_PER_DAY;

    memset(time, 0, sizeof(*time));
    advance_time(time, utc_seconds % SECONDS_PER_DAY);
    date_from_days(time, (int64_t)days);
    time->weekday = (uint8_t)((days + 4) % 7 + 1); // 1970-01-01 was a Thursday
}

void mc146818_init(struct mc146818 *rtc, struct irq_line irq8, const struct device_timer *timer,
                   uint64_t utc_seconds, uint64_t low_memory_bytes, uint64_t high_memory_bytes)
{
    memset(rtc, 0, sizeof(*rtc));
    rtc->irq8 = irq8;
    rtc->timer = *timer;
    rtc->second_ns = rtc->sync_ns = now_ns(rtc);
    set_utc(&rtc->time, utc_seconds);
    rtc->memory[REGISTER_A] = A_POWER_ON;
    rtc->memory[REGISTER_B] = B_24_HOURS;
    fill_memory(rtc->memory, low_memory_bytes, high_memory_bytes);
    mc146818_reset(rtc);
}
