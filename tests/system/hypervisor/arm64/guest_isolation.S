// The guests of arm64_isolation_test.c.
#include "tests/system/hypervisor/arm64/guest_macros.h"

// GUEST_DATA: what DISR_EL1 was, what it is after all that can be set was.
GUEST_BEGIN swap_disr
	ADDRESS x10, GUEST_DATA
	mrs x0, S3_0_C12_C1_1		// DISR_EL1
	mov x1, #-1
	msr S3_0_C12_C1_1, x1
	mrs x1, S3_0_C12_C1_1
	stp x0, x1, [x10]
	DONE
GUEST_END swap_disr
