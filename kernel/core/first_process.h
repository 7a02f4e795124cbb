// Starting the first process, bin/init of the boot image, with all authority there is; see <machina/startup.h>.
#pragma once

#include <arch/boot.h>

// Logs what is wrong when it fails. May sleep.
MUST_CHECK mx_status_t first_process_start(const struct boot_info *info);
