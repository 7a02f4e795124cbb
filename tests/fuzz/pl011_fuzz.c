// Random accesses, input and sink behaviour; FIFO counts stay within bounds and the line matches
// MIS.
#include "tests/fuzz/chip_fuzz.h"
#include "vmm/chips/pl011.h"

struct world {
    struct pl011 uart; // first: the chip
    struct fake_line line;
    uint64_t room;
};

static size_t transmit(void *context, const uint8_t *bytes, size_t count)
{
    struct world *world = context;
    const size_t taken = count < world->room ? count : (size_t)world->room;

    if (count > PL011_FIFO_COUNT || (count > 0 && !bytes))
        __builtin_trap();
    world->room -= taken;
    return taken;
}

static void receive_ready(void *context)
{
    struct world *world = context;

    (void)pl011_receive(&world->uart, (const uint8_t *)"0123456789abcdefghijklmnopqrstuvwxyz", 36);
}

static void event(void *chip, uint8_t kind, uint64_t value)
{
    struct world *world = chip;

    world->room = value % 64;
    if (kind & 1)
        pl011_writable(&world->uart);
    else
        (void)pl011_receive(&world->uart, (const uint8_t *)&value, sizeof(value));
    if (world->uart.receive_count > PL011_FIFO_COUNT ||
        world->uart.transmit_count > PL011_FIFO_COUNT)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct device_ops *const ranges[] = {&pl011_ops};
    struct world world = {.room = 3};
    const struct uart_host host = {transmit, receive_ready, &world};
    const struct chip_fuzz fuzz = {
        .ranges = ranges, .range_count = 1, .range_size = 0x50, .chip = &world, .event = event};

    pl011_init(&world.uart, &host, fake_line_connect(&world.line));
    chip_fuzz_run(&fuzz, data, size);
    if (world.line.level != (pl011_ops.read(&world.uart, 0x40, 4) != 0))
        __builtin_trap();
    return 0;
}
