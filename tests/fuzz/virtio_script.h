// Turns fuzzer input into what a hostile driver does to a hosted virtio device: writes descriptors,
// rings and buffers, rings doorbells, resets and starts again.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DRIVER_RAM_BYTES 0x10000u
#include "tests/unit/virtio_fixture.h"

struct script {
    const uint8_t *bytes;
    size_t size_bytes;
};

// The next bytes of the input as a number; zeroes once it is used up.
static inline uint64_t script_take(struct script *script, size_t width_bytes)
{
    uint64_t value = 0;
    const size_t size = width_bytes < script->size_bytes ? width_bytes : script->size_bytes;
    memcpy(&value, script->bytes, size);
    script->bytes += size;
    script->size_bytes -= size;
    return value;
}

// An address that is usually inside RAM, and a size that usually fits.
static inline void script_set_descriptor(struct script *script, struct virtqueue_driver *driver)
{
    const uint16_t index = (uint16_t)(script_take(script, 1) % driver->layout.size);
    uint64_t address = script_take(script, 3);
    uint32_t size = (uint32_t)script_take(script, 2);
    const uint8_t flags = (uint8_t)script_take(script, 1);

    if (flags & 0x80)
        address = address << 40 | address; // anywhere
    else
        address = DRIVER_RAM_BASE + address % (DRIVER_RAM_BYTES + 0x100);
    if (flags & 0x40)
        size = size << 16 | size;
    driver_set(driver, index, address, size, flags & 7, (uint16_t)script_take(script, 1));
}

static inline void script_write_ram(struct script *script, struct virtqueue_driver *driver)
{
    const size_t offset = script_take(script, 3) % DRIVER_RAM_BYTES;
    size_t size = script_take(script, 1) % 64;

    if (size > DRIVER_RAM_BYTES - offset)
        size = DRIVER_RAM_BYTES - offset;
    if (size > script->size_bytes)
        size = script->size_bytes;
    memcpy(driver->ram + offset, script->bytes, size);
    script->bytes += size;
    script->size_bytes -= size;
}

static inline void script_restart(struct script *script, struct virtio_fixture *fixture)
{
    const uint64_t features = script_take(script, 4) | VIRTIO_F_VERSION_1;

    for (unsigned i = 0; i < fixture->queue_count; i++)
        fixture->queues[i].available_index = 0;
    memset(fixture->queues[0].ram, 0, DRIVER_RAM_BYTES);
    if (fixture_send_bare(fixture, VIRTIO_MESSAGE_RESET))
        abort(); // a reset never fails
    for (unsigned i = 0; i < fixture->queue_count; i++) {
        if (fixture_send_queue_start(fixture, i))
            abort(); // nor does a good queue
    }
    if (fixture_send_ready(fixture, features & device_host_features(&fixture->host)))
        abort();
}

// The device's back end answers, with something that the input chooses.
typedef void script_answer(struct virtio_fixture *fixture, unsigned index);

static inline void script_step(struct script *script, struct virtio_fixture *fixture,
                               script_answer *answer)
{
    const uint8_t what = (uint8_t)script_take(script, 1);
    const unsigned queue_index = (what >> 3) % fixture->queue_count;
    struct virtqueue_driver *driver = &fixture->queues[queue_index];

    switch (what & 7) {
    case 0:
    case 1:
        script_set_descriptor(script, driver);
        break;
    case 2:
        driver_offer(driver, (uint16_t)script_take(script, 1));
        break;
    case 3:
        driver_offer(driver, (uint16_t)script_take(script, 1));
        device_host_doorbell(&fixture->host, queue_index);
        break;
    case 4:
        script_write_ram(script, driver);
        break;
    case 5:
        device_host_doorbell(&fixture->host, what >> 3);
        break;
    case 6:
        device_host_continue(&fixture->host);
        if (answer)
            answer(fixture, what >> 3);
        break;
    default:
        script_restart(script, fixture);
        break;
    }
}

// Hosts `device` and lets the input act on it. `answer` may be NULL.
static inline void script_run(struct virtio_fixture *fixture, struct virtio_device *device,
                              const uint8_t *bytes, size_t size_bytes, script_answer *answer)
{
    struct script script = {bytes, size_bytes};

    fixture_init(fixture, device, 16);
    if (fixture_send_start(fixture))
        abort();
    script_restart(&script, fixture);
    while (script.size_bytes != 0)
        script_step(&script, fixture, answer);
    fixture_destroy(fixture);
}
