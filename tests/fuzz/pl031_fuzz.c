// Random accesses and time steps; the timer neither storms nor stays in the past, and the line
// matches MIS.
#include "tests/fuzz/chip_fuzz.h"
#include "vmm/chips/pl031.h"

static void expired(void *chip)
{
    pl031_timer_expired(chip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct device_ops *const ranges[] = {&pl031_ops};
    struct pl031 rtc;
    struct fake_line line = {0};
    struct fake_timer timer = {0};
    const struct device_timer connected = fake_timer_connect(&timer);
    const struct chip_fuzz fuzz = {.ranges = ranges,
                                   .range_count = 1,
                                   .range_size = 0x24,
                                   .chip = &rtc,
                                   .expired = expired,
                                   .timer = &timer};

    pl031_init(&rtc, fake_line_connect(&line), &connected, size * 0x1234567);
    chip_fuzz_run(&fuzz, data, size);
    if (line.level != (pl031_ops.read(&rtc, 0x18, 4) != 0))
        __builtin_trap();
    return 0;
}
