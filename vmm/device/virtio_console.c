// The console device's process: its terminal is the stream that the guest manager attaches, with a
// backlog.
#include "vmm/virtio/console.h"

#include "vmm/device/device_process.h"
#include "vmm/terminal/terminal.h"

static struct device_process process;
static struct virtio_console console;
static struct terminal terminal;

static size_t transmit(void *context, const uint8_t *bytes, size_t size_bytes)
{
    (void)context;
    return terminal_write(&terminal, bytes, size_bytes);
}

static size_t receive(void *context, uint8_t *bytes, size_t capacity_bytes)
{
    (void)context;
    return terminal_read(&terminal, bytes, capacity_bytes);
}

static const struct virtio_console_stream_ops stream_ops = {.transmit = transmit,
                                                            .receive = receive};

static void go_on(void)
{
    device_process_wake_queue(&process, VIRTIO_CONSOLE_TRANSMIT_QUEUE);
    device_process_wake_queue(&process, VIRTIO_CONSOLE_RECEIVE_QUEUE);
}

static void attach(struct device_process *context, mx_handle_t stream)
{
    (void)context;
    terminal_attach(&terminal, stream);
    go_on();
}

static void packet(struct device_process *context, uint64_t key)
{
    (void)context;
    terminal_event(&terminal, key);
    terminal_flush(&terminal); // makes room for a held transmit chain
    go_on();
}

static void idle(struct device_process *context)
{
    const bool was_attached = terminal.stream != MX_HANDLE_INVALID;

    (void)context;
    terminal_flush(&terminal);
    // A reader that has gone must not keep what it refused.
    if (was_attached && terminal.stream == MX_HANDLE_INVALID)
        go_on();
}

static const struct device_process_ops ops = {.attach = attach, .packet = packet, .idle = idle};

int main(int argc, char **argv)
{
    const mx_status_t status = device_process_init(&process, argc, argv);

    if (status != MX_OK)
        return device_process_fail(&process, "virtio-console: cannot start", status);
    terminal_init(&terminal, process.port, DEVICE_PROCESS_OWN_KEY);
    virtio_console_init(&console, &stream_ops, NULL, 0, 0);
    return device_process_run(&process, &console.device, &ops);
}
