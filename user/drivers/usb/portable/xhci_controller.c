// Finding out what the controller can do, taking it over, and starting it; see xhci.h.

#include "user/drivers/usb/portable/xhci_controller.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "user/drivers/usb/portable/xhci_device.h"
#include "user/drivers/usb/portable/xhci_registers.h"

#define REGISTER_STEP      MX_MSEC(1)
#define RESET_TIMEOUT      MX_SEC(2)
#define FIRMWARE_TIMEOUT   MX_SEC(1)
#define PORT_POWER_TIME    MX_MSEC(20)
#define INTERRUPT_INTERVAL 160 // in 250 ns: 40 us between interrupts

#define EXTENDED_CAPABILITIES_MAX 64

#define RING_ENTRIES (XHCI_PAGE_BYTES / sizeof(struct xhci_trb))

// The memory, by pages. The event ring segment table shares a page with the slots' array, of which
// (XHCI_DEVICES_MAX + 1) * 8 bytes are used.
#define PAGE_SLOTS           0
#define SEGMENT_TABLE_OFFSET 2048
#define PAGE_COMMANDS        1
#define PAGE_EVENTS          2
#define PAGE_DEVICES         3
#define DEVICE_PAGES         6 // output and input context, control, interrupt, bulk rings, data
#define PAGE_SCRATCHPADS     (PAGE_DEVICES + DEVICE_PAGES * XHCI_DEVICES_MAX)

#define ALL_ONES UINT32_MAX // what a device that has gone reads as

uint32_t xhci_read(const struct xhci *xhci, uint32_t offset)
{
    return xhci->host.ops->read(xhci->host.context, offset);
}

void xhci_write(const struct xhci *xhci, uint32_t offset, uint32_t value)
{
    xhci->host.ops->write(xhci->host.context, offset, value);
}

void xhci_write64(const struct xhci *xhci, uint32_t offset, uint64_t value)
{
    xhci_write(xhci, offset, (uint32_t)value);
    xhci_write(xhci, offset + 4, (uint32_t)(value >> 32));
}

mx_time_t xhci_now(const struct xhci *xhci)
{
    return xhci->host.ops->now(xhci->host.context);
}

void xhci_log(const struct xhci *xhci, const char *format, ...)
{
    char line[XHCI_LOG_LINE_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    xhci->host.ops->log(xhci->host.context, line);
}

mx_status_t xhci_await_register(const struct xhci *xhci, uint32_t offset, uint32_t mask,
                                uint32_t value, mx_time_t timeout)
{
    const mx_time_t end = xhci_now(xhci) + timeout;

    for (;;) {
        const mx_time_t now = xhci_now(xhci);
        const uint32_t found = xhci_read(xhci, offset);
        if (found == ALL_ONES)
            return MX_ERR_IO;
        if ((found & mask) == value)
            return MX_OK;
        if (now >= end)
            return MX_ERR_TIMED_OUT;
        xhci->host.ops->wait(xhci->host.context, now + REGISTER_STEP);
    }
}

bool xhci_is_present(const struct xhci *xhci)
{
    return xhci_read(xhci, xhci->operational + XHCI_USBSTS) != ALL_ONES;
}

// --- what the controller says of itself
// --------------------------------------------------------------

static bool fits(const struct xhci *xhci, uint32_t offset, uint32_t size_bytes)
{
    return offset % 4 == 0 && offset <= xhci->host.register_bytes &&
           size_bytes <= xhci->host.register_bytes - offset;
}

static void read_capabilities(struct xhci *xhci)
{
    const uint32_t structure1 = xhci_read(xhci, XHCI_HCSPARAMS1);
    const uint32_t structure2 = xhci_read(xhci, XHCI_HCSPARAMS2);
    const uint32_t capabilities = xhci_read(xhci, XHCI_HCCPARAMS1);
    const uint32_t slots = XHCI_HCSPARAMS1_SLOTS(structure1);

    xhci->slot_count = (uint8_t)(slots < XHCI_DEVICES_MAX ? slots : XHCI_DEVICES_MAX);
    xhci->port_count = (uint8_t)XHCI_HCSPARAMS1_PORTS(structure1);
    xhci->scratchpad_count = XHCI_HCSPARAMS2_SCRATCHPADS(structure2);
    xhci->context_bytes = capabilities & XHCI_HCCPARAMS1_CSZ ? 64 : 32;
    xhci->has_64_bits = (capabilities & XHCI_HCCPARAMS1_AC64) != 0;
    xhci->has_port_power = (capabilities & XHCI_HCCPARAMS1_PPC) != 0;
    xhci->extended = XHCI_HCCPARAMS1_XECP(capabilities);
    xhci->operational = xhci_read(xhci, XHCI_CAPLENGTH) & XHCI_CAPLENGTH_MASK;
    xhci->doorbells = xhci_read(xhci, XHCI_DBOFF) & XHCI_DBOFF_MASK;
    xhci->runtime = xhci_read(xhci, XHCI_RTSOFF) & XHCI_RTSOFF_MASK;
}

static mx_status_t check_capabilities(const struct xhci *xhci)
{
    if (xhci->operational < XHCI_CAPABILITY_BYTES ||
        !fits(xhci, xhci->operational, XHCI_OPERATIONAL_BYTES(xhci->port_count)) ||
        !fits(xhci, xhci->runtime, XHCI_RUNTIME_BYTES) ||
        !fits(xhci, xhci->doorbells, (xhci->slot_count + 1u) * XHCI_DOORBELL_BYTES)) {
        xhci_log(xhci, "registers at 0x%x, 0x%x and 0x%x are not in the controller's 0x%x bytes",
                 xhci->operational, xhci->runtime, xhci->doorbells, xhci->host.register_bytes);
        return MX_ERR_IO_DATA_INTEGRITY;
    }
    if (xhci->slot_count == 0 || xhci->port_count == 0) {
        xhci_log(xhci, "a controller with %u slots and %u ports", xhci->slot_count,
                 xhci->port_count);
        return MX_ERR_NOT_SUPPORTED;
    }
    if (!(xhci_read(xhci, xhci->operational + XHCI_PAGESIZE) & XHCI_PAGESIZE_4K)) {
        xhci_log(xhci, "a controller that cannot use pages of 4 KiB");
        return MX_ERR_NOT_SUPPORTED;
    }
    return MX_OK;
}

static uint32_t scratchpad_array_pages(const struct xhci *xhci)
{
    return (uint32_t)((xhci->scratchpad_count * sizeof(uint64_t) + XHCI_PAGE_BYTES - 1) /
                      XHCI_PAGE_BYTES);
}

mx_status_t xhci_probe(struct xhci *xhci, const struct xhci_host *host, uint64_t *memory_bytes)
{
    memset(xhci, 0, sizeof(*xhci));
    xhci->host = *host;
    if (!fits(xhci, 0, XHCI_CAPABILITY_BYTES) || xhci_read(xhci, XHCI_CAPLENGTH) == ALL_ONES) {
        xhci_log(xhci, "the controller has no registers or does not answer");
        return MX_ERR_NOT_SUPPORTED;
    }
    read_capabilities(xhci);
    const mx_status_t status = check_capabilities(xhci);

    if (status != MX_OK)
        return status;
    *memory_bytes =
        (uint64_t)(PAGE_SCRATCHPADS + scratchpad_array_pages(xhci) + xhci->scratchpad_count) *
        XHCI_PAGE_BYTES;
    return MX_OK;
}

// --- taking it over
// -----------------------------------------------------------------------------------

// The firmware may drive keyboards itself, and is asked to stop. One that does not answer is
// overruled.
static void take_from_firmware(const struct xhci *xhci, uint32_t offset)
{
    const uint32_t support = xhci_read(xhci, offset);

    if (support & XHCI_USBLEGSUP_BIOS) {
        xhci_write(xhci, offset, support | XHCI_USBLEGSUP_OS);
        if (xhci_await_register(xhci, offset, XHCI_USBLEGSUP_BIOS, 0, FIRMWARE_TIMEOUT) != MX_OK) {
            xhci_log(xhci,
                     "the firmware does not let go of the controller; taking it all the same");
            xhci_write(xhci, offset, (support | XHCI_USBLEGSUP_OS) & ~XHCI_USBLEGSUP_BIOS);
        }
    }
    const uint32_t control = xhci_read(xhci, offset + XHCI_USBLEGCTLSTS);
    xhci_write(xhci, offset + XHCI_USBLEGCTLSTS,
               (control & XHCI_USBLEGCTLSTS_KEPT) | XHCI_USBLEGCTLSTS_EVENTS);
}

// 7 "xHCI Extended Capabilities": a list by relative offsets, which may lead anywhere.
static void walk_extended_capabilities(const struct xhci *xhci)
{
    uint32_t offset = xhci->extended;

    for (unsigned i = 0; offset != 0 && i < EXTENDED_CAPABILITIES_MAX; i++) {
        if (!fits(xhci, offset, 2 * sizeof(uint32_t)))
            return;
        const uint32_t header = xhci_read(xhci, offset);
        if (header == ALL_ONES)
            return;
        if (XHCI_EXTENDED_ID(header) == XHCI_EXTENDED_LEGACY)
            take_from_firmware(xhci, offset);
        if (XHCI_EXTENDED_NEXT(header) == 0)
            return;
        offset += XHCI_EXTENDED_NEXT(header);
    }
}

static mx_status_t reset(const struct xhci *xhci)
{
    const uint32_t command = xhci->operational + XHCI_USBCMD;
    const uint32_t state = xhci->operational + XHCI_USBSTS;
    mx_status_t status;

    xhci_write(xhci, command, xhci_read(xhci, command) & ~(XHCI_USBCMD_RS | XHCI_USBCMD_INTE));
    // A controller that has failed need not stop: the reset helps it all the same.
    if (xhci_await_register(xhci, state, XHCI_USBSTS_HCH, XHCI_USBSTS_HCH, RESET_TIMEOUT) ==
        MX_ERR_TIMED_OUT)
        xhci_log(xhci, "the controller does not stop; resetting it all the same");
    xhci_write(xhci, command, XHCI_USBCMD_HCRST);
    // Some controllers must not be read right after the write.
    xhci->host.ops->wait(xhci->host.context, xhci_now(xhci) + REGISTER_STEP);
    status = xhci_await_register(xhci, command, XHCI_USBCMD_HCRST, 0, RESET_TIMEOUT);
    if (status == MX_OK)
        status = xhci_await_register(xhci, state, XHCI_USBSTS_CNR, 0, RESET_TIMEOUT);
    if (status != MX_OK)
        xhci_log(xhci, "the controller does not come out of its reset");
    return status;
}

bool xhci_stop(struct xhci *xhci)
{
    xhci->is_controller_failed = true;
    // IO: it has gone.
    if (!xhci->is_stopped)
        xhci->is_stopped = reset(xhci) != MX_ERR_TIMED_OUT;
    return xhci->is_stopped;
}

// --- its memory
// ---------------------------------------------------------------------------------------

static uint8_t *page_bytes(const struct xhci *xhci, uint32_t page)
{
    return xhci->memory.bytes + (uint64_t)page * XHCI_PAGE_BYTES;
}

static uint64_t page_address(const struct xhci *xhci, uint32_t page)
{
    return xhci->memory.address + (uint64_t)page * XHCI_PAGE_BYTES;
}

static void place_device(struct xhci *xhci, uint8_t slot)
{
    struct xhci_device *device = &xhci->devices[slot];
    const uint32_t page = PAGE_DEVICES + DEVICE_PAGES * (slot - 1u);

    memset(device, 0, sizeof(*device));
    device->slot = slot;
    device->output = page_bytes(xhci, page);
    device->output_address = page_address(xhci, page);
    device->input = page_bytes(xhci, page + 1);
    device->input_address = page_address(xhci, page + 1);
    xhci_ring_init(&device->control_ring, (struct xhci_trb *)page_bytes(xhci, page + 2),
                   page_address(xhci, page + 2), RING_ENTRIES);
    xhci_ring_init(&device->interrupt_ring, (struct xhci_trb *)page_bytes(xhci, page + 3),
                   page_address(xhci, page + 3), RING_ENTRIES);
    xhci_ring_init(&device->bulk_in.ring, (struct xhci_trb *)page_bytes(xhci, page + 4),
                   page_address(xhci, page + 4), RING_ENTRIES / 2);
    xhci_ring_init(&device->bulk_out.ring,
                   (struct xhci_trb *)(page_bytes(xhci, page + 4) + XHCI_PAGE_BYTES / 2),
                   page_address(xhci, page + 4) + XHCI_PAGE_BYTES / 2, RING_ENTRIES / 2);
    device->data = page_bytes(xhci, page + 5);
    device->data_address = page_address(xhci, page + 5);
}

static void place_scratchpads(struct xhci *xhci)
{
    uint64_t *array = (uint64_t *)page_bytes(xhci, PAGE_SCRATCHPADS);
    const uint32_t first = PAGE_SCRATCHPADS + scratchpad_array_pages(xhci);

    for (uint32_t i = 0; i < xhci->scratchpad_count; i++)
        array[i] = page_address(xhci, first + i);
    if (xhci->scratchpad_count > 0)
        xhci->slots[0] = page_address(xhci, PAGE_SCRATCHPADS);
}

static void place_all(struct xhci *xhci)
{
    memset(xhci->memory.bytes, 0, xhci->memory.size_bytes);
    xhci->slots = (uint64_t *)page_bytes(xhci, PAGE_SLOTS);
    xhci_ring_init(&xhci->commands, (struct xhci_trb *)page_bytes(xhci, PAGE_COMMANDS),
                   page_address(xhci, PAGE_COMMANDS), RING_ENTRIES);
    xhci_event_ring_init(&xhci->events, (struct xhci_trb *)page_bytes(xhci, PAGE_EVENTS),
                         page_address(xhci, PAGE_EVENTS), RING_ENTRIES);
    for (uint8_t slot = 1; slot <= XHCI_DEVICES_MAX; slot++)
        place_device(xhci, slot);
    place_scratchpads(xhci);
}

static void tell_controller(const struct xhci *xhci)
{
    // 6.5 "Event Ring Segment Table".
    uint64_t *segment = (uint64_t *)(page_bytes(xhci, PAGE_SLOTS) + SEGMENT_TABLE_OFFSET);

    segment[0] = xhci->events.address;
    segment[1] = xhci->events.count;
    xhci_write(xhci, xhci->operational + XHCI_CONFIG, xhci->slot_count);
    xhci_write64(xhci, xhci->operational + XHCI_DCBAAP, page_address(xhci, PAGE_SLOTS));
    xhci_write64(xhci, xhci->operational + XHCI_CRCR, xhci_ring_position(&xhci->commands));
    xhci_write(xhci, xhci->runtime + XHCI_ERSTSZ, 1);
    xhci_write64(xhci, xhci->runtime + XHCI_ERDP, xhci_event_ring_position(&xhci->events));
    xhci_write64(xhci, xhci->runtime + XHCI_ERSTBA,
                 page_address(xhci, PAGE_SLOTS) + SEGMENT_TABLE_OFFSET);
    xhci_write(xhci, xhci->runtime + XHCI_IMOD, INTERRUPT_INTERVAL);
    xhci_write(xhci, xhci->runtime + XHCI_IMAN, XHCI_IMAN_IP | XHCI_IMAN_IE);
}

// --- starting it
// --------------------------------------------------------------------------------------

static void power_ports(struct xhci *xhci)
{
    bool is_any_off = false;

    for (unsigned port = 1; port <= xhci->port_count; port++) {
        const uint32_t offset = xhci->operational + XHCI_PORTSC(port);
        const uint32_t state = xhci_read(xhci, offset);

        xhci->ports[port] = (struct xhci_port){.has_changed = true};
        if (xhci->has_port_power && !(state & XHCI_PORTSC_PP)) {
            xhci_write(xhci, offset, (state & XHCI_PORTSC_KEPT) | XHCI_PORTSC_PP);
            is_any_off = true;
        }
    }
    if (is_any_off)
        xhci->host.ops->wait(xhci->host.context, xhci_now(xhci) + PORT_POWER_TIME);
}

mx_status_t xhci_start(struct xhci *xhci, const struct xhci_memory *memory)
{
    mx_status_t status;

    if (!xhci->has_64_bits && (memory->address + memory->size_bytes) >> 32 != 0) {
        xhci_log(xhci, "the controller cannot reach memory above 4 GiB, and there is none below");
        return MX_ERR_NOT_SUPPORTED;
    }
    xhci->memory = *memory;
    xhci->is_controller_failed = xhci->is_stopped = false;
    xhci->command = (struct xhci_request){0};
    walk_extended_capabilities(xhci);
    status = reset(xhci);
    if (status != MX_OK)
        return status;
    place_all(xhci);
    tell_controller(xhci);
    xhci_write(xhci, xhci->operational + XHCI_USBCMD, XHCI_USBCMD_RS | XHCI_USBCMD_INTE);
    status = xhci_await_register(xhci, xhci->operational + XHCI_USBSTS, XHCI_USBSTS_HCH, 0,
                                 RESET_TIMEOUT);
    if (status != MX_OK) {
        xhci_log(xhci, "the controller does not start");
        return status;
    }
    power_ports(xhci);
    return MX_OK;
}
