// The exit columns of arm64.

#include "user/portable/kstats_format.h"

const struct kstats_column kstats_columns[] = {
    {" inst_abt", "inst_abt", MX_GUEST_EXIT_INSTRUCTION_ABORT},
    {" data_abt", "data_abt", MX_GUEST_EXIT_DATA_ABORT},
    {" wfx_inst", "wfx_inst", MX_GUEST_EXIT_WFX},
    {" sys_inst", "sys_inst", MX_GUEST_EXIT_SYSTEM},
    {" smc_inst", "smc_inst", MX_GUEST_EXIT_SMC},
    {" ints", "ints", MX_GUEST_EXIT_INTERRUPT},
};
const size_t kstats_column_count = sizeof(kstats_columns) / sizeof(kstats_columns[0]);
