// The GPIO controller and a button on one of its pins, used as Linux's drivers do.
#include <string.h>

#include "tests/test.h"
#include "tests/unit/chip_fakes.h"
#include "vmm/chips/gpio_button.h"

#define GPIODIR 0x400
#define GPIOIS  0x404
#define GPIOIBE 0x408
#define GPIOIEV 0x40c
#define GPIOIE  0x410
#define GPIORIS 0x414
#define GPIOMIS 0x418
#define GPIOIC  0x41c
#define DATA(m) ((uint64_t)(m) << 2)

static struct pl061 gpio;
static struct fake_line irq;
static struct fake_timer timer;
static struct gpio_button button;

static void start(void)
{
    const struct device_timer connected = fake_timer_connect(&timer);

    irq = (struct fake_line){.level = false};
    timer = (struct fake_timer){.now_ns = 1000};
    pl061_init(&gpio, fake_line_connect(&irq));
    gpio_button_init(&button, &gpio, 3, &connected);
}

static unsigned get(uint64_t offset)
{
    return (unsigned)pl061_ops.read(&gpio, offset, 1);
}

static void put(uint64_t offset, uint8_t value)
{
    pl061_ops.write(&gpio, offset, 1, value);
}

static void button_expired(void *device)
{
    gpio_button_timer_expired(device);
}

TEST(gpio_has_the_ids_of_a_primecell)
{
    static const uint8_t ids[] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    start();
    for (unsigned i = 0; i < sizeof(ids); i++)
        EXPECT_EQ(pl061_ops.read(&gpio, 0xfe0 + 4 * i, 4), ids[i]);
}

TEST(gpio_data_is_masked_by_the_address)
{
    start();
    pl061_set_input(&gpio, 0, true);
    pl061_set_input(&gpio, 7, true);
    EXPECT_EQ(get(DATA(0xff)), 0x81);
    EXPECT_EQ(get(DATA(0x80)), 0x80);
    EXPECT_EQ(get(DATA(0x7e)), 0);
    put(GPIODIR, 0x0f);
    put(DATA(0x06), 0xff);
    EXPECT_EQ(get(DATA(0xff)), 0x86); // pin 0 is an output now, and low
    put(DATA(0xf0), 0xff);            // inputs cannot be driven
    put(GPIODIR, 0xff);
    EXPECT_EQ(get(DATA(0xff)), 0x06);
}

TEST(gpio_keeps_a_rising_edge_until_it_is_cleared)
{
    start();
    put(GPIOIEV, 0x08);
    put(GPIOIE, 0x08);
    pl061_set_input(&gpio, 3, true);
    pl061_set_input(&gpio, 3, true);
    EXPECT_TRUE(irq.level);
    EXPECT_EQ(get(GPIOMIS), 0x08);
    pl061_set_input(&gpio, 3, false);
    EXPECT_EQ(get(GPIORIS), 0x08);
    put(GPIOIC, 0xf7);
    EXPECT_TRUE(irq.level);
    put(GPIOIC, 0x08);
    EXPECT_FALSE(irq.level);
    EXPECT_EQ(irq.rising_count, 1);
}

TEST(gpio_interrupts_at_the_edges_asked_for)
{
    start();
    put(GPIOIE, 0xff);
    put(GPIOIBE, 0x01);
    put(GPIOIEV, 0x04);
    for (unsigned pin = 0; pin < 3; pin++)
        pl061_set_input(&gpio, pin, true);
    EXPECT_EQ(get(GPIORIS), 0x05);
    put(GPIOIC, 0xff);
    for (unsigned pin = 0; pin < 3; pin++)
        pl061_set_input(&gpio, pin, false);
    EXPECT_EQ(get(GPIORIS), 0x03);
}

TEST(gpio_level_interrupts_as_long_as_the_level_holds)
{
    start();
    put(GPIOIS, 0x03);
    put(GPIOIEV, 0x01);
    put(GPIOIE, 0x01);
    EXPECT_EQ(get(GPIORIS), 0x02); // low, as it wants to be
    EXPECT_FALSE(irq.level);
    pl061_set_input(&gpio, 0, true);
    put(GPIOIC, 0xff);
    EXPECT_TRUE(irq.level);
    pl061_set_input(&gpio, 0, false);
    EXPECT_FALSE(irq.level);
}

TEST(gpio_masked_interrupt_shows_when_unmasked)
{
    start();
    put(GPIOIBE, 0x10);
    pl061_set_input(&gpio, 4, true);
    EXPECT_EQ(get(GPIOMIS), 0);
    EXPECT_FALSE(irq.level);
    put(GPIOIE, 0x10);
    EXPECT_TRUE(irq.level);
    pl061_ops.reset(&gpio);
    EXPECT_FALSE(irq.level);
    EXPECT_EQ(get(DATA(0xff)), 0x10);
}

TEST(gpio_outputs_do_not_interrupt)
{
    start();
    put(GPIODIR, 0xff);
    put(GPIOIBE, 0xff);
    put(GPIOIE, 0xff);
    pl061_set_input(&gpio, 2, true);
    put(DATA(0xff), 0xff);
    EXPECT_EQ(get(GPIORIS), 0);
    pl061_set_input(&gpio, PL061_PIN_COUNT, true);
    EXPECT_EQ(gpio.inputs, 0x04);
}

TEST(gpio_ignores_what_is_between_registers)
{
    start();
    pl061_ops.write(&gpio, GPIOIE + 1, 1, 0xff);
    pl061_ops.write(&gpio, 0x424, 4, 0xff);
    EXPECT_EQ(get(GPIOIE), 0);
    EXPECT_EQ(get(GPIOIE + 1), 0);
    EXPECT_EQ(pl061_ops.read(&gpio, 0x424, 8), 0);
}

TEST(button_is_down_for_a_while)
{
    start();
    put(GPIOIBE, 0x08);
    put(GPIOIE, 0x08);
    gpio_button_press(&button);
    EXPECT_TRUE(irq.level);
    EXPECT_EQ(get(DATA(0x08)), 0x08);
    put(GPIOIC, 0x08);
    EXPECT_EQ(fake_timer_advance(&timer, GPIO_BUTTON_PRESS_NS - 1, button_expired, &button, 2), 0);
    EXPECT_EQ(get(DATA(0x08)), 0x08);
    EXPECT_EQ(fake_timer_advance(&timer, 1, button_expired, &button, 2), 1);
    EXPECT_EQ(get(DATA(0x08)), 0);
    EXPECT_EQ(get(GPIORIS), 0x08);
}

TEST(button_pressed_again_stays_down)
{
    start();
    gpio_button_press(&button);
    EXPECT_EQ(fake_timer_advance(&timer, GPIO_BUTTON_PRESS_NS / 2, button_expired, &button, 2), 0);
    gpio_button_press(&button);
    EXPECT_EQ(fake_timer_advance(&timer, GPIO_BUTTON_PRESS_NS - 1, button_expired, &button, 2), 0);
    EXPECT_EQ(fake_timer_advance(&timer, 1, button_expired, &button, 2), 1);
}
