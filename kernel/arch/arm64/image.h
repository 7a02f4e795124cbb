// The kernel's image, by the linker script, and what start.S has in it.
#pragma once

#include <stdint.h>

extern char kernel_image_start[], kernel_text_end[], kernel_rodata_start[], kernel_data_start[],
    kernel_load_end[], kernel_table_pool[], kernel_image_end[];

// Where the image lies in physical memory. Known from the start.
extern uint64_t kernel_image_physical;

// The boot CPU's first stack with an unmapped page below it, and the stack that reports the
// overflow of any other (start.S).
extern char boot_stack_guard[], boot_stack[], boot_stack_top[], overflow_stack[],
    overflow_stack_top[];
// An empty top table: TTBR0_EL1 while no process runs.
extern char boot_empty_table[];

// Physical address of something in the image.
static inline uint64_t image_physical(const void *at)
{
    return (uint64_t)at - (uint64_t)kernel_image_start + kernel_image_physical;
}
