// The generic timer (Arm ARM DDI 0487J.a, chapter D11). At EL2 with E2H the names CNTP_* mean the
// EL2 physical timer (CNTHP_*).
#pragma once

#include "kernel/arch/arm64/regs/sysreg.h"

#define CNT_CTL_ENABLE REG_BIT(0)
#define CNT_CTL_IMASK  REG_BIT(1)
