// A PS/2 controller whose status and data are the input's bytes: the driver's work ends, however
// long it is kept waiting.
#include <assert.h>
#include <stddef.h>

#include "user/portable/ps2_controller.h"

#define PAUSE_NS     1000000
#define ACCESSES_MAX 20000 // of one call: each of its waits is bounded

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t input_size, at;
static int64_t now;
static unsigned access_count;

// The input again and again.
static uint8_t next(void)
{
    assert(++access_count < ACCESSES_MAX);
    return input_size ? input[at++ % input_size] : 0xff;
}

static bool take(uint8_t value)
{
    (void)value;
    assert(++access_count < ACCESSES_MAX);
    return true;
}

static int64_t now_ns(void)
{
    return now;
}

static void pause_a_while(void)
{
    now += PAUSE_NS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ps2_controller_ops ops = {next, next, take, take, now_ns, pause_a_while};
    struct ps2_controller controller;
    uint8_t byte;

    input = data;
    input_size = size;
    at = 0;
    now = 0;
    access_count = 0;
    if (ps2_controller_start(&controller, &ops))
        return 0;
    for (unsigned i = 0; i < 4; i++) {
        access_count = 0;
        (void)ps2_keyboard_reset(&controller);
        access_count = 0;
        (void)ps2_keyboard_start(&controller);
        access_count = 0;
        ps2_keyboard_show(&controller, 7);
        assert(controller.typed_count <= PS2_TYPED_MAX);
        access_count = 0;
        for (unsigned j = 0; j < PS2_TYPED_MAX / 2; j++)
            (void)ps2_controller_take(&controller, &byte);
    }
    (void)!ps2_controller_enable_interrupt(&controller);
    return 0;
}
