// The screen: text on the framebuffer that firmware or a boot loader left, several consoles,
// keyboards.
//
// One thread waits on a port for the consoles' streams, the log, the keyboards and init's requests.
// What programs write goes into their terminals at once; the picture follows at most every FRAME,
// so that a flood of text costs no more drawing than somebody could see.
//
// It holds the framebuffer, streams to the programs and the kernel's log to read: no registers, no
// files, no other process.

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <machina/syscalls.h>

#include <machina_user/console.h>
#include <machina_user/process.h>
#include <machina_user/screen.h>
#include <machina_user/startup.h>

#include "user/portable/text_surface.h"
#include "user/services/screen/consoles.h"
#include "user/services/screen/keyboards.h"

#define FRAME            MX_MSEC(16)
#define FLUSH_ROUNDS_MAX 64 // each takes a bounded amount of what programs wrote

enum packet_key {
    KEY_CONTROL,
    KEY_FIRST_CONSOLE,
    KEY_FIRST_KEYBOARD = KEY_FIRST_CONSOLE + 2 * CONSOLE_COUNT + 1,
};

static struct {
    mx_handle_t port;
    bool is_control_armed, is_control_open;
    bool has_changed; // the picture is behind
    mx_time_t next_frame;
    struct text_surface surface;
} screen;

// --- the picture

static void draw(void)
{
    size_t back;
    const struct vt *vt = consoles_shown(&back);

    text_surface_show(&screen.surface, vt, back);
    screen.has_changed = false;
    screen.next_frame = mx_clock_get_monotonic() + FRAME;
}

static void draw_if_due(void)
{
    screen.has_changed = consoles_take_change() || screen.has_changed;
    if (screen.has_changed && mx_clock_get_monotonic() >= screen.next_frame)
        draw();
}

// --- keys

static void take_key(const struct key_result *result)
{
    size_t chosen = consoles_chosen();

    switch (result->action) {
    case KEY_NOTHING:
        break;
    case KEY_BYTES:
        consoles_type(result->bytes, result->length);
        break;
    case KEY_SWITCH:
        consoles_choose(result->number);
        break;
    case KEY_SWITCH_PREVIOUS:
        consoles_choose(chosen > 0 ? chosen - 1 : CONSOLE_COUNT - 1);
        break;
    case KEY_SWITCH_NEXT:
        consoles_choose((chosen + 1) % CONSOLE_COUNT);
        break;
    case KEY_LOOK_BACK:
    case KEY_LOOK_FORWARD:
        consoles_look(result->action == KEY_LOOK_BACK);
        break;
    }
}

static unsigned key_modes(void)
{
    size_t back;
    const struct vt *vt = consoles_shown(&back);

    return (vt->modes & VT_MODE_CURSOR_KEYS ? KEY_MODE_CURSOR_KEYS : 0) |
           (vt->modes & VT_MODE_NEW_LINE ? KEY_MODE_NEW_LINE : 0);
}

// --- init's requests

static mx_status_t perform(uint32_t operation)
{
    switch (operation) {
    case CONSOLE_FLUSH:
        // A program that never stops writing does not keep the others waiting.
        for (unsigned i = 0; i < FLUSH_ROUNDS_MAX && consoles_pump(); i++)
            ;
        draw();
        return MX_OK;
    case CONSOLE_SHOW_LOG:
    case CONSOLE_HIDE_LOG:
        consoles_show_log(operation == CONSOLE_SHOW_LOG);
        return MX_OK;
    default:
        return MX_ERR_NOT_SUPPORTED;
    }
}

static void serve_control(void)
{
    mx_handle_t control = startup_channel();
    struct console_request request;
    uint32_t actual[2];

    while (screen.is_control_open && !screen.is_control_armed) {
        mx_status_t status = mx_channel_read(control, &request, sizeof(request), NULL, 0, actual);
        if (status == MX_ERR_SHOULD_WAIT) {
            screen.is_control_armed =
                mx_object_wait_async(control, screen.port, KEY_CONTROL,
                                     MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0) == MX_OK;
            screen.is_control_open = screen.is_control_armed;
            continue;
        }
        if (status == MX_OK && actual[0] == sizeof(request)) {
            struct console_reply answer = {request.transaction, perform(request.operation)};
            status = mx_channel_write(control, &answer, sizeof(answer), NULL, 0);
        }
        screen.is_control_open = status == MX_OK;
    }
}

// --- start

// WIDTH HEIGHT STRIDE FORMAT OFFSET: pixels, the format of MX_INFO_FRAMEBUFFER, and bytes in the
// memory object.
static mx_status_t map_framebuffer(char **argv, struct framebuffer *framebuffer)
{
    mx_handle_t vmo = startup_handle_take(SCREEN_STARTUP_FRAMEBUFFER, 0);
    unsigned long format = strtoul(argv[4], NULL, 0), offset = strtoul(argv[5], NULL, 0);
    struct mx_info_vmo info;
    uint64_t address = 0;
    mx_status_t status = mx_object_get_info(vmo, MX_INFO_VMO, &info, sizeof(info), NULL);

    framebuffer->width = strtoul(argv[1], NULL, 0);
    framebuffer->height = strtoul(argv[2], NULL, 0);
    framebuffer->stride = strtoul(argv[3], NULL, 0);
    framebuffer->layout = format == MX_PIXELS_XBGR ? (struct pixel_layout){0, 8, 16}
                                                   : (struct pixel_layout){16, 8, 0};
    if (status == MX_OK &&
        (offset % sizeof(uint32_t) != 0 || offset > info.size_bytes ||
         (info.size_bytes - offset) / sizeof(uint32_t) / framebuffer->stride < framebuffer->height))
        status = MX_ERR_OUT_OF_RANGE;
    if (status == MX_OK)
        status = mx_aspace_map(startup_handle_look(MX_STARTUP_SELF_ASPACE, 0),
                               MX_MAP_READ | MX_MAP_WRITE, vmo, 0, info.size_bytes, &address);
    handle_close(vmo);
    framebuffer->pixels = (uint32_t *)(uintptr_t)(address + offset);
    return status;
}

static mx_status_t start_surface(char **argv)
{
    struct framebuffer framebuffer;
    struct vt_cell *shown;
    mx_status_t status = map_framebuffer(argv, &framebuffer);

    if (status != MX_OK)
        return status;
    if (!text_surface_init(&screen.surface, &framebuffer))
        return MX_ERR_OUT_OF_RANGE;
    shown = malloc(screen.surface.columns * screen.surface.rows * sizeof(*shown));
    if (!shown)
        return MX_ERR_NO_MEMORY;
    text_surface_start(&screen.surface, shown);
    return MX_OK;
}

static mx_status_t start(int argc, char **argv)
{
    static const struct keyboards_ops ops = {take_key, key_modes};
    mx_status_t status;

    if (argc != 6 || strtoul(argv[3], NULL, 0) == 0)
        return MX_ERR_INVALID_ARGS;
    status = mx_port_create(&screen.port);
    if (status == MX_OK)
        status = start_surface(argv);
    if (status == MX_OK)
        status = consoles_init(screen.surface.columns, screen.surface.rows, screen.port,
                               KEY_FIRST_CONSOLE);
    if (status != MX_OK)
        return status;
    keyboards_init(&ops, startup_handle_take(MX_STARTUP_SERVICE, MX_SERVICE_KEYBOARDS), screen.port,
                   KEY_FIRST_KEYBOARD);
    screen.is_control_open = true;
    return MX_OK;
}

static mx_time_t next_deadline(bool has_more)
{
    mx_time_t deadline = has_more ? 0 : keyboards_deadline();

    return screen.has_changed && screen.next_frame < deadline ? screen.next_frame : deadline;
}

int main(int argc, char **argv)
{
    struct mx_port_packet packet;
    mx_status_t status = start(argc, argv);

    if (status != MX_OK) {
        printf("screen: cannot use the framebuffer: %s\n", mx_status_string(status));
        return 1;
    }
    for (;;) {
        keyboards_pump();
        bool has_more = consoles_pump();
        serve_control();
        draw_if_due();
        status = mx_port_wait(screen.port, next_deadline(has_more), &packet);
        if (status == MX_ERR_TIMED_OUT)
            continue;
        if (status != MX_OK)
            return 1;
        if (packet.key == KEY_CONTROL)
            screen.is_control_armed = false;
        else if (!consoles_take_packet(packet.key))
            keyboards_take_packet(packet.key);
    }
}
