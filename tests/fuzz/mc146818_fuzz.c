// Random accesses and time steps; the time stays a time and the timer neither storms nor stays in
// the past.
#include "tests/fuzz/chip_fuzz.h"
#include "vmm/chips/mc146818.h"

static void expired(void *chip)
{
    mc146818_timer_expired(chip);
}

static void event(void *chip, uint8_t kind, uint64_t value)
{
    // Straight to one register, since index and data together are rare otherwise.
    mc146818_ops.write(chip, 0, 2, (uint64_t)(uint8_t)value << 8 | (kind & 0x3f));
}

static void check_time(const struct mc146818_time *time)
{
    if (time->second > 59 || time->minute > 59 || time->hour > 23 || time->weekday < 1 ||
        time->weekday > 7 || time->day < 1 || time->day > 31 || time->month < 1 ||
        time->month > 12 || time->year > 9999)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct device_ops *const ranges[] = {&mc146818_ops};
    struct mc146818 rtc;
    struct fake_line line = {0};
    struct fake_timer timer = {0};
    struct device_timer connected = fake_timer_connect(&timer);
    struct chip_fuzz fuzz = {.ranges = ranges,
                             .range_count = 1,
                             .range_size = 3,
                             .chip = &rtc,
                             .event = event,
                             .expired = expired,
                             .timer = &timer};

    mc146818_init(&rtc, fake_line_connect(&line), &connected, size * 0x1234567, size << 20, 0);
    chip_fuzz_run(&fuzz, data, size);
    check_time(&rtc.time);
    return 0;
}
