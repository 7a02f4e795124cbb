// Random accesses to the keyboard controller.
#include "tests/fuzz/chip_fuzz.h"
#include "vmm/chips/i8042.h"

static void reset(void *context)
{
    i8042_data_ops.reset(context); // as a machine that resets everything at once
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct device_ops *const ranges[] = {&i8042_data_ops, &i8042_command_ops};
    struct i8042 controller;
    struct i8042_host host = {.reset = reset, .context = &controller};
    struct fake_line line = {0};
    struct chip_fuzz fuzz = {
        .ranges = ranges, .range_count = 2, .range_size = 2, .chip = &controller};

    i8042_init(&controller, &host, fake_line_connect(&line));
    chip_fuzz_run(&fuzz, data, size);
    if (line.level != controller.irq_level)
        __builtin_trap();
    return 0;
}
