// Facts about the machine and this start of it, gathered once by kernel_main and never changed.
#pragma once

#include "boot/zbi_items.h"
#include "kernel/lib/types.h"

#define MACHINE_VERSION "0.1"

struct machine {
    uint64_t kernel_size_bytes;
    uint64_t image_size_bytes;
    mx_status_t hypervisor_status;
    mx_time_t boot_time_utc_s; // at monotonic time zero
    struct zbi_framebuffer framebuffer; // width 0: none
};

extern struct machine machine;
