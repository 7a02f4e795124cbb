// The clock (time-stamp counter), this CPU's timer (local APIC), and the machine's own clock
// (MC146818).
//
// The counter is taken to run at one rate and in step on all CPUs, as it does on every CPU with
// virtualization and under every hypervisor. Conversions multiply by a 32.32 fixed-point ratio in
// 128 bits. Intel SDM Volume 3B, "Time-Stamp Counter"; CPUID leaf 0x15 and, of hypervisors,
// 0x40000010.
#include <arch/time.h>

#include <arch/mmu.h>

#include "kernel/arch/x86_64/acpi.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/regs/cpuid.h"
#include "kernel/arch/x86_64/regs/hpet.h"
#include "kernel/arch/x86_64/regs/io.h"
#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/tsc.h"
#include "kernel/core/log.h"
#include "kernel/lib/ratio.h"

#define NS_PER_S ((uint64_t)1000000000)
#define FS_PER_S ((uint64_t)1000000000000000)

#define CALIBRATION_ROUNDS  5
#define CALIBRATION_DIVISOR 100 // of a second: 10 ms
// A wait for hardware that never comes ends after this many reads.
#define CALIBRATION_LOOPS_MAX 100000000

static uint64_t tsc_frequency, apic_timer_frequency;
static uint64_t tsc_start;
static uint64_t ns_per_tsc, tsc_per_ns, apic_ticks_per_ns; // << RATIO_SHIFT

uint64_t tsc_hz(void)
{
    return tsc_frequency;
}

int64_t tsc_to_ns(uint64_t tsc)
{
    return (int64_t)ratio_scale(tsc - tsc_start, ns_per_tsc);
}

uint64_t tsc_from_ns(int64_t time_ns)
{
    return tsc_start + ratio_scale((uint64_t)time_ns, tsc_per_ns);
}

mx_time_t arch_time_now(void)
{
    return tsc_to_ns(tsc_read());
}

// --- calibration
// ------------------------------------------------------------------------------------

// What counts at a known rate.
struct reference_clock {
    uint64_t (*read)(void);
    uint64_t frequency_hz;
    uint64_t mask;
};

// A moment in all three clocks.
struct sample {
    uint64_t reference, tsc, uncertainty;
    uint32_t apic;
};

static volatile uint64_t *hpet;

static uint64_t hpet_read(void)
{
    return hpet[HPET_COUNTER / 8];
}

static uint64_t pit_read(void)
{
    uint32_t low, high;

    io_write8(PIT_COMMAND, 0x80); // latch channel 2
    low = io_read8(PIT_CHANNEL2);
    high = io_read8(PIT_CHANNEL2);
    return 0xffff - (high << 8 | low); // it counts down
}

static void pit_start(void)
{
    io_write8(PORT_B, (io_read8(PORT_B) & ~PORT_B_SPEAKER) | PORT_B_TIMER2_GATE);
    io_write8(PIT_COMMAND, PIT_CHANNEL2_ONE_SHOT);
    io_write8(PIT_CHANNEL2, 0xff);
    io_write8(PIT_CHANNEL2, 0xff);
}

static struct reference_clock choose_reference(uint64_t hpet_address)
{
    uint64_t period_fs;

    hpet = hpet_address ? arch_map_device(PADDR(hpet_address), HPET_REGISTERS_SIZE) : NULL;
    if (hpet) {
        period_fs = hpet[HPET_CAPABILITIES / 8] >> HPET_PERIOD_SHIFT;
        hpet[HPET_CONFIGURATION / 8] |= HPET_CONFIGURATION_ENABLE;
        if (period_fs > 0 && period_fs <= HPET_PERIOD_MAX_FS)
            return (struct reference_clock){hpet_read, FS_PER_S / period_fs, UINT32_MAX};
    }
    pit_start();
    return (struct reference_clock){pit_read, PIT_FREQUENCY_HZ, 0xffff};
}

// Reads the clocks as close together as a few tries get them: anything may interrupt a virtual
// machine in between.
static struct sample take_sample(const struct reference_clock *clock)
{
    struct sample best = {.uncertainty = UINT64_MAX};

    for (unsigned i = 0; i < CALIBRATION_ROUNDS; i++) {
        uint64_t before = tsc_read();
        uint64_t reference = clock->read();
        uint32_t apic = apic_timer_current();
        uint64_t after = tsc_read();

        if (after - before < best.uncertainty)
            best = (struct sample){reference, before + (after - before) / 2, after - before, apic};
    }
    return best;
}

static void calibrate(uint64_t hpet_address)
{
    struct reference_clock clock = choose_reference(hpet_address);
    struct sample first, last;
    uint64_t elapsed;

    apic_timer_start(UINT32_MAX);
    first = take_sample(&clock);
    for (uint32_t i = 0; i < CALIBRATION_LOOPS_MAX; i++) {
        if (((clock.read() - first.reference) & clock.mask) >=
            clock.frequency_hz / CALIBRATION_DIVISOR)
            break;
    }
    last = take_sample(&clock);
    apic_timer_start(0);
    elapsed = (last.reference - first.reference) & clock.mask;
    if (elapsed == 0)
        panic("no clock to measure the time-stamp counter with: neither HPET nor 8254 counts");
    tsc_frequency = (last.tsc - first.tsc) * clock.frequency_hz / elapsed;
    apic_timer_frequency = (uint64_t)(first.apic - last.apic) * clock.frequency_hz / elapsed;
}

// What the CPU or the hypervisor below says; 0 if nothing.
static uint64_t tsc_frequency_told(void)
{
    struct cpuid_result r = cpuid_read_if_present(0x15, 0);

    if (r.eax && r.ebx && r.ecx)
        return (uint64_t)r.ecx * r.ebx / r.eax;
    if (cpuid_has(CPUID_HYPERVISOR)) {
        r = cpuid_read_if_present(0x40000010, 0);
        return (uint64_t)r.eax * 1000;
    }
    return 0;
}

void time_init(uint64_t hpet_address)
{
    uint64_t told = tsc_frequency_told();

    calibrate(hpet_address);
    if (told)
        tsc_frequency = told;
    if (tsc_frequency == 0 || apic_timer_frequency == 0)
        panic("the time-stamp counter or the local APIC's timer does not count");
    tsc_start = tsc_read();
    ns_per_tsc = ratio_make(NS_PER_S, tsc_frequency);
    tsc_per_ns = ratio_make(tsc_frequency, NS_PER_S);
    apic_ticks_per_ns = ratio_make(apic_timer_frequency, NS_PER_S);
}

void time_init_cpu(void)
{
    apic_timer_start(0);
    if (cpu_features.has_tsc_deadline)
        apic_timer_use_tsc_deadline();
}

void time_wait_us(uint32_t us)
{
    uint64_t start = tsc_read();

    while (tsc_read() - start < ratio_scale((uint64_t)us * 1000, tsc_per_ns))
        __asm__ volatile("pause");
}

// --- this CPU's timer
// -------------------------------------------------------------------------------

// Counters have room for less than the deadlines that programs ask for: a time too far comes early
// and is set again.
#define TIMER_AHEAD_MAX_NS MX_SEC(3600)

static void set_timer_by_tsc(mx_time_t deadline)
{
    mx_time_t last = arch_time_now() + TIMER_AHEAD_MAX_NS;

    if (deadline == MX_TIME_INFINITE)
        apic_timer_set_tsc_deadline(0);
    else
        apic_timer_set_tsc_deadline(tsc_from_ns(deadline < 0      ? 0
                                                : deadline < last ? deadline
                                                                  : last));
}

void arch_time_set_timer(mx_time_t deadline)
{
    mx_time_t now;
    uint64_t ticks;

    if (cpu_features.has_tsc_deadline) {
        set_timer_by_tsc(deadline);
        return;
    }
    if (deadline == MX_TIME_INFINITE) {
        apic_timer_start(0);
        return;
    }
    now = arch_time_now();
    if (deadline > now + TIMER_AHEAD_MAX_NS)
        deadline = now + TIMER_AHEAD_MAX_NS;
    // One more, so that it is never early.
    ticks = deadline > now ? ratio_scale((uint64_t)(deadline - now), apic_ticks_per_ns) + 1 : 1;
    apic_timer_start(ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX);
}

// --- the machine's own clock
// ------------------------------------------------------------------------

struct rtc_time {
    uint8_t seconds, minutes, hours, day, month, year, century, status_b;
};

#define RTC_READS_MAX 100000

static uint8_t rtc_read(uint8_t index)
{
    io_write8(RTC_INDEX, index);
    return io_read8(RTC_DATA);
}

static struct rtc_time rtc_read_all(void)
{
    uint8_t century = acpi_machine()->rtc_century_register;

    for (uint32_t i = 0; i < RTC_READS_MAX && (rtc_read(RTC_STATUS_A) & RTC_A_UPDATE); i++)
        arch_cpu_relax();
    return (struct rtc_time){
        .seconds = rtc_read(RTC_SECONDS),
        .minutes = rtc_read(RTC_MINUTES),
        .hours = rtc_read(RTC_HOURS),
        .day = rtc_read(RTC_DAY),
        .month = rtc_read(RTC_MONTH),
        .year = rtc_read(RTC_YEAR),
        .century = century ? rtc_read(century) : 0,
        .status_b = rtc_read(RTC_STATUS_B),
    };
}

static uint32_t rtc_decode(uint8_t value, uint8_t status_b)
{
    return status_b & RTC_B_BINARY ? value : (value >> 4) * 10u + (value & 0xf);
}

static uint32_t rtc_hours(const struct rtc_time *time)
{
    uint32_t hours = rtc_decode(time->hours & ~RTC_HOURS_PM, time->status_b);

    if (time->status_b & RTC_B_24_HOURS)
        return rtc_decode(time->hours, time->status_b);
    return hours % 12 + (time->hours & RTC_HOURS_PM ? 12 : 0);
}

// Days from 1970-01-01 to a date of the Gregorian calendar: years counted from March, so that the
// leap day is the last.
static int64_t days_from_date(int64_t year, uint32_t month, uint32_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t day_of_year = (153 * (int64_t)((month + 9) % 12) + 2) / 5 + day - 1;

    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

int64_t arch_time_utc_seconds(void)
{
    struct rtc_time time = rtc_read_all(), again = rtc_read_all();
    uint32_t month, day;
    int64_t year;

    // A tick between the two reads would have torn one of them.
    if (time.seconds != again.seconds)
        time = rtc_read_all();
    month = rtc_decode(time.month, time.status_b);
    day = rtc_decode(time.day, time.status_b);
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return 0;
    year = rtc_decode(time.year, time.status_b);
    year += time.century ? rtc_decode(time.century, time.status_b) * 100 : year < 70 ? 2000 : 1900;
    return days_from_date(year, month, day) * 86400 + rtc_hours(&time) * 3600 +
           rtc_decode(time.minutes, time.status_b) * 60 + rtc_decode(time.seconds, time.status_b);
}
