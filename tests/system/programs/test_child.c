// The other process of the system tests: does what its first argument says, often something that
// must end it.
//
// It exits with 0 when what it did was allowed to go on, so a fault is seen as another exit code.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/arch/syscall.h>
#include <machina/syscalls.h>
#include <machina_user/startup.h>
#include <machina_user/thread.h>

#include "tests/system/programs/faults.h"
#include "tests/system/programs/guest_actions.h"

static mx_handle_t own_aspace(void)
{
    return startup_handle_look(MX_STARTUP_SELF_ASPACE, 0);
}

static int do_exit(const char *argument)
{
    return atoi(argument);
}

static int do_sleep(const char *argument)
{
    (void)argument;
    mx_nanosleep(MX_TIME_INFINITE);
    return 0;
}

static int do_spin(const char *argument)
{
    (void)argument;
    while (*(const volatile char *)"spin")
        continue;
    return 0;
}

// Sends every message back, with its handles, until the other end is closed.
static int do_echo(const char *argument)
{
    static char bytes[MX_CHANNEL_MAX_BYTES];
    mx_handle_t handles[MX_CHANNEL_MAX_HANDLES];
    struct mx_channel_serve_args args = {.reply_bytes = bytes,
                                         .reply_handles = handles,
                                         .request_bytes = bytes,
                                         .request_handles = handles,
                                         .request_capacity_bytes = sizeof(bytes),
                                         .request_handle_capacity = MX_CHANNEL_MAX_HANDLES};

    (void)argument;
    for (;;) {
        mx_status_t status = mx_channel_serve(startup_channel(), &args, MX_TIME_INFINITE);

        if (status != MX_OK)
            return status == MX_ERR_PEER_CLOSED ? 0 : 1;
        args.reply_size_bytes = args.request_size_bytes;
        args.reply_handle_count = args.request_handle_count;
    }
}

// Says that it runs, by one message, and sleeps.
static int do_ready(const char *argument)
{
    if (mx_channel_write(startup_channel(), "r", 1, NULL, 0) != MX_OK)
        return 1;
    return do_sleep(argument);
}

static uint64_t random_state;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t interesting_argument(void)
{
    static char memory[8192];
    static const uint64_t values[] = {
        0,
        1,
        2,
        7,
        16,
        4096,
        0xffffffff,
        0x100000000,
        0x7fffffffffffffff,
        0x8000000000000000,
        UINT64_MAX,
        0xffff800000000000,
        0xffffffff80100000,
        0xffffc00000000000,
        0x00007fffffffefff,
        0x0000800000000000,
        0x400000,
        0x1000,
    };

    switch (random_next() % 4) {
    case 0:
        return values[random_next() % (sizeof(values) / sizeof(values[0]))];
    case 1:
        return (uintptr_t)memory + random_next() % sizeof(memory);
    case 2: // a handle that exists, more often than not
        return (random_next() % 3) << 16 | (random_next() % 24 + 1);
    default:
        return random_next() >> (random_next() % 64);
    }
}

// Calls that would end or stop the child itself, or the machine.
static bool is_left_out(uint64_t number)
{
    enum {
#define S0(result, name)                         NUMBER_##name,
#define S1(result, name, t0)                     NUMBER_##name,
#define S2(result, name, t0, t1)                 NUMBER_##name,
#define S3(result, name, t0, t1, t2)             NUMBER_##name,
#define S4(result, name, t0, t1, t2, t3)         NUMBER_##name,
#define S5(result, name, t0, t1, t2, t3, t4)     NUMBER_##name,
#define S6(result, name, t0, t1, t2, t3, t4, t5) NUMBER_##name,
#include <machina/syscall_list.h>
#undef S0
#undef S1
#undef S2
#undef S3
#undef S4
#undef S5
#undef S6
    };
    switch (number) {
    case NUMBER_process_exit:
    case NUMBER_thread_exit:
    case NUMBER_system_power:
    case NUMBER_nanosleep:
    case NUMBER_object_wait_one:
    case NUMBER_object_wait_many:
    case NUMBER_port_wait:
    case NUMBER_futex_wait:
    case NUMBER_channel_call:
    case NUMBER_interrupt_wait:
    case NUMBER_task_kill:
    case NUMBER_aspace_unmap:
    case NUMBER_aspace_protect:
    case NUMBER_vcpu_enter:
        return true;
    default:
        return false;
    }
}

// Every call with arguments from a seed. Whatever they answer, the kernel lives and so does this
// process.
static int do_fuzz(const char *argument)
{
    random_state = strtoul(argument, NULL, 10) * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < 3000; i++) {
        uint64_t number = random_next() % 96, a[6];
        for (int j = 0; j < 6; j++)
            a[j] = interesting_argument();
        if (!is_left_out(number))
            (void)mx_syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    return 0;
}

// Takes memory until there is no more; 0 when that was told by a status.
static int do_allocate(const char *argument)
{
    uint64_t address;
    mx_handle_t vmo;

    (void)argument;
    for (int i = 0; i < 4096; i++) {
        mx_status_t status = mx_vmo_create(MX_PAGE_SIZE * 64, &vmo);
        address = 0;
        if (status == MX_OK)
            status = mx_aspace_map(own_aspace(), MX_MAP_READ | MX_MAP_WRITE | MX_MAP_POPULATE, vmo,
                                   0, MX_PAGE_SIZE * 64, &address);
        if (status != MX_OK)
            return status == MX_ERR_NO_MEMORY ? 0 : 1;
    }
    return 2;
}

static void exit_from_thread(void *argument)
{
    exit(atoi(argument));
}

static int do_exit_from_thread(const char *argument)
{
    struct thread *thread;

    if (thread_create(&thread, "exit", exit_from_thread, (char *)(uintptr_t)argument, 0) != MX_OK)
        return 1;
    return do_sleep(argument);
}

static void yield_forever(void *argument)
{
    (void)argument;
    for (;;)
        mx_thread_yield();
}

// Many threads in all states, for being killed.
static int do_threads(const char *argument)
{
    struct thread *thread;

    for (int i = 0; i < 8; i++) {
        // In a job that is being killed there are no new threads any more: the end is near.
        if (thread_create(&thread, "yield", yield_forever, NULL, 0) != MX_OK)
            return do_sleep(argument);
    }
    return do_ready(argument);
}

static const struct action {
    const char *name;
    int (*run)(const char *argument);
} actions[] = {
    {"exit", do_exit},
    {"sleep", do_sleep},
    {"spin", do_spin},
    {"echo", do_echo},
    {"ready", do_ready},
    {"fuzz", do_fuzz},
    {"allocate", do_allocate},
    {"exit-from-thread", do_exit_from_thread},
    {"threads", do_threads},
    {"fault", faults_run},
    {"guest-spin", do_guest_spin},
    {"guest-halt", do_guest_halt},
};

int main(int argc, char **argv)
{
    const char *argument = argc > 2 ? argv[2] : "";

    for (size_t i = 0; argc > 1 && i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].name, argv[1]) == 0)
            return actions[i].run(argument);
    }
    return 100;
}
