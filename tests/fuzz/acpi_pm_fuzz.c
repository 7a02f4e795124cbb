// Random accesses, button presses and time steps.
#include "tests/fuzz/chip_fuzz.h"
#include "vmm/chips/acpi_pm.h"

static void ignore(void *context)
{
    (void)context;
}

static void expired(void *chip)
{
    acpi_pm_timer_expired(chip);
}

static void event(void *chip, uint8_t kind, uint64_t value)
{
    (void)value;
    if (kind & 1)
        acpi_pm_press_power_button(chip);
    else
        acpi_pm_timer_expired(chip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct device_ops *const ranges[] = {&acpi_pm_ops, &acpi_pm_reset_ops};
    struct acpi_pm pm;
    struct acpi_pm_host host = {.power_off = ignore, .reset = ignore};
    struct fake_line line = {0};
    struct fake_timer timer = {0};
    struct device_timer connected = fake_timer_connect(&timer);
    struct chip_fuzz fuzz = {.ranges = ranges,
                             .range_count = 2,
                             .range_size = 16,
                             .chip = &pm,
                             .event = event,
                             .expired = expired,
                             .timer = &timer};

    acpi_pm_init(&pm, &host, fake_line_connect(&line), &connected, size & 1 ? 24 : 32);
    chip_fuzz_run(&fuzz, data, size);
    if (line.level != pm.sci_level)
        __builtin_trap();
    return 0;
}
