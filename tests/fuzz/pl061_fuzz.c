// Random accesses to the GPIO controller, and levels of its pins.
#include "tests/fuzz/chip_fuzz.h"
#include "vmm/chips/pl061.h"

static uint64_t high_read(void *chip, uint64_t offset, unsigned width_bytes)
{
    return pl061_ops.read(chip, offset + 0x400, width_bytes);
}

static void high_write(void *chip, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    pl061_ops.write(chip, offset + 0x400, width_bytes, value);
}

static void reset(void *chip)
{
    pl061_ops.reset(chip);
}

static void event(void *chip, uint8_t kind, uint64_t value)
{
    pl061_set_input(chip, kind, value & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct device_ops high_ops = {
        .read = high_read, .write = high_write, .reset = reset};
    static const struct device_ops *const ranges[] = {&pl061_ops, &high_ops};
    struct pl061 gpio;
    struct fake_line line = {0};
    struct chip_fuzz fuzz = {
        .ranges = ranges, .range_count = 2, .range_size = 256, .chip = &gpio, .event = event};

    pl061_init(&gpio, fake_line_connect(&line));
    chip_fuzz_run(&fuzz, data, size);
    // What the registers show is what the line has.
    if (line.level != (pl061_ops.read(&gpio, 0x418, 4) != 0))
        __builtin_trap();
    return 0;
}
