// The guests of arm64, and the layout of their memory. Shared with assembly.
//
// A guest talks by a word written to GUEST_EXIT.
#pragma once

#include "tests/system/hypervisor/arm64/guest_layout.h"

#ifndef __ASSEMBLER__
struct guest_code {
    const char *start, *end;
};

#define GUEST(name)                                         \
    extern const char guest_##name[], guest_##name##_end[]; \
    static const struct guest_code code_##name              \
        __attribute__((unused)) = {guest_##name, guest_##name##_end};
GUEST(vectors)
GUEST(done)
GUEST(spin)
GUEST(exits)
GUEST(asks)
GUEST(halt)
GUEST(read_forever)
GUEST(accesses)
GUEST(bells)
GUEST(refused)
GUEST(firmware)
GUEST(hypercalls)
GUEST(wait_for_interrupts)
GUEST(take_interrupts)
GUEST(wfi_masked)
GUEST(level)
GUEST(timer)
GUEST(physical_timer)
GUEST(send_sgi)
GUEST(self_sgi)
GUEST(call_written)
GUEST(second)
GUEST(run_32_bit)
GUEST(translate)
GUEST(jump_to_nothing)
GUEST(vectors_fp)
GUEST(single_step)
GUEST(thumb_wfi)
GUEST(walk_outside)
GUEST(far_physical_timer)
GUEST(far_virtual_timer)
GUEST(start_twice)
GUEST(leave_timers_on)
GUEST(swap_disr)

// The reason under which exits with a value are counted.
#define GUEST_EXIT_REASON MX_GUEST_EXIT_DATA_ABORT
#endif
