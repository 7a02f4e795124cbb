// A push button; the contract is in the header.
#include "vmm/chips/gpio_button.h"

void gpio_button_init(struct gpio_button *button, struct pl061 *gpio, unsigned pin,
                      const struct device_timer *timer)
{
    *button = (struct gpio_button){.gpio = gpio, .pin = pin, .timer = *timer};
}

void gpio_button_press(struct gpio_button *button)
{
    const struct device_timer *timer = &button->timer;

    timer->arm(timer->context, timer->now_ns(timer->context) + GPIO_BUTTON_PRESS_NS);
    pl061_set_input(button->gpio, button->pin, true);
}

void gpio_button_timer_expired(struct gpio_button *button)
{
    pl061_set_input(button->gpio, button->pin, false);
}
