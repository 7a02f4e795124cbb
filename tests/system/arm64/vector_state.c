// V registers, FPCR and FPSR, and the general registers across SVC; see vector_state.h.

#include "tests/system/vector_state.h"

#include <string.h>

#define EACH_PAIR(op)                                                                        \
    op(0, 1) op(2, 3) op(4, 5) op(6, 7) op(8, 9) op(10, 11) op(12, 13) op(14, 15) op(16, 17) \
        op(18, 19) op(20, 21) op(22, 23) op(24, 25) op(26, 27) op(28, 29) op(30, 31)

#define LOAD_PAIR(a, b) "ldp q" #a ", q" #b ", [%0, #" #a "*16]\n"
#define SAVE_PAIR(a, b) "stp q" #a ", q" #b ", [%0, #" #a "*16]\n"
#define WITH_FP         ".arch_extension fp\n.arch_extension simd\n"

#define FPSR_QC UINT64_C(1) << 27

static void fill(uint64_t seed, uint64_t values[32][2])
{
    for (unsigned i = 0; i < 32; i++) {
        values[i][0] = seed * (2 * i + 1) + i;
        values[i][1] = seed * (2 * i + 2) + i;
    }
}

static uint64_t fpcr_of(uint64_t seed)
{
    return (seed & 3) << 22; // rounding mode
}

static uint64_t fpsr_of(uint64_t seed)
{
    return seed & 4 ? FPSR_QC : 0;
}

void vector_state_load(uint64_t seed)
{
    uint64_t values[32][2];

    fill(seed, values);
    __asm__ volatile(WITH_FP EACH_PAIR(LOAD_PAIR) "msr fpcr, %1\nmsr fpsr, %2"
                     :
                     : "r"(values), "r"(fpcr_of(seed)), "r"(fpsr_of(seed))
                     : "memory");
}

static void save(uint64_t values[32][2], uint64_t *fpcr, uint64_t *fpsr)
{
    __asm__ volatile(WITH_FP EACH_PAIR(SAVE_PAIR) : : "r"(values) : "memory");
    __asm__ volatile(WITH_FP "mrs %0, fpcr\nmrs %1, fpsr" : "=r"(*fpcr), "=r"(*fpsr));
}

bool vector_state_is(uint64_t seed)
{
    uint64_t expected[32][2], now[32][2], fpcr, fpsr;

    save(now, &fpcr, &fpsr);
    fill(seed, expected);
    return memcmp(expected, now, sizeof(now)) == 0 && fpcr == fpcr_of(seed) &&
           fpsr == fpsr_of(seed);
}

bool vector_state_is_initial(void)
{
    uint64_t expected[32][2] = {{0}}, now[32][2], fpcr, fpsr;

    save(now, &fpcr, &fpsr);
    return memcmp(expected, now, sizeof(now)) == 0 && fpcr == 0 && fpsr == 0;
}

// In the assembly file.
uint64_t syscall_probe(uint64_t number);

bool syscall_keeps_registers(void)
{
    // A number that does not exist, a close that fails, the clock.
    return syscall_probe(100000) == 0 && syscall_probe(0) == 0 && syscall_probe(35) == 0;
}
