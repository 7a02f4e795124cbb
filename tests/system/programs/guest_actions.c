// Guests of test_child; see guest_actions.h.

#include "tests/system/programs/guest_actions.h"

#include <machina/syscalls.h>
#include <machina_user/startup.h>

#include "tests/system/hypervisor/guest_fixture.h"

static int run_guest(const struct guest_code *code)
{
    struct guest_fixture guest;
    struct mx_vcpu_packet packet = {0};

    if (!guest_start(&guest, code) || mx_channel_write(startup_channel(), "r", 1, NULL, 0) != MX_OK)
        return 1;
    return mx_vcpu_enter(guest.vcpu, &packet) == MX_OK ? 2 : 3;
}

int do_guest_spin(const char *argument)
{
    (void)argument;
    return run_guest(&code_spin);
}

int do_guest_halt(const char *argument)
{
    (void)argument;
    return run_guest(&code_halt);
}
