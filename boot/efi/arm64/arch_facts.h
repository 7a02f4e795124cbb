// arm64: what is known when compiling.
#pragma once

#define ARCH_NAME              "arm64"
#define ARCH_KERNEL_TYPE       ZBI_TYPE_KERNEL_ARM64
#define ARCH_NEEDS_DESCRIPTION true
#define ARCH_SCRATCH_PAGES     0
#define ARCH_ADDRESS_MAX       0xffffffffffffull
