// The driver process of an xHCI controller: registers, interrupt, memory, keyboards' streams and
// disks' clients for portable/xhci.c.

#include <stdio.h>

#include <machina/syscalls.h>

#include "dma_fence.h"
#include "user/drivers/input/keyboard_link.h"
#include "user/drivers/lib/driver.h"
#include "user/drivers/usb/portable/xhci.h"
#include "user/drivers/usb/usb_disks.h"

#define REGISTERS_BAR 0

// A controller that failed this often is left alone.
#define STARTS_MAX 3

#define KEY_INTERRUPT      0
#define KEY_KEYBOARD_FIRST 1
#define KEY_DISK_FIRST     (KEY_KEYBOARD_FIRST + XHCI_DEVICES_MAX)

static struct {
    struct driver_device device;
    volatile uint8_t *registers;
    mx_handle_t port;
    struct keyboard_link links[XHCI_DEVICES_MAX];
    struct xhci xhci;
} driver;

static uint32_t read_register(void *context, uint32_t offset)
{
    const uint32_t value = *(volatile uint32_t *)(driver.registers + offset);

    (void)context;
    dma_fence_read();
    return value;
}

static void write_register(void *context, uint32_t offset, uint32_t value)
{
    (void)context;
    dma_fence_write();
    *(volatile uint32_t *)(driver.registers + offset) = value;
}

static mx_time_t now(void *context)
{
    (void)context;
    return mx_clock_get_monotonic();
}

static void on_keyboard_packet(uint32_t keyboard, mx_signals_t trigger)
{
    uint8_t indicators;

    if (keyboard < XHCI_DEVICES_MAX &&
        keyboard_link_receive(&driver.links[keyboard], trigger, &indicators))
        xhci_set_indicators(&driver.xhci, keyboard, indicators);
}

static void take_packet(mx_time_t deadline)
{
    struct mx_port_packet packet;

    if (mx_port_wait(driver.port, deadline, &packet) != MX_OK)
        return;
    // Acknowledged before the controller is looked at, so that an interrupt from now on is another
    // packet.
    if (packet.key == KEY_INTERRUPT)
        (void)!mx_interrupt_ack(driver.device.interrupt);
    else if (packet.key >= KEY_DISK_FIRST)
        usb_disks_serve_packet(packet.key);
    else
        on_keyboard_packet((uint32_t)(packet.key - KEY_KEYBOARD_FIRST), packet.signal.trigger);
}

static void wait_for_packet(void *context, mx_time_t deadline)
{
    (void)context;
    usb_disks_serve_stalled();
    take_packet(deadline);
}

static void log_line(void *context, const char *line)
{
    (void)context;
    printf("xhci %s: %s\n", driver.device.name, line);
}

static bool keyboard_added(void *context, uint32_t keyboard)
{
    const mx_status_t status =
        keyboard_link_open(&driver.links[keyboard], driver.port, KEY_KEYBOARD_FIRST + keyboard);

    (void)context;
    if (status != MX_OK)
        log_line(NULL, "nobody takes the keys of a keyboard");
    return status == MX_OK;
}

static void send_keys(void *context, uint32_t keyboard, struct key_queue *queue)
{
    (void)context;
    keyboard_link_send(&driver.links[keyboard], queue);
}

static void keyboard_removed(void *context, uint32_t keyboard, struct key_queue *queue)
{
    send_keys(context, keyboard, queue);
    keyboard_link_close(&driver.links[keyboard]);
}

static const struct xhci_host_ops host_ops = {
    .read = read_register,
    .write = write_register,
    .now = now,
    .wait = wait_for_packet,
    .log = log_line,
    .keyboard_added = keyboard_added,
    .keys = send_keys,
    .keyboard_removed = keyboard_removed,
    .disk_added = usb_disk_added,
    .request_done = usb_disk_request_done,
    .disk_removed = usb_disk_removed,
};

static mx_status_t connect_device(void)
{
    mx_status_t status = mx_port_create(&driver.port);

    if (status == MX_OK)
        status = mx_interrupt_bind(driver.device.interrupt, driver.port, KEY_INTERRUPT);
    usb_disks_init(&driver.device, &driver.xhci, driver.port, KEY_DISK_FIRST);
    driver.registers = driver_map_bar(&driver.device, REGISTERS_BAR);
    return status == MX_OK && driver.registers == NULL ? MX_ERR_NOT_FOUND : status;
}

static mx_status_t find_memory(struct xhci_memory *memory)
{
    const uint64_t size_bytes = driver.device.bars[REGISTERS_BAR].size_bytes;
    const struct xhci_host host = {&host_ops, NULL,
                                   (uint32_t)(size_bytes < UINT32_MAX ? size_bytes : UINT32_MAX)};
    struct driver_memory shared;
    uint64_t memory_bytes;
    mx_status_t status = xhci_probe(&driver.xhci, &host, &memory_bytes);

    if (status == MX_OK)
        status = driver_allocate(&driver.device, memory_bytes, &shared);
    if (status == MX_OK)
        *memory = (struct xhci_memory){shared.bytes, shared.address, shared.size_bytes};
    return status;
}

// Until the controller fails. BAD_STATE: it cannot be stopped.
static mx_status_t run(const struct xhci_memory *memory)
{
    mx_status_t status = xhci_start(&driver.xhci, memory);

    while (status == MX_OK) {
        status = xhci_step(&driver.xhci);
        // What is started here has its deadline, too.
        usb_disks_serve_stalled();
        if (status == MX_OK && !xhci_has_work(&driver.xhci))
            take_packet(xhci_deadline(&driver.xhci));
    }
    return status;
}

int main(int argc, char **argv)
{
    struct xhci_memory memory;
    mx_status_t status = driver_start(&driver.device, argc, argv);

    if (status == MX_OK)
        status = connect_device();
    if (status == MX_OK)
        status = find_memory(&memory);
    if (status != MX_OK) {
        printf("xhci %s: cannot drive the controller: %s\n", driver.device.name,
               mx_status_string(status));
        return 1;
    }
    // What cannot be stopped is switched off by the device manager, before anybody gets the memory
    // that it may write to.
    for (unsigned starts = 0;
         status != MX_ERR_BAD_STATE && starts < STARTS_MAX && xhci_is_present(&driver.xhci);
         starts++)
        status = run(&memory);
    log_line(NULL, "given up");
    return 1;
}
