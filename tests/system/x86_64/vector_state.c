// XMM, YMM and x87 registers and the general registers across SYSCALL; see vector_state.h.

#include "tests/system/vector_state.h"

#include <string.h>

static bool has_avx(void)
{
    uint32_t eax = 1, ebx, ecx = 0, edx;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return (ecx & (1u << 27)) != 0 && (ecx & (1u << 28)) != 0; // OSXSAVE, AVX
}

static void fill(uint64_t seed, uint64_t values[16][4])
{
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned j = 0; j < 4; j++)
            values[i][j] = seed * (i * 4 + j + 1) + i;
    }
}

#define EACH_REGISTER(op)                                                                          \
    op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) op(14) \
        op(15)

#define LOAD_XMM(n) "movups " #n "*32(%0), %%xmm" #n "\n"
#define SAVE_XMM(n) "movups %%xmm" #n ", " #n "*32(%0)\n"
#define LOAD_YMM(n) "vmovups " #n "*32(%0), %%ymm" #n "\n"
#define SAVE_YMM(n) "vmovups %%ymm" #n ", " #n "*32(%0)\n"

static uint32_t mxcsr_of(uint64_t seed)
{
    return 0x1f80 | (seed & 3) << 13; // rounding mode
}

static uint16_t fpu_control_of(uint64_t seed)
{
    return (uint16_t)(0x037f | (seed & 3) << 10);
}

void vector_state_load(uint64_t seed)
{
    uint64_t values[16][4];
    uint32_t mxcsr = mxcsr_of(seed);
    uint16_t control = fpu_control_of(seed);

    fill(seed, values);
    if (has_avx())
        __asm__ volatile(EACH_REGISTER(LOAD_YMM) : : "r"(values) : "memory");
    else
        __asm__ volatile(EACH_REGISTER(LOAD_XMM) : : "r"(values) : "memory");
    __asm__ volatile("ldmxcsr %0; fninit; fldcw %1; fildll %2"
                     :
                     : "m"(mxcsr), "m"(control), "m"(values[3][1])
                     : "memory");
}

static void save(uint64_t values[16][4])
{
    memset(values, 0, 16 * sizeof(values[0]));
    if (has_avx())
        __asm__ volatile(EACH_REGISTER(SAVE_YMM) : : "r"(values) : "memory");
    else
        __asm__ volatile(EACH_REGISTER(SAVE_XMM) : : "r"(values) : "memory");
}

static bool are_as(uint64_t expected[16][4], uint64_t now[16][4])
{
    size_t used = has_avx() ? 32 : 16;

    for (unsigned i = 0; i < 16; i++) {
        if (memcmp(expected[i], now[i], used) != 0)
            return false;
    }
    return true;
}

bool vector_state_is(uint64_t seed)
{
    uint64_t expected[16][4], now[16][4], top;
    uint32_t mxcsr;
    uint16_t control;

    save(now);
    __asm__ volatile("stmxcsr %0; fnstcw %1; fistpll %2" : "=m"(mxcsr), "=m"(control), "=m"(top));
    fill(seed, expected);
    return are_as(expected, now) && mxcsr == mxcsr_of(seed) && control == fpu_control_of(seed) &&
           top == expected[3][1];
}

bool vector_state_is_initial(void)
{
    uint64_t expected[16][4] = {{0}}, now[16][4];
    uint32_t mxcsr;
    uint16_t control;

    save(now);
    __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(control));
    return are_as(expected, now) && mxcsr == 0x1f80 && control == 0x037f;
}

// In the assembly file: calls the null-like system call `number` with patterns in rbx, rbp, r12 to
// r15; returns how many of them changed.
uint64_t syscall_probe(uint64_t number);

bool syscall_keeps_registers(void)
{
    // A number that does not exist, a close that fails, the clock.
    return syscall_probe(100000) == 0 && syscall_probe(0) == 0 && syscall_probe(35) == 0;
}
