// Random accesses and time steps; the timer neither storms nor stays in the past.
#include "tests/fuzz/chip_fuzz.h"
#include "vmm/chips/i8254.h"

static void expired(void *chip)
{
    i8254_timer_expired(chip);
}

static void event(void *chip, uint8_t kind, uint64_t value)
{
    (void)kind;
    (void)value;
    i8254_timer_expired(chip); // too early, or not armed at all
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct device_ops *const ranges[] = {&i8254_ops, &i8254_port61_ops};
    struct i8254 pit;
    struct fake_line line = {0};
    struct fake_timer timer = {0};
    struct device_timer connected = fake_timer_connect(&timer);
    struct chip_fuzz fuzz = {.ranges = ranges,
                             .range_count = 2,
                             .range_size = 5,
                             .chip = &pit,
                             .event = event,
                             .expired = expired,
                             .timer = &timer};

    i8254_init(&pit, fake_line_connect(&line), &connected);
    chip_fuzz_run(&fuzz, data, size);
    return 0;
}
