// The kernel's image, by the linker script.
#pragma once

#include <stdint.h>

extern char kernel_image_start[], kernel_text_end[], kernel_rodata_start[], kernel_data_start[],
    kernel_load_end[], kernel_image_end[];

// The boot CPU's first stack (start.S).
extern char boot_stack[], boot_stack_top[];
