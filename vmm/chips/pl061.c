// The PL061; the contract is in the header.
#include "vmm/chips/pl061.h"

#include <string.h>

// "Summary of PrimeCell GPIO registers". GPIODATA takes the first KiB: bits 9 to 2 of the address
// choose pins.
#define GPIODATA_END 0x400u
#define GPIODIR      0x400u
#define GPIOIS       0x404u
#define GPIOIBE      0x408u
#define GPIOIEV      0x40cu
#define GPIOIE       0x410u
#define GPIORIS      0x414u
#define GPIOMIS      0x418u
#define GPIOIC       0x41cu
#define GPIOAFSEL    0x420u
#define GPIO_ID      0xfe0u

// GPIOPeriphID0 to 3, GPIOPCellID0 to 3.
static const uint8_t IDS[] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static uint8_t pins(const struct pl061 *gpio)
{
    return (uint8_t)((gpio->outputs & gpio->dir) | (gpio->inputs & ~gpio->dir));
}

static uint8_t raw_interrupts(const struct pl061 *gpio)
{
    const uint8_t levels = (uint8_t)(~(gpio->inputs ^ gpio->iev) & gpio->is & ~gpio->dir);

    return (uint8_t)(levels | (gpio->edges & ~gpio->is));
}

static void update_irq(struct pl061 *gpio)
{
    const bool level = (raw_interrupts(gpio) & gpio->ie) != 0;

    if (level == gpio->irq_level)
        return;
    gpio->irq_level = level;
    irq_line_set(&gpio->irq, level);
}

void pl061_set_input(struct pl061 *gpio, unsigned pin, bool level)
{
    if (pin >= PL061_PIN_COUNT)
        return;
    const uint8_t bit = (uint8_t)(1u << pin), before = gpio->inputs;
    gpio->inputs = (uint8_t)(level ? before | bit : before & ~bit);
    const bool is_wanted = (gpio->ibe & bit) || level == ((gpio->iev & bit) != 0);
    if (gpio->inputs != before && !(gpio->dir & bit) && !(gpio->is & bit) && is_wanted)
        gpio->edges |= bit;
    update_irq(gpio);
}

// The registers that are plain bytes; NULL: it is none of them.
static uint8_t *find_plain(struct pl061 *gpio, uint64_t offset)
{
    switch (offset) {
    case GPIODIR:
        return &gpio->dir;
    case GPIOIS:
        return &gpio->is;
    case GPIOIBE:
        return &gpio->ibe;
    case GPIOIEV:
        return &gpio->iev;
    case GPIOIE:
        return &gpio->ie;
    case GPIOAFSEL:
        return &gpio->afsel;
    }
    return NULL;
}

static uint8_t read_register(struct pl061 *gpio, uint64_t offset)
{
    const uint8_t *plain = find_plain(gpio, offset);

    if (plain)
        return *plain;
    if (offset < GPIODATA_END)
        return pins(gpio) & (uint8_t)(offset >> 2);
    if (offset == GPIORIS)
        return raw_interrupts(gpio);
    if (offset == GPIOMIS)
        return raw_interrupts(gpio) & gpio->ie;
    if (offset >= GPIO_ID && offset < GPIO_ID + 4 * sizeof(IDS))
        return IDS[(offset - GPIO_ID) / 4];
    return 0;
}

// Registers are the lowest byte of a word; the other three read as zero.
static uint64_t pl061_read(void *device, uint64_t offset, unsigned width_bytes)
{
    (void)width_bytes;
    return offset % 4 == 0 ? read_register(device, offset) : 0;
}

static void pl061_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    struct pl061 *gpio = device;
    uint8_t *plain = find_plain(gpio, offset);

    (void)width_bytes;
    if (offset % 4 != 0)
        return;
    if (plain) {
        *plain = (uint8_t)value;
    } else if (offset < GPIODATA_END) {
        const uint8_t mask = (uint8_t)(offset >> 2) & gpio->dir;
        gpio->outputs = (uint8_t)((gpio->outputs & ~mask) | (value & mask));
    } else if (offset == GPIOIC) {
        gpio->edges &= (uint8_t)~value;
    }
    update_irq(gpio);
}

// What is outside keeps the levels of the inputs.
static void pl061_reset(void *device)
{
    struct pl061 *gpio = device;

    gpio->outputs = gpio->dir = gpio->is = gpio->ibe = gpio->iev = gpio->ie = 0;
    gpio->edges = gpio->afsel = 0;
    update_irq(gpio);
}

const struct device_ops pl061_ops = {
    .read = pl061_read,
    .write = pl061_write,
    .reset = pl061_reset,
};

void pl061_init(struct pl061 *gpio, struct irq_line irq)
{
    memset(gpio, 0, sizeof(*gpio));
    gpio->irq = irq;
}
