// Random accesses, input and sink behaviour; FIFO counts stay within bounds and the line matches
// IIR.
#include "tests/fuzz/chip_fuzz.h"
#include "vmm/chips/ns16550.h"

struct world {
    struct ns16550 uart; // first: the chip
    struct fake_line line;
    uint64_t room;
};

static size_t transmit(void *context, const uint8_t *bytes, size_t count)
{
    struct world *world = context;
    size_t taken = count < world->room ? count : (size_t)world->room;

    if (count > NS16550_FIFO_BYTES || (count > 0 && !bytes))
        __builtin_trap();
    world->room -= taken;
    return taken;
}

static void receive_ready(void *context)
{
    struct world *world = context;

    (void)ns16550_receive(&world->uart, (const uint8_t *)"0123456789abcdefghij", 20);
}

static void event(void *chip, uint8_t kind, uint64_t value)
{
    struct world *world = chip;

    world->room = value % 64;
    if (kind & 1)
        ns16550_writable(&world->uart);
    else
        (void)ns16550_receive(&world->uart, (const uint8_t *)&value, sizeof(value));
    if (world->uart.receive_fifo.count > NS16550_FIFO_BYTES ||
        world->uart.transmit_fifo.count > NS16550_FIFO_BYTES)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct device_ops *const ranges[] = {&ns16550_ops};
    struct world world = {.room = 3};
    struct uart_host host = {transmit, receive_ready, &world};
    struct chip_fuzz fuzz = {
        .ranges = ranges, .range_count = 1, .range_size = 10, .chip = &world, .event = event};

    ns16550_init(&world.uart, &host, fake_line_connect(&world.line));
    chip_fuzz_run(&fuzz, data, size);
    if (world.line.level != world.uart.irq_level)
        __builtin_trap();
    return 0;
}
