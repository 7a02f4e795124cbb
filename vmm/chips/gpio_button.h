// A push button on a pin of a PL061, which someone presses and lets go of.
//
// The pin is high while it is pressed, long enough for a driver that waits for the contacts to come
// to rest and then looks at the pin.
#pragma once

#include "vmm/chips/pl061.h"

#define GPIO_BUTTON_PRESS_NS UINT64_C(500000000)

struct gpio_button {
    struct pl061 *gpio;
    unsigned pin;
    struct device_timer timer;
};

void gpio_button_init(struct gpio_button *button, struct pl061 *gpio, unsigned pin,
                      const struct device_timer *timer);

// Pressed again while it is down, it stays down longer.
void gpio_button_press(struct gpio_button *button);

// The timer's deadline has passed.
void gpio_button_timer_expired(struct gpio_button *button);
