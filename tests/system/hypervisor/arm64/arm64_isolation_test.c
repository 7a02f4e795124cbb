// What one arm64 guest leaves in the CPU is not there for the next.

#include "tests/system/child.h"
#include "tests/system/hypervisor/arm64/tiny_guest.h"
#include "tests/test.h"

TINY_GUEST(swap_disr);

static struct tiny_guest guest;

// Some guests, so that two of them come to the same CPU. A CPU without the register has it
// UNDEFINED: the guest's results stay zero.
TEST(deferred_error_register_is_the_guest_s_own)
{
    for (int i = 0; i < 8; i++) {
        ASSERT_TRUE(tiny_guest_start(&guest, &code_swap_disr));
        EXPECT_EQ(tiny_guest_run(guest.vcpu), (uint32_t)GUEST_DONE);
        EXPECT_EQ(tiny_guest_data(&guest)[0], 0u);
        tiny_guest_destroy(&guest);
    }
}
