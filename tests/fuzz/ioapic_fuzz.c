// Random accesses, input changes and EOIs; an interrupt awaiting its EOI is level-triggered.
#include "tests/fuzz/chip_fuzz.h"
#include "vmm/chips/ioapic.h"

static void send_message(void *context, uint64_t address, uint32_t data)
{
    (void)context;
    if (address >> 20 != 0xfee || data >> 16 != 0)
        __builtin_trap();
}

static void event(void *chip, uint8_t kind, uint64_t value)
{
    uint64_t vectors[4] = {0};

    if (kind & 1)
        ioapic_set_input(chip, (unsigned)value & 31, kind & 2);
    else if (kind & 2)
        ioapic_eoi(chip, (uint8_t)value);
    else // straight to one entry
        ioapic_ops.write(chip, 0x00, 4, 0x10 + value % 0x34);
    ioapic_level_vectors(chip, vectors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct device_ops *const ranges[] = {&ioapic_ops};
    struct ioapic ioapic;
    struct ioapic_host host = {.send_message = send_message};
    struct chip_fuzz fuzz = {
        .ranges = ranges, .range_count = 1, .range_size = 0x18, .chip = &ioapic, .event = event};

    uint8_t page[IOAPIC_SIZE_BYTES] = {0};
    uint32_t shown;

    ioapic_init(&ioapic, &host);
    ioapic_show_registers(&ioapic, page);
    chip_fuzz_run(&fuzz, data, size);
    memcpy(&shown, page + 0x10, sizeof(shown));
    if (shown != ioapic_ops.read(&ioapic, 0x10, 4))
        __builtin_trap();
    for (unsigned i = 0; i < IOAPIC_INPUT_COUNT; i++) {
        if ((ioapic.redirtbl[i] & 1u << 14) && !(ioapic.redirtbl[i] & 1u << 15))
            __builtin_trap();
    }
    return 0;
}
