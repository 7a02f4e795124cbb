// Start of a user program: reads the start-up message, then calls main().

#include <machina_user/startup.h>

#include <stdlib.h>

#include <machina/syscalls.h>

#include "user/lib/start.h"
#include "user/portable/startup.h"

// What the compiler's stack protector compares with. Set before any protected function runs.
uintptr_t __stack_chk_guard;
_Noreturn void __stack_chk_fail(void);

int main(int argc, char **argv);

// How long a new process waits for its launcher to send the message.
#define MESSAGE_TIMEOUT MX_SEC(10)

static mx_handle_t channel;
static struct startup startup;
static mx_handle_t handles[MX_STARTUP_MAX_HANDLES];
static _Alignas(8) char message[MX_STARTUP_MAX_BYTES];

static mx_handle_t *find_handle(uint32_t kind, uint32_t arg)
{
    for (uint32_t i = 0; i < startup.handle_count; i++) {
        if (startup.handles[i].kind == kind && startup.handles[i].arg == arg && handles[i])
            return &handles[i];
    }
    return NULL;
}

mx_handle_t startup_handle_take(uint32_t kind, uint32_t arg)
{
    mx_handle_t *found = find_handle(kind, arg);
    mx_handle_t handle = found ? *found : MX_HANDLE_INVALID;

    if (found)
        *found = MX_HANDLE_INVALID;
    return handle;
}

mx_handle_t startup_handle_look(uint32_t kind, uint32_t arg)
{
    mx_handle_t *found = find_handle(kind, arg);

    return found ? *found : MX_HANDLE_INVALID;
}

mx_handle_t startup_channel(void)
{
    return channel;
}

char **startup_environment(void)
{
    return startup_env(&startup);
}

_Noreturn void __stack_chk_fail(void)
{
    abort();
}

static mx_status_t read_message(void)
{
    uint32_t actual[2];
    mx_status_t status = mx_object_wait_one(channel, MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED,
                                            mx_clock_get_monotonic() + MESSAGE_TIMEOUT, NULL);
    if (status != MX_OK)
        return status;
    status =
        mx_channel_read(channel, message, sizeof(message), handles, MX_STARTUP_MAX_HANDLES, actual);
    if (status != MX_OK)
        return status;
    return startup_read(message, actual[0], actual[1], &startup);
}

static _Noreturn void run_main(mx_handle_t start_channel)
{
    channel = start_channel;
    if (read_message() != MX_OK)
        mx_process_exit(EXIT_NO_STARTUP);
    exit(main((int)startup.argc, startup_argv(&startup)));
}

// Has no arrays on its stack and so is not protected itself; it never returns either. If the kernel
// has no random bytes yet, the guard stays a constant.
_Noreturn void user_start(uint64_t start_channel)
{
    if (mx_random_draw(&__stack_chk_guard, sizeof(__stack_chk_guard)) != MX_OK)
        __stack_chk_guard = 0x595e9fbd94fda766;
    __stack_chk_guard &= ~(uintptr_t)0xff; // a zero byte stops string overruns
    run_main((mx_handle_t)start_channel);
}
