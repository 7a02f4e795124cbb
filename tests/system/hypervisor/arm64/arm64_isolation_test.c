// What one arm64 guest leaves in the CPU is not there for the next.

#include "tests/system/child.h"
#include "tests/system/hypervisor/arm64/arm64_guest.h"
#include "tests/test.h"

static struct guest_fixture guest;

// Some guests, so that two of them come to the same CPU. A CPU without the register has it
// UNDEFINED: the guest's results stay zero.
TEST(deferred_error_register_is_the_guest_s_own)
{
    for (int i = 0; i < 8; i++) {
        ASSERT_TRUE(guest_start(&guest, &code_swap_disr));
        EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
        EXPECT_EQ(guest_data(&guest)[0], 0u);
        guest_destroy(&guest);
    }
}
