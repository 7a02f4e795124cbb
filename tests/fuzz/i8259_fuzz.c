// Random accesses, input changes and acknowledge cycles; a vector is always one of the two blocks.
#include "tests/fuzz/chip_fuzz.h"
#include "vmm/chips/i8259.h"

static void event(void *chip, uint8_t kind, uint64_t value)
{
    struct i8259 *pics = chip;
    uint8_t vector;

    if (kind & 1) {
        i8259_set_input(pics, (unsigned)value & 31, kind & 2);
        return;
    }
    vector = i8259_acknowledge(pics);
    if ((vector & 0xf8) != pics->master.vector_base && (vector & 0xf8) != pics->slave.vector_base)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct device_ops *const ranges[] = {&i8259_master_ops, &i8259_slave_ops,
                                                      &i8259_elcr_ops};
    struct i8259 pics;
    struct fake_line line = {0};
    struct chip_fuzz fuzz = {
        .ranges = ranges, .range_count = 3, .range_size = 3, .chip = &pics, .event = event};

    i8259_init(&pics, fake_line_connect(&line));
    chip_fuzz_run(&fuzz, data, size);
    if (line.level != pics.master.intr)
        __builtin_trap();
    return 0;
}
