// Order between a driver's accesses to memory that a device reads or writes, and to the device's
// registers (Arm ARM, B2.3 "Data Memory Barrier"; devices are in the outer shareable domain).
#pragma once

// What was written to memory before is seen by the device before what is written after.
static inline void dma_fence_write(void)
{
    __asm__ volatile("dmb oshst" ::: "memory");
}

// What is read from memory after is as new as what was read before.
static inline void dma_fence_read(void)
{
    __asm__ volatile("dmb oshld" ::: "memory");
}

// What was written before is seen before anything is read after.
static inline void dma_fence_full(void)
{
    __asm__ volatile("dmb osh" ::: "memory");
}
