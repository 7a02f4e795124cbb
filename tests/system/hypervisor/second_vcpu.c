// See second_vcpu.h.

#include "tests/system/hypervisor/second_vcpu.h"

#include <machina/syscalls.h>

#include "tests/system/child.h"

static void run(void *argument)
{
    struct second_vcpu *second = argument;

    if (second->options & MX_VCPU_CREATE_WAITING)
        second->status =
            mx_vcpu_create(second->fixture->guest, second->id, second->options, &second->vcpu);
    else
        second->status = guest_make_vcpu(second->fixture, second->id, GUEST_CODE_2, &second->vcpu);
    __atomic_store_n(&second->is_ready, 1, __ATOMIC_SEQ_CST);
    if (second->status == MX_OK)
        second->status = guest_enter(second->vcpu, &second->packet);
}

bool second_vcpu_start(struct second_vcpu *second, const struct guest_fixture *fixture, uint32_t id,
                       uint32_t options)
{
    *second = (struct second_vcpu){.fixture = fixture, .id = id, .options = options};
    if (thread_create(&second->thread, "vcpu", run, second, 0) != MX_OK)
        return false;
    while (!__atomic_load_n(&second->is_ready, __ATOMIC_SEQ_CST))
        mx_nanosleep(deadline_after(MX_MSEC(1)));
    return second->vcpu != MX_HANDLE_INVALID;
}

void second_vcpu_finish(struct second_vcpu *second, bool is_kicked)
{
    if (is_kicked && second->vcpu != MX_HANDLE_INVALID)
        (void)!mx_vcpu_kick(second->vcpu);
    thread_join(second->thread);
    close_handle(second->vcpu);
}
