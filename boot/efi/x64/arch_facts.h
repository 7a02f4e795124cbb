// x64: what is known when compiling.
#pragma once

#define ARCH_NAME              "x64"
#define ARCH_KERNEL_TYPE       ZBI_TYPE_KERNEL_X64
#define ARCH_NEEDS_DESCRIPTION false
// Page tables of five levels at most.
#define ARCH_SCRATCH_PAGES 7
#define ARCH_ADDRESS_MAX   0xffffffffull
