// Contract: start-up. The architecture gathers what the machine is, then calls kernel_main().
#pragma once

#include "boot/zbi_items.h"
#include "kernel/lib/types.h"

#define BOOT_CMDLINE_SIZE 2048

struct boot_info {
    paddr_t image_base; // the boot image (ZBI), reserved for good; size 0 if there is none
    uint64_t image_size_bytes;
    uint64_t kernel_size_bytes; // image, with its zeroed data
    char cmdline[BOOT_CMDLINE_SIZE]; // the boot image's, then that of whoever started the kernel
    bool is_cmdline_cut;             // some of it did not fit
    struct zbi_framebuffer framebuffer; // width 0: none
    const struct zbi_machine *items;    // for good, with what they point to; NULL: none
};

// Runs on the boot CPU, on its idle thread's stack, interrupts disabled, linear map up, phys_add_range done for all free
// RAM, console usable, CPUs counted (cpu_count). In core/main.c.
_Noreturn void kernel_main(const struct boot_info *info);
// The same for another CPU. In core/main.c.
_Noreturn void start_secondary_cpu(void);

// Second part of the architecture's start-up, once heap and threads work: interrupt controllers, timers.
void arch_init_late(void);
// Per CPU, the boot CPU included: its interrupt controller, timer, hypervisor mode.
void arch_init_cpu(void);
