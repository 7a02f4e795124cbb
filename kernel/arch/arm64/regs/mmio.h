// Device registers. The accesses are single instructions with a base register and nothing else,
// which every hypervisor can emulate from the syndrome.
#pragma once

#include <stdint.h>

static inline uint32_t mmio_read32(const volatile void *base, uint64_t offset)
{
    uint32_t value;

    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"((uintptr_t)base + offset) : "memory");
    return value;
}

static inline void mmio_write32(volatile void *base, uint64_t offset, uint32_t value)
{
    __asm__ volatile("str %w0, [%1]" : : "rZ"(value), "r"((uintptr_t)base + offset) : "memory");
}

static inline uint64_t mmio_read64(const volatile void *base, uint64_t offset)
{
    uint64_t value;

    __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"((uintptr_t)base + offset) : "memory");
    return value;
}

static inline void mmio_write64(volatile void *base, uint64_t offset, uint64_t value)
{
    __asm__ volatile("str %x0, [%1]" : : "rZ"(value), "r"((uintptr_t)base + offset) : "memory");
}

static inline void mmio_write8(volatile void *base, uint64_t offset, uint8_t value)
{
    __asm__ volatile("strb %w0, [%1]" : : "rZ"(value), "r"((uintptr_t)base + offset) : "memory");
}
