// The guests that the tests of every architecture use, for arm64. Shared with assembly.
//
// A guest talks by a word written to GUEST_EXIT.
#pragma once

#include "tests/system/hypervisor/arm64/tiny_guest_layout.h"

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
#undef GUEST

// The reason under which exits with a value are counted.
#define GUEST_EXIT_REASON MX_GUEST_EXIT_DATA_ABORT
#endif
