// The xHCI driver against a controller and devices that do anything: descriptors, faults, events
// and reports come from the input.
#include <stdlib.h>

#include "tests/unit/xhci_fixture.h"

struct input {
    const uint8_t *at;
    size_t left;
};

static struct input input;

static uint8_t take(void)
{
    if (input.left == 0)
        return 0;
    input.left--;
    return *input.at++;
}

static uint32_t take_u32(void)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 4; i++)
        value = value << 8 | take();
    return value;
}

static void prepare(struct fake_xhci *fake, unsigned port)
{
    const uint8_t lies = take();
    struct fake_device *device = lies & 0x80 ? fake_hub(fake, port) : fake_keyboard(fake, port);

    device->speed = take() & 15;
    device->stalled_request = take();
    device->silent_request = lies & 1 ? take() : 0;
    for (unsigned i = 0; i < (lies >> 1 & 7u); i++)
        device->configuration[take() % 40] = take();
    for (unsigned i = 0; i < (lies >> 4 & 3u); i++)
        device->device_descriptor[take() % 18] = take();
    if (lies & 0x40)
        device->configuration_bytes = take();
    device->hub_lies = lies & 8 ? (uint16_t)take_u32() : 0;
}

static void connect(struct fake_xhci *fake, unsigned port)
{
    prepare(fake, port);
    fake_connect(fake, port);
}

// Something comes or goes behind a hub, whether there is one or not.
static void change_hub(struct fake_xhci *fake, unsigned hub, uint8_t what)
{
    const unsigned port = 1 + what % FAKE_HUB_PORTS;
    const bool is_connected = !fake->devices[FAKE_PORTS + port].is_connected;

    if (is_connected)
        prepare(fake, FAKE_PORTS + port);
    fake_hub_change(fake, hub, port, is_connected);
    if (what & 0x80)
        fake->devices[FAKE_PORTS + port].hub_changes = (uint16_t)take_u32();
}

// An event that names something of the driver's, or nothing.
static void inject_event(struct fake_xhci *fake)
{
    const uint8_t kind = take();
    const unsigned slot = take() % (FAKE_SLOTS + 1);
    const uint64_t places[] = {fake->commands.next - 16, fake->slots[slot].control.next,
                               fake->slots[slot].interrupt.next, FAKE_MEMORY_ADDRESS + take_u32()};
    const uint32_t status = take_u32();

    fake_event(fake, places[kind & 3], status,
               XHCI_TRB_TYPE(kind & 4 ? 32 + (kind >> 3 & 7) : XHCI_TRB_TRANSFER_EVENT) |
                   slot << 24 | (uint32_t)(kind >> 3 & 31) << 16);
}

static void act(struct fake_xhci *fake)
{
    const uint8_t what = take();
    const unsigned port = 1 + what / 16 % FAKE_PORTS;
    struct fake_device *device = &fake->devices[port];

    if (*fake_register(fake, FAKE_OPERATIONAL + XHCI_USBSTS) & XHCI_USBSTS_HCH)
        return;
    switch (what % 16) {
    case 0:
        fake_disconnect(fake, port);
        break;
    case 1:
        if (!device->is_connected)
            connect(fake, port);
        break;
    case 2:
        device->report_code = take();
        device->report_residue = take_u32() & 0xffffff;
        break;
    case 3:
        device->report_code = 0;
        break;
    case 4:
        fake->command_code = take();
        break;
    case 5:
        fake->command_code = 0;
        fake->slot_given = 0;
        break;
    case 6:
        fake->slot_given = take();
        break;
    case 7:
        *fake_portsc(fake, port) ^= take_u32();
        break;
    case 8:
        fake->memory[take_u32() % FAKE_MEMORY_BYTES] = take();
        break;
    case 9:
    case 10:
        inject_event(fake);
        break;
    case 11:
        *fake_register(fake, FAKE_OPERATIONAL + XHCI_USBSTS) ^= 1u << take() % 32;
        break;
    case 12:
        fake->keys_refused = take();
        break;
    case 13:
        change_hub(fake, port, take());
        break;
    default:
        fake_type(fake, 1 + take() % (FAKE_DEVICES - 1), take(), take());
        break;
    }
}

static void on_wait(struct fake_xhci *fake)
{
    if (input.left > 0 && take() & 1)
        act(fake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fake_xhci fake;
    static struct xhci driver;
    const struct xhci_host host = {&fake_host_ops, &fake, FAKE_BAR_BYTES};
    uint64_t memory_bytes;

    input = (struct input){data, size};
    fake_init(&fake);
    const uint8_t lies = take();
    if (lies & 1)
        *fake_register(&fake, 4u * (take() % 8)) = take_u32();
    if (lies & 2)
        *fake_register(&fake, FAKE_EXTENDED + 4u * (take() % 4)) = take_u32();
    if (xhci_probe(&driver, &host, &memory_bytes) != MX_OK || memory_bytes > FAKE_MEMORY_BYTES)
        return 0;
    fake.on_wait = on_wait;
    connect(&fake, 1);
    const struct xhci_memory memory = {fake.memory, FAKE_MEMORY_ADDRESS, memory_bytes};
    for (unsigned starts = 0; starts < 3 && input.left > 0; starts++) {
        if (xhci_start(&driver, &memory) != MX_OK)
            continue;
        for (unsigned steps = 0; steps < 400 && xhci_step(&driver) == MX_OK; steps++) {
            fake.taken = 0;
            if (input.left == 0 && !xhci_has_work(&driver))
                break;
            act(&fake);
        }
    }
    // What was added and what went must be a match: each keyboard is one of the two or still there.
    unsigned present = 0;
    for (unsigned slot = 1; slot <= XHCI_DEVICES_MAX; slot++)
        present +=
            driver.devices[slot].is_used && driver.devices[slot].kind == XHCI_DEVICE_KEYBOARD;
    if (fake.keyboards_added != fake.keyboards_removed + present)
        abort();
    return 0;
}
